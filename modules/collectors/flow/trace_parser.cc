#include "modules/collectors/flow/trace_parser.h"

#include <algorithm>

namespace amoskys::flow {
namespace {

constexpr std::uint32_t magic_us = 0xa1b2c3d4, magic_ns = 0xa1b23c4d, magic_section = 0x0a0d0d0a,
                        byte_order = 0x1a2b3c4d;
constexpr std::uint32_t block_interface = 1, block_packet = 2, block_simple = 3, block_enhanced = 6;
constexpr std::size_t pcap_header_bytes = 24, record_header_bytes = 16, block_header_bytes = 8;
constexpr std::uint64_t second_ns = 1'000'000'000;

inline std::uint32_t little(const std::uint8_t* in) {
    return in[0] | (std::uint32_t{in[1]} << 8U) | (std::uint32_t{in[2]} << 16U) |
           (std::uint32_t{in[3]} << 24U);
}

UnixNanos to_ns(std::uint64_t ticks, std::uint64_t units_per_second, std::int64_t offset_s) {
    __extension__ using Wide = unsigned __int128;
    const Wide ns = static_cast<Wide>(ticks) * second_ns / units_per_second;
    const auto whole = static_cast<UnixNanos>(ns);
    return whole + static_cast<UnixNanos>(offset_s) * second_ns;
}

}  // namespace

std::uint16_t TraceParser::u16(const std::uint8_t* in) const {
    return static_cast<std::uint16_t>(swapped_ ? (in[0] << 8U) | in[1] : (in[1] << 8U) | in[0]);
}

inline std::uint32_t TraceParser::u32(const std::uint8_t* in) const {
    return swapped_ ? be32(in) : little(in);
}

inline void TraceParser::take(ByteView& rest, std::size_t bytes) {
    rest = rest.subspan(bytes);
    offset_ += bytes;
}

Error TraceParser::bad(std::string_view what) const {
    return make_error(ErrorKind::bad_data, "flow_bad_trace",
                      "byte " + std::to_string(offset_) + ": " + std::string(what));
}

// True once the file's form is known. A pcapng section block is left for block().
Result<bool> TraceParser::header(ByteView& rest) {
    if (rest.size() < 4)
        return false;
    const std::uint32_t magic = little(rest.data());
    if (magic == magic_section) {
        form_ = Form::pcapng;
        return true;
    }
    const std::uint32_t other = be32(rest.data());
    swapped_ = other == magic_us || other == magic_ns;
    if (!swapped_ && magic != magic_us && magic != magic_ns)
        return bad("neither a pcap nor a pcapng file (no magic number of either)");
    if (rest.size() < pcap_header_bytes)
        return false;
    nanoseconds_ = (swapped_ ? other : magic) == magic_ns;
    const unsigned major = u16(rest.data() + 4), minor = u16(rest.data() + 6);
    if (major != 2)
        return bad("pcap version " + std::to_string(major) + "." + std::to_string(minor) +
                   "; known is 2.x");
    old_lengths_ = minor <= 3;
    link_ = static_cast<LinkType>(u32(rest.data() + 20) & 0xffffU);
    if (!known_link(link_))
        return bad("link type " + std::to_string(static_cast<std::uint32_t>(link_)) +
                   " is not known here");
    take(rest, pcap_header_bytes);
    form_ = Form::pcap;
    return true;
}

Result<TraceParser::Step> TraceParser::next(ByteView& rest, Frame& out) {
    if (form_ == Form::unknown) {
        AMOSKYS_TRY(known, header(rest));
        if (!known)
            return Step::need_more;
    }
    return form_ == Form::pcap ? pcap_record(rest, out) : block(rest, out);
}

Result<TraceParser::Step> TraceParser::pcap_record(ByteView& rest, Frame& out) {
    if (rest.size() < record_header_bytes)
        return Step::need_more;
    std::uint32_t captured = u32(rest.data() + 8), wire = u32(rest.data() + 12);
    if (old_lengths_ && captured > wire)  // before 2.4 some writers had them the other way round
        std::swap(captured, wire);
    if (captured > max_record_bytes)
        return bad("a packet of " + std::to_string(captured) + " bytes; at most " +
                   std::to_string(max_record_bytes));
    if (rest.size() - record_header_bytes < captured)
        return Step::need_more;
    out.data = rest.subspan(record_header_bytes, captured);
    out.wire_bytes = wire;
    out.link = link_;
    out.interface = 0;
    out.time_ns = u32(rest.data()) * second_ns +
                  std::uint64_t{u32(rest.data() + 4)} * (nanoseconds_ ? 1U : 1000U);
    take(rest, record_header_bytes + captured);
    return Step::frame;
}

Result<TraceParser::Step> TraceParser::block(ByteView& rest, Frame& out) {
    while (rest.size() >= block_header_bytes + 4) {
        const bool is_section = little(rest.data()) == magic_section;
        if (is_section) {
            // The byte order of a section is told inside of its first block.
            const std::uint8_t* mark = rest.data() + block_header_bytes;
            if (little(mark) != byte_order && be32(mark) != byte_order)
                return bad("a section without a byte order mark");
            swapped_ = be32(mark) == byte_order;
        }
        const std::uint32_t type = u32(rest.data());
        const std::uint32_t length = u32(rest.data() + 4);
        if (length < block_header_bytes + 4 || length % 4 != 0 || length > max_record_bytes)
            return bad("a block of " + std::to_string(length) +
                       " bytes; allowed are multiples of 4 from 12 to " +
                       std::to_string(max_record_bytes));
        if (rest.size() < length)
            return Step::need_more;
        if (u32(rest.data() + length - 4) != length)
            return bad("the two lengths of a block differ");
        const ByteView body = rest.subspan(block_header_bytes, length - block_header_bytes - 4);
        bool found = false;
        if (is_section) {
            AMOSKYS_TRY_VOID(section(body));
        } else if (type == block_interface) {
            AMOSKYS_TRY_VOID(interface_block(body));
        } else if (type == block_enhanced || type == block_simple || type == block_packet) {
            AMOSKYS_TRY_VOID(packet_block(type, body, out));
            found = true;
        }
        take(rest, length);
        if (found)
            return Step::frame;
    }
    return Step::need_more;
}

Result<> TraceParser::section(ByteView body) {
    if (body.size() < 16)
        return bad("a section block that is too short");
    if (u16(body.data() + 4) != 1)
        return bad("pcapng version " + std::to_string(u16(body.data() + 4)) + "; known is 1");
    interfaces_.clear();
    return {};
}

Result<> TraceParser::interface_block(ByteView body) {
    if (body.size() < 8)
        return bad("an interface block that is too short");
    if (interfaces_.size() == max_interfaces)
        return bad("more than " + std::to_string(max_interfaces) + " interfaces in a section");
    Interface found;
    found.link = static_cast<LinkType>(u16(body.data()));
    found.snaplen = u32(body.data() + 4);
    ByteView options = body.subspan(8);
    while (options.size() >= 4) {
        const unsigned code = u16(options.data());
        const std::size_t size = u16(options.data() + 2);
        const std::size_t padded = (size + 3) / 4 * 4;
        if (code == 0 || options.size() < 4 + padded)
            break;
        const std::uint8_t* value = options.data() + 4;
        if (code == 9 && size == 1) {  // if_tsresol
            const unsigned exponent = *value & 0x7fU;
            const bool binary = (*value & 0x80U) != 0;
            if (exponent > (binary ? 63U : 19U))
                return bad("a time resolution of " + std::to_string(*value) +
                           "; allowed are 10^0 to 10^-19 and 2^0 to 2^-63");
            found.units_per_second = 1;
            for (unsigned i = 0; i < exponent; ++i)
                found.units_per_second *= binary ? 2 : 10;
        } else if (code == 14 && size == 8) {  // if_tsoffset
            const std::uint64_t first = u32(value), second = u32(value + 4);
            found.offset_s = static_cast<std::int64_t>(swapped_ ? (first << 32U) | second
                                                                : (second << 32U) | first);
        }
        options = options.subspan(4 + padded);
    }
    interfaces_.push_back(found);
    return {};
}

// The link type is judged by the decoder, which counts what it does not know.
Result<> TraceParser::packet_block(std::uint32_t type, ByteView body, Frame& out) {
    const std::size_t fixed = type == block_simple ? 4 : 20;
    if (body.size() < fixed)
        return bad("a packet block that is too short");
    std::uint32_t interface = 0;
    if (type == block_enhanced)
        interface = u32(body.data());
    else if (type == block_packet)
        interface = u16(body.data());
    if (interface >= interfaces_.size())
        return bad("a packet of interface " + std::to_string(interface) + " of " +
                   std::to_string(interfaces_.size()));
    const Interface& from = interfaces_[interface];
    std::uint32_t captured = 0;
    if (type == block_simple) {
        out.wire_bytes = u32(body.data());
        captured = std::min(out.wire_bytes, static_cast<std::uint32_t>(body.size() - fixed));
        if (from.snaplen != 0)
            captured = std::min(captured, from.snaplen);
        out.time_ns = last_ns_;  // the block has none
    } else {
        const std::uint64_t ticks =
            (std::uint64_t{u32(body.data() + 4)} << 32U) | u32(body.data() + 8);
        captured = u32(body.data() + 12);
        out.wire_bytes = u32(body.data() + 16);
        out.time_ns = to_ns(ticks, from.units_per_second, from.offset_s);
        last_ns_ = out.time_ns;
    }
    if (captured > body.size() - fixed)
        return bad("a packet of " + std::to_string(captured) + " bytes in a block with room for " +
                   std::to_string(body.size() - fixed));
    out.data = body.subspan(fixed, captured);
    out.link = from.link;
    out.interface = interface;
    return {};
}

}  // namespace amoskys::flow
