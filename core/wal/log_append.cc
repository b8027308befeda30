// The log's writing half: groups, roll-over, retention, and what follows a failed commit.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/check.h"
#include "core/wal/failpoint.h"
#include "core/wal/log_impl.h"

namespace amoskys::wal {

namespace {

constexpr std::uint64_t space_check_bytes = 1 << 20;
constexpr auto space_check_interval = std::chrono::seconds(1);
constexpr std::uint64_t space_for_names = 64 << 10;
constexpr int grow_attempts = 16;
constexpr std::uint64_t trimmed_at_once = 4096;

Error read_only_error(const std::filesystem::path& folder) {
    return make_error(ErrorKind::permission, "wal_read_only",
                      folder.string() + " is open for reading only");
}

}  // namespace

// Once a second or every MiB: a statvfs for each group would be felt. States alone pass: they
// are small, and what frees space (a cursor that moves on, a gap marker) is a state.
Result<> LogImpl::check_space(const Group& group) {
    if (options_.min_free_bytes == 0 || group.records.empty())
        return {};
    std::uint64_t bytes = 0;
    for (const Append& record : group.records)
        bytes += record.stored.size();
    const auto now = clock().steady();
    if (bytes_since_space_check_ <= space_check_bytes &&
        now - space_checked_at_ < space_check_interval) {
        bytes_since_space_check_ += bytes;
        return {};
    }
    const std::uint64_t free = free_bytes(folder_);
    if (free < options_.min_free_bytes) {
        bytes_since_space_check_ = UINT64_MAX;  // look again at the next group
        return make_error(ErrorKind::io, "wal_disk_low",
                          "disk of " + folder_.string() + " has " + format_size(free) +
                              " left; the log keeps " + format_size(options_.min_free_bytes) +
                              " free",
                          "free space; writing goes on by itself");
    }
    bytes_since_space_check_ = bytes;
    space_checked_at_ = now;
    return {};
}

bool LogImpl::must_roll() const {
    const Tail now = tail();
    if (now.head.last_offset < active_start_.first_offset)
        return false;
    if (active_used_bytes_ >= options_.segment_max_bytes)
        return true;
    const auto age_ns = static_cast<std::uint64_t>(options_.segment_max_age.count());
    return clock().now_ns() >= active_start_.created_ns + age_ns;
}

Result<Appended> LogImpl::append(const Group& group) {
    if (options_.read_only)
        return read_only_error(folder_);
    AMOSKYS_TRY_VOID(check_group(group));
    if (!group.records.empty())
        AMOSKYS_TRY_VOID(check_space(group));
    if (active_ == nullptr) {
        const std::lock_guard hold_gate(gate_);
        const std::unique_lock hold(active_mutex_);
        AMOSKYS_TRY_VOID(open_segments());
    }
    if (must_roll())
        AMOSKYS_TRY_VOID(roll_over());
    const std::uint64_t before = tail().head.last_offset;
    Tail after;
    int rc = try_append(group, after);
    for (int attempt = 0; rc == MDB_MAP_FULL && attempt < grow_attempts; ++attempt) {
        AMOSKYS_TRY_VOID(grow());
        rc = try_append(group, after);
    }
    if (rc != MDB_SUCCESS)
        return after_failure(rc, before + group.records.size());
    active_used_bytes_ = active_->used_bytes();
    Appended out{{before + 1}, {after.head.last_offset}};
    const std::lock_guard hold(tail_mutex_);
    tail_ = std::move(after);
    return out;
}

int LogImpl::try_append(const Group& group, Tail& after) {
    if (const int rc = AMOSKYS_FAILPOINT("append:begin"); rc != 0)
        return rc;
    WriteTxn txn(*active_);
    int rc = txn.begin();
    if (rc != MDB_SUCCESS)
        return rc;
    GroupWriter writer(txn, tail(), clock().now_ns());
    rc = writer.write(group, options_);
    if (rc == MDB_SUCCESS)
        rc = txn.commit();
    after = writer.tail();
    return rc;
}

Result<> LogImpl::grow() {
    const std::lock_guard hold_gate(gate_);
    const std::unique_lock hold(active_mutex_);
    return active_->grow();
}

// The same pages are never tried again: after a failed fsync the kernel may call them clean. The
// segment is opened anew, and what is on the disk decides.
Error LogImpl::after_failure(int rc, std::uint64_t wanted_last) {
    const Error error = lmdb_error("cannot write", segment_path(folder_, active_number_), rc);
    const std::lock_guard hold_gate(gate_);
    const std::unique_lock hold(active_mutex_);
    const std::uint64_t before = tail().head.last_offset;
    active_.reset();
    if (const auto reopened = open_segments(); !reopened) {
        active_.reset();
        return make_error(error.kind, error.code,
                          error.message + "; opening it again: " + reopened.error().message,
                          error.hint);
    }
    if (wanted_last != before && tail().head.last_offset == wanted_last)
        return make_error(ErrorKind::io, "wal_commit_unknown",
                          error.message + "; the group is on the disk although its commit failed",
                          "read the states again before going on");
    return error;
}

Result<> LogImpl::roll_over() {
    const Tail now = tail();
    NewSegment segment;
    segment.start.number = active_number_ + 1;
    segment.start.first_offset = now.head.last_offset + 1;
    segment.start.created_ns = clock().now_ns();
    segment.start.records_before = now.head.records;
    segment.start.bytes_before = now.head.bytes;
    segment.start.frontier = now.head.frontier;
    segment.head = head_at_start(segment.start, now.head.last_received_ns);
    segment.head.states_as_of = now.head.states_as_of;
    segment.head.first_kept = std::max(now.head.first_kept, segment.start.first_offset);
    const auto carry = [this](LmdbEnv& env, SegmentHead&) -> Result<> {
        AMOSKYS_TRY(snapshot, active_->snapshot());
        return carry_over(*snapshot, env);
    };
    AMOSKYS_TRY_VOID(make_segment(folder_, segment, map_bytes_for(options_), carry));
    const std::lock_guard hold_gate(gate_);
    const std::unique_lock hold(active_mutex_);
    active_.reset();
    std::error_code ignored;  // a reader in another process may hold it open; nothing depends on it
    std::filesystem::remove(segment_path(folder_, active_number_).string() + "-lock", ignored);
    return open_segments();
}

Result<std::uint64_t> LogImpl::prune(WalOffset before) {
    if (options_.read_only)
        return read_only_error(folder_);
    const std::lock_guard hold(prune_mutex_);
    auto pruned = prune_sealed(before);
    if (!pruned && pruned.error().code == "wal_disk_full") {
        drop_ballast(folder_);
        pruned = prune_sealed(before);
        take_ballast(folder_, ballast_bytes());
    }
    if (!pruned)
        return pruned.error();
    const std::uint64_t removed = *pruned;
    if (!options_.trim_records)
        return removed;
    AMOSKYS_TRY(trimmed, trim_active(before));
    return removed + trimmed;
}

std::uint64_t LogImpl::ballast_bytes() const {
    return options_.ballast_bytes != 0 ? options_.ballast_bytes : options_.segment_max_bytes / 16;
}

Result<> LogImpl::keep_leaves(const SealedSegment& segment) {
    if (!options_.keep_leaf_hashes || !segment.reader || segment.last < segment.first)
        return {};
    std::vector<Digest> leaves;
    for (std::uint64_t offset = segment.first; offset <= segment.last; ++offset)
        leaves.push_back(lost_leaf({offset}));
    const auto take = [&](std::uint64_t offset, ByteView leaf) {
        if (offset <= segment.last && leaf.size() == sizeof(Digest))
            std::ranges::copy(leaf, leaves[offset - segment.first].begin());
        return offset < segment.last;
    };
    AMOSKYS_TRY_VOID(scan_from(*segment.reader, Table::tree, segment.first, take));
    const auto file = leaves_path(folder_, segment.number);
    if (const auto written = LeafFile::write(file, segment.first, leaves); !written)
        return free_bytes(folder_) < leaves.size() * sizeof(Digest) + space_for_names
                   ? lmdb_error("cannot write", file, ENOSPC)
                   : written.error();
    AMOSKYS_TRY(opened, LeafFile::open(file));
    const std::lock_guard hold(sealed_mutex_);
    leaf_files_.push_back(std::move(opened));
    return {};
}

Result<std::uint64_t> LogImpl::prune_sealed(WalOffset before) {
    std::uint64_t removed = 0;
    for (;;) {
        const auto list = sealed();
        if (list->empty() || list->front()->last >= before.value)
            return removed;
        const SealedSegment& oldest = *list->front();
        AMOSKYS_TRY_VOID(keep_leaves(oldest));
        const std::lock_guard hold_files(files_mutex_);
        if (const int rc = AMOSKYS_FAILPOINT("prune:unlink"); rc != 0)
            return lmdb_error("cannot delete", oldest.file, rc);
        if (::unlink(oldest.file.c_str()) != 0 && errno != ENOENT)
            return lmdb_error("cannot delete", oldest.file, errno);
        ::unlink((oldest.file.string() + "-lock").c_str());  // absent as a rule
        removed += oldest.last + 1 - std::max(oldest.first, oldest.first_kept);
        {
            const std::lock_guard hold(sealed_mutex_);
            auto rest = std::make_shared<SealedList>(sealed_->begin() + 1, sealed_->end());
            sealed_ = std::move(rest);
        }
        AMOSKYS_TRY_VOID(sync_directory(folder_));
    }
}

Result<std::uint64_t> LogImpl::trim_active(WalOffset before) {
    std::uint64_t removed = 0;
    while (active_ != nullptr && sealed()->empty()) {
        Tail next = tail();
        SegmentHead& head = next.head;
        const std::uint64_t from = std::max(head.first_kept, active_start_.first_offset);
        const std::uint64_t end =
            std::min({before.value, head.last_offset + 1, from + trimmed_at_once});
        if (end <= from)
            break;
        WriteTxn txn(*active_);
        int rc = txn.begin();
        for (std::uint64_t offset = from; rc == MDB_SUCCESS && offset < end; ++offset) {
            rc = txn.scan(Table::log, number_key(offset), [&](ByteView key, ByteView value) {
                if (key_number(key) == offset && value.size() >= header_bytes)
                    head.bytes_trimmed += value.size() - header_bytes;
                return false;
            });
            if (rc == MDB_SUCCESS)
                rc = txn.remove(Table::log, number_key(offset));
            if (rc == MDB_SUCCESS && !options_.keep_leaf_hashes)
                rc = txn.remove(Table::tree, number_key(offset));
            if (rc == MDB_SUCCESS && zone_of(offset + 1) != zone_of(offset))
                rc = txn.remove(Table::zone, number_key(zone_of(offset)));
        }
        head.first_kept = end;
        if (rc == MDB_SUCCESS)
            rc = txn.put(Table::info, as_bytes("head"), as_bytes(encode(head)));
        if (rc == MDB_SUCCESS)
            rc = txn.commit();
        if (rc == MDB_MAP_FULL) {
            AMOSKYS_TRY_VOID(grow());
            continue;
        }
        if (rc != MDB_SUCCESS)
            return after_failure(rc, head.last_offset);
        removed += end - from;
        const std::lock_guard hold(tail_mutex_);
        tail_ = std::move(next);
    }
    return removed;
}

}  // namespace amoskys::wal
