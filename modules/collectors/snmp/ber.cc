#include "modules/collectors/snmp/ber.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace amoskys::snmp {
namespace {

struct Header {
    std::uint8_t tag = 0;
    std::size_t size = 0, length = 0;
    enum { complete, incomplete, wrong } state = incomplete;
};

Header read_header(ByteView bytes) {
    Header header;
    if (bytes.size() < 2)
        return header;
    header.tag = bytes[0];
    const std::uint8_t first = bytes[1];
    if (first < 0x80) {
        header.size = 2;
        header.length = first;
        header.state = Header::complete;
        return header;
    }
    const std::size_t octets = first & 0x7fU;
    if (octets == 0 || octets > 4) {
        header.state = Header::wrong;
        return header;
    }
    if (bytes.size() < 2 + octets)
        return header;
    for (std::size_t i = 0; i < octets; ++i)
        header.length = (header.length << 8) | bytes[2 + i];
    header.size = 2 + octets;
    header.state = Header::complete;
    return header;
}

Value of_unsigned(Type type, std::uint64_t value) {
    return {type, value};
}

// net-snmp's types inside Opaque: 0x9f, a type, a length.
Value opaque_value(ByteView content) {
    if (content.size() > 3 && content[0] == 0x9f && content.size() == 3U + content[2]) {
        const ByteView inner = content.subspan(3);
        switch (content[1]) {
            case 0x78:
                if (inner.size() == 4)
                    return {Type::real, double{std::bit_cast<float>(load_be32(inner.data()))}};
                break;
            case 0x79:
                if (inner.size() == 8)
                    return {Type::real, std::bit_cast<double>(load_be64(inner.data()))};
                break;
            case 0x76:
            case 0x7b:
                if (const auto value = ber_unsigned(inner))
                    return of_unsigned(Type::counter64, *value);
                break;
            case 0x7a:
                if (const auto value = ber_integer(inner))
                    return {Type::integer, *value};
                break;
            default:
                break;
        }
    }
    return {Type::opaque, to_string(content)};
}

// Counter32 and its like: agents leave out the zero before a first octet above 0x7f, and some send
// more octets than the 32 bits that they mean.
std::optional<Value> unsigned32(Type type, ByteView content) {
    const auto value = ber_unsigned(content);
    if (!value)
        return std::nullopt;
    return of_unsigned(type, static_cast<std::uint32_t>(*value));
}

}  // namespace

std::optional<BerItem> BerReader::next() {
    const Header header = read_header(rest_);
    if (header.state != Header::complete || header.length > rest_.size() - header.size)
        return std::nullopt;
    const BerItem item{header.tag, rest_.subspan(header.size, header.length)};
    rest_ = rest_.subspan(header.size + header.length);
    return item;
}

std::optional<ByteView> BerReader::next(std::uint8_t wanted) {
    if (rest_.empty() || rest_[0] != wanted)
        return std::nullopt;
    const auto item = next();
    return item ? std::optional(item->content) : std::nullopt;
}

std::optional<std::int64_t> BerReader::integer() {
    const auto content = next(tag::integer);
    return content ? ber_integer(*content) : std::nullopt;
}

std::optional<std::size_t> message_length(ByteView stream) {
    if (!stream.empty() && stream[0] != tag::sequence)
        return 0;
    const Header header = read_header(stream);
    if (header.state == Header::wrong)
        return 0;
    if (header.state == Header::incomplete)
        return std::nullopt;
    return header.size + header.length;
}

std::optional<std::int64_t> ber_integer(ByteView content) {
    if (content.empty() || content.size() > 8)
        return std::nullopt;
    std::uint64_t value = (content[0] & 0x80U) != 0 ? ~std::uint64_t{0} : 0;
    for (const std::uint8_t octet : content)
        value = (value << 8) | octet;
    return static_cast<std::int64_t>(value);
}

std::optional<std::uint64_t> ber_unsigned(ByteView content) {
    if (content.size() == 9 && content[0] == 0)
        content = content.subspan(1);
    if (content.empty() || content.size() > 8)
        return std::nullopt;
    std::uint64_t value = 0;
    for (const std::uint8_t octet : content)
        value = (value << 8) | octet;
    return value;
}

std::optional<Oid> ber_oid(ByteView content) {
    if (content.empty())
        return Oid{};
    Oid oid;
    oid.reserve(content.size() + 1);
    std::uint64_t arc = 0;
    std::size_t octets = 0;
    for (const std::uint8_t octet : content) {
        arc = (arc << 7) | (octet & 0x7fU);
        if (++octets > 5 || arc > 0xffffffffU)
            return std::nullopt;
        if ((octet & 0x80U) != 0)
            continue;
        if (oid.empty()) {
            const std::uint64_t first = std::min<std::uint64_t>(arc / 40, 2);
            oid.push_back(static_cast<std::uint32_t>(first));
            arc -= first * 40;
        }
        oid.push_back(static_cast<std::uint32_t>(arc));
        if (oid.size() > max_oid_arcs)
            return std::nullopt;
        arc = octets = 0;
    }
    if (octets != 0)
        return std::nullopt;
    return oid;
}

