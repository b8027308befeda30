#include "core/wal/retention.h"

namespace amoskys::wal {
namespace {

std::string_view why_it_goes(const SegmentInfo& segment, const RetentionPolicy& policy,
                             UnixNanos now_ns, std::uint64_t bytes, std::uint64_t records) {
    const auto age_ns = static_cast<std::uint64_t>(policy.max_age.count());
    if (age_ns > 0 && segment.newest_received_ns + age_ns <= now_ns)
        return "age";
    if (policy.max_bytes > 0 && bytes > policy.max_bytes)
        return "size";
    if (policy.max_records > 0 && records > policy.max_records)
        return "count";
    return "";
}

}  // namespace

std::optional<RetentionPlan> plan_retention(std::span<const SegmentInfo> segments,
                                            const RetentionPolicy& policy, UnixNanos now_ns,
                                            std::optional<WalOffset> hold) {
    std::uint64_t bytes = 0, records = 0;
    for (const auto& segment : segments) {
        bytes += segment.file_bytes;
        records += segment.records();
    }
    std::optional<RetentionPlan> out;
    for (const auto& segment : segments) {
        const auto why = why_it_goes(segment, policy, now_ns, bytes, records);
        if (why.empty() || !segment.sealed || (hold && segment.last >= *hold))
            break;
        if (!out)
            out = RetentionPlan{segment.first, segment.last, 0, 0, {}};
        out->last = segment.last;
        out->records += segment.records();
        out->bytes += segment.file_bytes;
        out->why = why;
        bytes -= segment.file_bytes;
        records -= segment.records();
    }
    return out;
}

}  // namespace amoskys::wal
