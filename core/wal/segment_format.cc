#include "core/wal/segment_format.h"

#include <algorithm>

#include "core/crypto/hash.h"
#include "core/wal/little_endian.h"

namespace amoskys::wal {

namespace {

constexpr std::size_t check_bytes = 8;

std::string with_check(const std::string& body) {
    const Digest sum = crypto::sha256(as_bytes(body));
    return std::string(as_text(ByteView(sum).first(check_bytes))) + body;
}

void add(std::string& out, std::uint64_t value) {
    std::uint8_t bytes[8];
    store_le(bytes, value);
    out.append(as_text(ByteView(bytes)));
}

Error damaged(std::string_view entry, std::string_view why) {
    return make_error(ErrorKind::bad_data, "wal_damaged",
                      "segment entry \"" + std::string(entry) + "\" " + std::string(why));
}

// The body of an entry after its check was found right; `fixed` is the least size of the body.
Result<std::string> checked_entry(const Snapshot& snapshot, std::string_view name,
                                  std::size_t fixed) {
    AMOSKYS_TRY(raw, get(snapshot, Table::info, as_bytes(name)));
    if (!raw)
        return damaged(name, "is missing");
    if (raw->size() < check_bytes + fixed)
        return damaged(name, "is too short");
    std::string body = raw->substr(check_bytes);
    const Digest sum = crypto::sha256(as_bytes(body));
    if (!std::equal(sum.begin(), sum.begin() + check_bytes, as_bytes(*raw).begin()))
        return damaged(name, "fails its check");
    return body;
}

std::uint64_t number_at(const std::string& body, std::size_t index) {
    return load_le<std::uint64_t>(as_bytes(body).data() + index * 8);
}

}  // namespace

std::string encode(const SegmentStart& start) {
    std::string body;
    for (const std::uint64_t value : {start.number, start.first_offset, start.created_ns,
                                      start.records_before, start.bytes_before})
        add(body, value);
    return with_check(body + start.frontier.encode());
}

std::string encode(const SegmentHead& head) {
    std::string body;
    for (const std::uint64_t value :
         {head.last_offset, head.last_received_ns, head.records, head.bytes, head.first_kept,
          head.bytes_trimmed, head.states_as_of})
        add(body, value);
    return with_check(body + head.frontier.encode());
}

std::string encode(const std::vector<OffsetRange>& lost) {
    std::string out;
    for (const auto& [first, last] : lost) {
        add(out, first);
        add(out, last);
    }
    return out;
}

Result<> check_format(const Snapshot& snapshot) {
    AMOSKYS_TRY(raw, get(snapshot, Table::info, as_bytes("format")));
    if (!raw || raw->size() != 4)
        return damaged("format", "is missing");
    const auto format = load_le<std::uint32_t>(as_bytes(*raw).data());
    if (format > segment_format)
        return make_error(ErrorKind::bad_data, "wal_newer_version",
                          "segment format " + std::to_string(format) + "; this program reads " +
                              std::to_string(segment_format),
                          "use the version that wrote it, or a newer one");
    return {};
}

Result<SegmentStart> read_start(const Snapshot& snapshot) {
    AMOSKYS_TRY(body, checked_entry(snapshot, "start", 5 * 8));
    SegmentStart out;
    out.number = number_at(body, 0);
    out.first_offset = number_at(body, 1);
    out.created_ns = number_at(body, 2);
    out.records_before = number_at(body, 3);
    out.bytes_before = number_at(body, 4);
    AMOSKYS_TRY(frontier, Frontier::decode(as_bytes(body).subspan(5 * 8)));
    out.frontier = std::move(frontier);
    return out;
}

Result<SegmentHead> read_head(const Snapshot& snapshot) {
    AMOSKYS_TRY(body, checked_entry(snapshot, "head", 7 * 8));
    SegmentHead out;
    out.last_offset = number_at(body, 0);
    out.last_received_ns = number_at(body, 1);
    out.records = number_at(body, 2);
    out.bytes = number_at(body, 3);
    out.first_kept = number_at(body, 4);
    out.bytes_trimmed = number_at(body, 5);
    out.states_as_of = number_at(body, 6);
    AMOSKYS_TRY(frontier, Frontier::decode(as_bytes(body).subspan(7 * 8)));
    out.frontier = std::move(frontier);
    return out;
}

Result<std::vector<OffsetRange>> read_lost(const Snapshot& snapshot) {
    AMOSKYS_TRY(raw, get(snapshot, Table::info, as_bytes("lost")));
    std::vector<OffsetRange> out;
    for (std::size_t i = 0; raw && (i + 2) * 8 <= raw->size(); i += 2)
        out.emplace_back(number_at(*raw, i), number_at(*raw, i + 1));
    return out;
}

SegmentHead head_at_start(const SegmentStart& start, UnixNanos last_received_ns) {
    SegmentHead head;
    head.last_offset = start.first_offset - 1;
    head.last_received_ns = last_received_ns;
    head.records = start.records_before;
    head.bytes = start.bytes_before;
    head.first_kept = start.first_offset;
    head.states_as_of = head.last_offset;
    head.frontier = start.frontier;
    return head;
}

}  // namespace amoskys::wal
