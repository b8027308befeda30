// Reads capture files: pcap (microseconds, nanoseconds, both byte orders, the old versions with
// swapped lengths) and pcapng (sections, interfaces, enhanced, simple and packet blocks). Sans-io:
// fed with bytes from the front of a file, so that a mapped file and a pipe are read by the same
// code; frames are views of those bytes. Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
#pragma once

#include <optional>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

struct Frame {
    ByteView data;
    std::uint32_t wire_bytes = 0;
    UnixNanos time_ns = 0;
    LinkType link = LinkType::ethernet;
    std::uint32_t interface = 0;  // of the section or capture
};

// Limits: a record or block of at most 16 MiB, 4,096 interfaces of a section.
inline constexpr std::uint32_t max_record_bytes = 16U << 20U;
inline constexpr std::size_t max_interfaces = 4096;

class TraceParser {
  public:
    enum class Step : std::uint8_t { frame, need_more };
    // Takes the next frame from the front of `rest`; skips blocks without one. need_more: all of
    // `rest` is less than a whole record, which at the end of a file means that it is cut, unless
    // `rest` is empty. bad_data: not a capture file, or contradicts itself; the message has the
    // byte.
    Result<Step> next(ByteView& rest, Frame& out);
    std::uint64_t offset() const { return offset_; }  // bytes taken so far
    bool began() const { return form_ != Form::unknown; }

  private:
    enum class Form : std::uint8_t { unknown, pcap, pcapng };
    struct Interface {
        LinkType link = LinkType::ethernet;
        std::uint32_t snaplen = 0;
        std::uint64_t units_per_second = 1'000'000;
        std::int64_t offset_s = 0;
    };
    Result<bool> header(ByteView& rest);
    Result<Step> pcap_record(ByteView& rest, Frame& out);
    Result<Step> block(ByteView& rest, Frame& out);
    Result<> packet_block(std::uint32_t type, ByteView body, Frame& out);
    Result<> interface_block(ByteView body);
    Result<> section(ByteView body);
    void take(ByteView& rest, std::size_t bytes);
    Error bad(std::string_view what) const;
    std::uint16_t u16(const std::uint8_t* in) const;
    std::uint32_t u32(const std::uint8_t* in) const;

    Form form_ = Form::unknown;
    bool swapped_ = false;  // big-endian
    bool nanoseconds_ = false, old_lengths_ = false;
    LinkType link_ = LinkType::ethernet;
    std::vector<Interface> interfaces_;
    UnixNanos last_ns_ = 0;
    std::uint64_t offset_ = 0;
};

}  // namespace amoskys::flow
