// Making segment files: the roll-over's new segment, and one rebuilt from a damaged file. Used
// inside core/wal only, by the thread that opens or appends.
//
// Crash points of making one: NNNNNNNN.mdb.tmp is filled, committed with fsync and closed; renamed;
// the folder fsynced. Before the rename the log is as it was (a .tmp is deleted at the next
// opening), after it the new segment is there whole. That a newer segment exists is what seals the
// older one.
#pragma once

#include "core/wal/lmdb_env.h"
#include "core/wal/log.h"
#include "core/wal/segment_format.h"
#include "core/wal/segment_reader.h"

namespace amoskys::wal {

using Fill = std::function<Result<>(LmdbEnv& env, SegmentHead& head)>;

struct NewSegment {
    SegmentStart start;
    SegmentHead head;
    std::vector<OffsetRange> lost;
};

std::uint64_t map_bytes_for(const Options& options);

// Fills NUMBER.mdb.tmp and renames it to NUMBER.mdb. `fill` runs between creation and the last
// commit, with transactions of its own; it may change the head and what is lost.
Result<> make_segment(const std::filesystem::path& folder, NewSegment& segment,
                      std::uint64_t map_bytes, const Fill& fill);

// Copies states, cursors and duplicate keys.
Result<> carry_over(const Snapshot& from, LmdbEnv& to);

struct RebuildRequest {
    std::filesystem::path folder;
    std::uint64_t number = 0;
    const SegmentReader* previous = nullptr;  // the segment before, where there is one
    std::optional<std::uint64_t> next_first;  // first sequence of the one after, where there is one
    std::string why;                          // for the report
};

// Sets NUMBER.mdb aside as NUMBER.mdb.damaged and puts in its place what can be read of it: by the
// table pages that hold, then by looking for record headers in the raw bytes.
Result<std::vector<Damage>> rebuild_segment(const RebuildRequest& request, const Options& options);

}  // namespace amoskys::wal
