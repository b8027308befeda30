// What segments say of themselves, and whether every record that they have is there.
#include <algorithm>

#include "core/wal/folder.h"
#include "modules/tools/inspect/verifier.h"

namespace amoskys::modules::inspect {

std::string range_text(WalOffset first, WalOffset last) {
    if (last.value == 0)  // nobody knows how many there were
        return "records from " + std::to_string(first.value) + " on";
    return first == last
               ? "record " + std::to_string(first.value)
               : "records " + std::to_string(first.value) + " to " + std::to_string(last.value);
}

void Verifier::note_segment(const wal::RecordView& record) {
    while (segment_ + 1 < segments_.size() && segments_[segment_].last < record.header.offset)
        ++segment_;
    if (segment_ >= seen_.size())
        return;
    SegmentSeen& seen = seen_[segment_];
    ++seen.records;
    seen.bytes += record.stored.size();
    seen.last_received_ns = record.header.received_ns;
}

// What a segment says of itself decides which of its records are shown at all.
void Verifier::check_segment(std::size_t index) {
    const wal::SegmentClaims& segment = segments_[index];
    const SegmentSeen& seen = seen_[index];
    const auto wrong = [&](const std::string& message) {
        find(segment.first, "segment", segment.file + ": " + message);
    };
    for (const auto& [table, number] : segment.strays)
        wrong("table " + table + " has an entry " + std::to_string(number) +
              " that belongs to none of its records, " + std::to_string(segment.first_kept.value) +
              " to " + std::to_string(segment.last.value));
    if (segment.head_last != segment.last)
        wrong("it says that it ends with record " + std::to_string(segment.head_last.value) +
              ", the next one begins with " + std::to_string(segment.last.value + 1));
    if ((segment.first_kept != segment.first || segment.bytes_trimmed != 0) && !spool_)
        wrong("it says that its records before " + std::to_string(segment.first_kept.value) + ", " +
              std::to_string(segment.bytes_trimmed) +
              " bytes, were trimmed, which a bus never does");
    const std::filesystem::path file = segment.file;
    if (file != wal::segment_path(file.parent_path(), segment.number))
        wrong("it says that it is segment " + std::to_string(segment.number));
    const auto check_root = [&](std::uint64_t size, std::uint64_t said_size, const Digest& said) {
        const auto& root = wanted_roots_[size];
        if (said_size != size || (root && *root != said))
            wrong("it says that the tree of the first " + std::to_string(said_size) +
                  " records has the root " + to_hex(said) + ", the first " + std::to_string(size) +
                  " have " + (root ? to_hex(*root) : "another"));
    };
    check_root(segment.first.value - 1, segment.tree_before, segment.root_before);
    if (segment.last.value > tree.size)
        return;  // it has been written on meanwhile
    check_root(segment.last.value, segment.tree, segment.root);
    if (index + 1 == segments_.size() && segment.states_as_of != segment.last)
        wrong("its states are known up to record " + std::to_string(segment.states_as_of.value) +
              " only; the bus works out the others when it starts");
    const wal::SegmentClaims nothing;
    const wal::SegmentClaims& before = index == 0 ? nothing : segments_[index - 1];
    if ((index != 0 || segment.first.value == 1) && not_seen_.empty() &&
        (segment.records_before != before.records || segment.bytes_before != before.bytes))
        wrong("it says that " + std::to_string(segment.records_before) + " records of " +
              std::to_string(segment.bytes_before) +
              " bytes stand before it; the one before ends with " + std::to_string(before.records) +
              " of " + std::to_string(before.bytes));
    if (seen.records == 0 || seen.records != segment.last.value - segment.first.value + 1)
        return;
    if (segment.records - segment.records_before != seen.records ||
        segment.bytes - segment.bytes_before != seen.bytes)
        wrong("it says that it has " + std::to_string(segment.records - segment.records_before) +
              " records of " + std::to_string(segment.bytes - segment.bytes_before) +
              " bytes; it has " + std::to_string(seen.records) + " of " +
              std::to_string(seen.bytes));
    if (segment.last_received_ns != seen.last_received_ns)
        wrong("it says that its last record was received " + format_time(segment.last_received_ns) +
              "; it was " + format_time(seen.last_received_ns));
}

// Every record is there, or named as damage.
void Verifier::check_missing() {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> named;
    for (const wal::Damage& damage : log_.damages())
        if (damage.first.value != 0)
            named.emplace_back(damage.first.value,
                               damage.last.value == 0 ? UINT64_MAX : damage.last.value);
    std::ranges::sort(named);
    for (const auto& [first, last] : not_seen_) {
        std::uint64_t at = first.value;
        const auto missing = [&](std::uint64_t end) {
            if (at <= end)
                find(WalOffset{at}, "missing",
                     range_text(WalOffset{at}, WalOffset{end}) + " cannot be read, for no reason");
        };
        for (const auto& [from, to] : named) {
            if (to < at || from > last.value)
                continue;
            if (from > at)
                missing(from - 1);
            at = to == UINT64_MAX ? last.value + 1 : to + 1;
        }
        missing(last.value);
    }
    if (first_.value > 1 && !spool_ && trail_.retention_begins < first_)
        find(first_, "pruned",
             range_text(WalOffset{1}, WalOffset{first_.value - 1}) +
                 " are gone, and no record of the bus's retention says so");
}

}  // namespace amoskys::modules::inspect
