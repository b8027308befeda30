// Which segments a log no longer needs: a pure decision over what Log::segments() says. Used by the
// bus's retention task, which hands the answer to Log::prune().
//
// Whole segments, oldest first, the newest never. A segment goes where it is wholly older than
// max_age, or where the log has more than max_bytes or max_records with it; one that a holding
// cursor is not done with stays, and everything after it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "core/wal/log.h"

namespace amoskys::wal {

struct RetentionPolicy {  // 0 = no limit
    Duration max_age{};
    std::uint64_t max_bytes = 0;  // of the segments' files; leaf hashes that remain are not counted
    std::uint64_t max_records = 0;
    bool limited() const { return max_age.count() > 0 || max_bytes > 0 || max_records > 0; }
};

struct RetentionPlan {
    WalOffset first, last;  // of what goes; prune(last + 1)
    std::uint64_t records = 0, bytes = 0;
    std::string_view why;  // of the newest segment that goes: "age", "size", "count"
};

// `hold`: the first record that has to stay.
std::optional<RetentionPlan> plan_retention(std::span<const SegmentInfo> segments,
                                            const RetentionPolicy& policy, UnixNanos now_ns,
                                            std::optional<WalOffset> hold);

}  // namespace amoskys::wal