std::optional<Value> ber_value(const BerItem& item) {
    switch (item.tag) {
        case tag::integer:
            if (const auto value = ber_integer(item.content))
                return Value{Type::integer, *value};
            return std::nullopt;
        case tag::octets:
            return Value{Type::octets, to_string(item.content)};
        case tag::null:
            return Value{};
        case tag::oid:
            if (auto oid = ber_oid(item.content))
                return Value{Type::oid, std::move(*oid)};
            return std::nullopt;
        case tag::ip_address:
            return Value{Type::ip_address, to_string(item.content)};
        case tag::counter32:
            return unsigned32(Type::counter32, item.content);
        case tag::gauge32:
        case tag::unsigned32:
            return unsigned32(Type::gauge32, item.content);
        case tag::time_ticks:
            return unsigned32(Type::time_ticks, item.content);
        case tag::counter64:
            if (const auto value = ber_unsigned(item.content))
                return of_unsigned(Type::counter64, *value);
            return std::nullopt;
        case tag::opaque:
            return opaque_value(item.content);
        case tag::no_such_object:
            return Value{Type::no_such_object, {}};
        case tag::no_such_instance:
            return Value{Type::no_such_instance, {}};
        case tag::end_of_mib_view:
            return Value{Type::end_of_mib_view, {}};
        default:
            return std::nullopt;
    }
}

void BerWriter::wrap(std::uint8_t tag, std::size_t mark) {
    std::size_t length = reversed_.size() - mark;
    if (length < 0x80) {
        reversed_.push_back(static_cast<std::uint8_t>(length));
    } else {
        std::uint8_t octets = 0;
        for (; length != 0; length >>= 8, ++octets)
            reversed_.push_back(static_cast<std::uint8_t>(length & 0xffU));
        reversed_.push_back(static_cast<std::uint8_t>(0x80U | octets));
    }
    reversed_.push_back(tag);
}

void BerWriter::bytes(ByteView content) {
    reversed_.insert(reversed_.end(), content.rbegin(), content.rend());
}

void BerWriter::octets(ByteView content, std::uint8_t tag) {
    const std::size_t at = mark();
    bytes(content);
    wrap(tag, at);
}

void BerWriter::integer(std::int64_t value, std::uint8_t tag) {
    const std::size_t at = mark();
    for (;;) {
        const auto octet = static_cast<std::uint8_t>(value & 0xff);
        reversed_.push_back(octet);
        value >>= 8;
        if ((value == 0 && (octet & 0x80U) == 0) || (value == -1 && (octet & 0x80U) != 0))
            break;
    }
    wrap(tag, at);
}

void BerWriter::unsigned_integer(std::uint64_t value, std::uint8_t tag) {
    const std::size_t at = mark();
    std::uint8_t octet = 0;
    do {
        octet = static_cast<std::uint8_t>(value & 0xffU);
        reversed_.push_back(octet);
        value >>= 8;
    } while (value != 0);
    if ((octet & 0x80U) != 0)
        reversed_.push_back(0);
    wrap(tag, at);
}

void BerWriter::oid(const Oid& oid) {
    const std::size_t at = mark();
    const auto arc = [this](std::uint64_t value) {
        reversed_.push_back(static_cast<std::uint8_t>(value & 0x7fU));
        for (value >>= 7; value != 0; value >>= 7)
            reversed_.push_back(static_cast<std::uint8_t>(0x80U | (value & 0x7fU)));
    };
    for (std::size_t i = oid.size(); i-- > 2;)
        arc(oid[i]);
    if (oid.size() >= 2)
        arc(std::uint64_t{oid[0]} * 40 + oid[1]);
    else
        arc(oid.empty() ? 0 : std::uint64_t{oid[0]} * 40);
    wrap(tag::oid, at);
}

void BerWriter::value(const Value& value) {
    const auto text = [&value] { return as_bytes(std::get<std::string>(value.data)); };
    switch (value.type) {
        case Type::null:
            return wrap(tag::null, mark());
        case Type::integer:
            return integer(std::get<std::int64_t>(value.data));
        case Type::octets:
            return octets(text());
        case Type::oid:
            return oid(std::get<Oid>(value.data));
        case Type::ip_address:
            return octets(text(), tag::ip_address);
        case Type::counter32:
            return unsigned_integer(std::get<std::uint64_t>(value.data), tag::counter32);
        case Type::gauge32:
            return unsigned_integer(std::get<std::uint64_t>(value.data), tag::gauge32);
        case Type::time_ticks:
            return unsigned_integer(std::get<std::uint64_t>(value.data), tag::time_ticks);
        case Type::counter64:
            return unsigned_integer(std::get<std::uint64_t>(value.data), tag::counter64);
        case Type::real: {
            std::array<std::uint8_t, 11> inner{0x9f, 0x79, 8};
            store_be64(inner.data() + 3,
                       std::bit_cast<std::uint64_t>(std::get<double>(value.data)));
            return octets(inner, tag::opaque);
        }
        case Type::opaque:
            return octets(text(), tag::opaque);
        case Type::no_such_object:
            return wrap(tag::no_such_object, mark());
        case Type::no_such_instance:
            return wrap(tag::no_such_instance, mark());
        case Type::end_of_mib_view:
            return wrap(tag::end_of_mib_view, mark());
    }
}

Bytes BerWriter::take() {
    std::ranges::reverse(reversed_);
    return std::exchange(reversed_, {});
}

}  // namespace amoskys::snmp
