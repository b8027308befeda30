// The writer thread: takes groups from a bounded queue, commits them together, then completes them.
// The next group forms while the last one syncs (no timer). Used by the bus's sessions and by
// spools.
//
// Threading: submit(), run_between_commits() and stats() from any thread. Completion callbacks and
// tasks run on the writer thread, in the order of submission; callers post them to their own
// executor. They may submit, and must not call stop(). Limits: the queue holds queue_max_bytes of
// stored bytes and states (a larger single request passes when the queue is empty) and 65,536
// requests; one commit takes at most 32 MiB and 8,192 records of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/wal/log.h"

namespace amoskys::wal {

// An owned record: the queue outlives the session's buffers.
struct OwnedAppend {
    RecordKind kind = RecordKind::universal;
    std::uint16_t flags = 0;
    std::string stored;
    Digest digest{};
    std::string signature;
    std::array<std::uint8_t, 16> source_hash{};
    std::uint64_t first_event_ns = 0, last_event_ns = 0;
    std::vector<std::uint64_t> device_hashes;
    std::string dedup_key;
};

Append view_of(const OwnedAppend& owned);  // valid as long as `owned`

struct WriteRequest {
    std::vector<OwnedAppend> records;
    std::vector<StateUpdate> states;
    std::vector<std::pair<std::string, WalOffset>> cursors;
    // After the commit's fsync returned, with the offsets of this request's own records; or on
    // failure, when nothing of the requests that were committed together may be acknowledged.
    std::function<void(const Result<Appended>&)> done;
};

struct WriterStats {
    std::uint64_t commits = 0, failed_commits = 0, records = 0, queued_bytes = 0;
    double last_commit_seconds = 0;
};

class Writer {
  public:
    Writer(Log& log, std::uint64_t queue_max_bytes);
    ~Writer();  // completes what was queued, then joins
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // False: the queue is full (the caller answers OVERLOAD) or the writer has stopped.
    bool submit(WriteRequest request);
    // Runs `task` on the writer thread between two commits (prune, seal), after what was submitted
    // before. Not run, and false, once the writer has stopped.
    bool run_between_commits(std::function<void(Log&)> task);
    void stop();  // no more submits; drains, then joins
    WriterStats stats() const;
    // Called on the writer thread after each commit with (commit seconds, records in the group).
    void on_commit(std::function<void(double, std::size_t)> observer);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace amoskys::wal
