#include "bench/flow/traffic.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "bench/measure.h"
#include "core/base/file.h"
#include "modules/collectors/flow/trace_parser.h"

namespace amoskys::bench {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

void put32(std::string& out, std::uint32_t value) {
    for (int i = 0; i < 4; ++i, value >>= 8U)
        out.push_back(static_cast<char>(value & 0xffU));
}

std::uint16_t get16(const std::string& in, std::size_t at) {
    return static_cast<std::uint16_t>((static_cast<std::uint8_t>(in[at]) << 8U) |
                                      static_cast<std::uint8_t>(in[at + 1]));
}
void set16(std::string& out, std::size_t at, std::uint16_t value) {
    out[at] = static_cast<char>(value >> 8U);
    out[at + 1] = static_cast<char>(value & 0xffU);
}

// RFC 1624: the checksum after one 16-bit word has changed.
void adjust(std::string& frame, std::size_t checksum_at, std::uint16_t before,
            std::uint16_t after) {
    const std::uint16_t old = get16(frame, checksum_at);
    std::uint32_t sum = static_cast<std::uint16_t>(~old);
    sum += static_cast<std::uint16_t>(~before);
    sum += after;
    while (sum >> 16U != 0)
        sum = (sum & 0xffffU) + (sum >> 16U);
    set16(frame, checksum_at, static_cast<std::uint16_t>(~sum));
}

// Changes the middle of both addresses of an Ethernet frame with IPv4 at byte 14.
void renumber(std::string& frame, std::uint16_t copy) {
    constexpr std::size_t ip = 14;
    const auto header = static_cast<std::size_t>(frame[ip] & 0xf) * 4;
    const bool first_piece = (get16(frame, ip + 6) & 0x1fffU) == 0;
    const char protocol = frame[ip + 9];
    std::size_t checksum_at = 0;
    if (first_piece && protocol == 6 && frame.size() >= ip + header + 18)
        checksum_at = ip + header + 16;
    if (first_piece && protocol == 17 && frame.size() >= ip + header + 8 &&
        get16(frame, ip + header + 6) != 0)
        checksum_at = ip + header + 6;
    for (const std::size_t address : {ip + 12, ip + 16}) {
        // The two middle octets are halves of two words.
        for (const auto& [at, mask] :
             {std::pair<std::size_t, unsigned>{address, copy >> 8U},
              std::pair<std::size_t, unsigned>{address + 2, (copy & 0xffU) << 8U}}) {
            const std::uint16_t before = get16(frame, at);
            const auto after = static_cast<std::uint16_t>(before ^ mask);
            set16(frame, at, after);
            adjust(frame, ip + 10, before, after);
            if (checksum_at != 0)
                adjust(frame, checksum_at, before, after);
        }
    }
}

// A trace that is repeated, and how far it has come.
struct Progress {
    std::vector<std::string> frames;
    std::uint32_t copies = 1;
    std::size_t next = 0;
    bool over() const { return next == frames.size(); }
    double share() const { return static_cast<double>(next) / static_cast<double>(frames.size()); }
};

Progress load(const TrafficPart& part) {
    Progress out;
    out.copies = part.copies;
    const std::string text = need(read_file(part.trace, 1U << 30U));
    ByteView rest = as_bytes(text);
    flow::TraceParser parser;
    flow::Frame frame;
    while (need(parser.next(rest, frame)) == flow::TraceParser::Step::frame)
        if (frame.data.size() >= 34 && frame.data[12] == 8 && frame.data[13] == 0)
            out.frames.push_back(to_string(frame.data));
    return out;
}

void write_copies(const std::string& frame, std::uint32_t copies, std::uint32_t round,
                  std::uint32_t packet_us, std::FILE* out, Traffic& total) {
    constexpr std::uint32_t began_s = 1'600'000'000;
    for (std::uint32_t copy = 0; copy < copies; ++copy) {
        std::string bytes = frame;
        renumber(bytes, static_cast<std::uint16_t>(round * copies + copy));
        const std::uint64_t time_us = total.packets * packet_us;
        std::string record;
        put32(record, began_s + static_cast<std::uint32_t>(time_us / 1'000'000));
        put32(record, static_cast<std::uint32_t>(time_us % 1'000'000));
        put32(record, static_cast<std::uint32_t>(bytes.size()));
        put32(record, static_cast<std::uint32_t>(bytes.size()));
        record += bytes;
        std::fwrite(record.data(), 1, record.size(), out);
        ++total.packets;
        total.bytes += record.size();
    }
}

}  // namespace

Traffic write_traffic(const std::vector<TrafficPart>& parts, const TrafficPace& pace,
                      const std::filesystem::path& file) {
    const File out(std::fopen(file.c_str(), "wb"), &std::fclose);
    if (out == nullptr)
        fail(errno_error("traffic", "cannot make " + file.string(), errno));
    std::string header;
    for (const std::uint32_t word : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65535U, 1U})
        put32(header, word);
    std::fwrite(header.data(), 1, header.size(), out.get());
    std::vector<Progress> traces;
    for (const TrafficPart& part : parts)
        traces.push_back(load(part));
    Traffic total;
    for (std::uint32_t round = 0; round < pace.rounds; ++round) {
        for (Progress& trace : traces)
            trace.next = 0;
        while (true) {
            // The trace that is furthest behind: all end together.
            const auto behind = std::min_element(
                traces.begin(), traces.end(),
                [](const Progress& a, const Progress& b) { return a.share() < b.share(); });
            if (behind->over())
                break;
            write_copies(behind->frames[behind->next++], behind->copies / pace.rounds, round,
                         pace.packet_us, out.get(), total);
        }
    }
    return total;
}

}  // namespace amoskys::bench
