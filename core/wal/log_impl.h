// The log behind log.h: a list of sealed segments, read by our own page reader, and the newest one,
// held by LMDB. Used inside core/wal only.
//
// Locks: active_mutex_ is held shared while a read transaction is open on the newest segment, and
// exclusive to close, replace or grow it; gate_ keeps new readers out while somebody waits for
// that. sealed_, damages_ and tail_ have a mutex each, never held while another is taken. Order:
// prune_mutex_, gate_, active_mutex_, files_mutex_.
#pragma once

#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "core/wal/folder.h"
#include "core/wal/group_writer.h"
#include "core/wal/leaf_file.h"
#include "core/wal/log.h"
#include "core/wal/segment.h"

namespace amoskys::wal {

struct SealedSegment {
    std::uint64_t number = 0;
    std::uint64_t first = 0, last = 0;
    std::uint64_t first_kept = 0;
    std::uint64_t bytes_before = 0, bytes_trimmed = 0;
    UnixNanos newest_received_ns = 0;
    std::filesystem::path file;
    std::unique_ptr<SegmentReader> reader;  // null where nothing of the file could be read
};
using SealedList = std::vector<std::shared_ptr<const SealedSegment>>;

class LogImpl final : public Log {
  public:
    LogImpl(std::filesystem::path folder, FolderClaim claim, const Options& options);

    Result<> start();

    Result<Appended> append(const Group& group) override;
    Result<WalOffset> read(WalOffset from, std::uint64_t max_records,
                           const std::function<bool(const RecordView&)>& visit) override;
    Result<WalOffset> read_matching(WalOffset from, std::uint64_t max_records, const Skip& skip,
                                    const std::function<bool(const RecordView&)>& visit) override;
    Result<std::optional<Bytes>> read_stored(WalOffset offset) override;
    Result<std::optional<std::string>> state(std::string_view key) override;
    Result<std::vector<StateUpdate>> states(std::string_view prefix) override;
    Result<std::optional<WalOffset>> cursor(std::string_view name) override;
    Result<std::optional<DedupHit>> find_dedup(std::string_view key32) override;
    Result<std::uint64_t> prune(WalOffset before) override;
    LogStats stats() override;
    std::vector<SegmentInfo> segments() override;
    std::vector<Damage> damages() override;
    Result<TreeHead> tree_head() override;
    Result<std::optional<Digest>> leaf_hash(WalOffset offset) override;
    Result<> read_derived(Derived what, WalOffset first, WalOffset last,
                          const std::function<void(std::uint64_t, ByteView)>& visit) override;
    Result<std::vector<SegmentClaims>> claims() override;
    WalOffset states_as_of() override;

  private:
    struct Span;
    struct ScanState;

    // log_open.cc
    Result<> open_segments();
    Result<std::shared_ptr<SealedSegment>> open_sealed(std::uint64_t number,
                                                       const SealedList& before,
                                                       std::optional<std::uint64_t> next);
    Result<> open_active(std::uint64_t number, const SealedList& before);
    Result<> load_tail();
    Result<Zone> tail_zone(const Snapshot& snapshot, std::uint64_t last) const;
    Result<> rebuild(std::uint64_t number, const SealedList& before,
                     std::optional<std::uint64_t> next_first, std::string why);
    std::optional<std::uint64_t> first_of(std::uint64_t number) const;
    void open_leaf_files(const std::vector<std::uint64_t>& numbers);
    Result<> refresh();  // read-only: looks for new and removed segments

    // log_append.cc
    Result<> check_space(const Group& group);
    bool must_roll() const;
    Result<> roll_over();
    int try_append(const Group& group, Tail& after);
    Result<> grow();
    Error after_failure(int rc, std::uint64_t wanted_last);
    std::uint64_t ballast_bytes() const;
    Result<> keep_leaves(const SealedSegment& segment);
    Result<std::uint64_t> prune_sealed(WalOffset before);
    Result<std::uint64_t> trim_active(WalOffset before);

    // log_read.cc
    Result<> with_active(const std::function<Result<>(const Snapshot&)>& use);
    // With what that very snapshot says of its end: the tail kept in memory may be one commit off.
    Result<> with_active_head(
        const std::function<Result<>(const Snapshot&, const SegmentHead&)>& use);
    Result<> scan_span(const Snapshot& snapshot, const Span& span, ScanState& scan);
    void note_lost(std::uint64_t first, std::uint64_t last, const std::filesystem::path& file,
                   const std::string& what);

    std::shared_ptr<const SealedList> sealed() const;
    void set_sealed(SealedList list);
    std::vector<std::shared_ptr<const LeafFile>> leaf_files() const;
    Tail tail() const;
    const Clock& clock() const { return options_.clock ? *options_.clock : system_clock(); }

    std::filesystem::path folder_;
    FolderClaim claim_;
    Options options_;

    std::mutex gate_;
    std::shared_mutex active_mutex_;
    std::unique_ptr<LmdbEnv> active_;  // null after a failure that reopening did not cure
    SegmentStart active_start_;
    std::atomic<std::uint64_t> active_number_{0};
    std::atomic<std::uint64_t> active_used_bytes_{0};

    mutable std::mutex sealed_mutex_;
    std::shared_ptr<const SealedList> sealed_ = std::make_shared<SealedList>();
    std::vector<std::shared_ptr<const LeafFile>> leaf_files_;  // with sealed_mutex_
    mutable std::mutex damages_mutex_;
    std::vector<Damage> damages_;
    mutable std::mutex tail_mutex_;
    Tail tail_;
    std::mutex prune_mutex_;
    std::mutex files_mutex_;  // while the list of files is made or one is unlinked
    std::mutex refresh_mutex_;

    std::uint64_t bytes_since_space_check_ = UINT64_MAX;
    std::chrono::steady_clock::time_point space_checked_at_{};
    std::chrono::steady_clock::time_point refreshed_at_{};
};

}  // namespace amoskys::wal
