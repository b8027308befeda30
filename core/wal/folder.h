// The folder of a log: names of its files, the lock that keeps a second writer out, the registry
// that keeps this process from opening it twice (closing one LMDB environment would drop the
// other's fcntl locks), and the refusal of network file systems. Used inside core/wal, and
// by `inspect verify` for the names.
//
//   NNNNNNNN.mdb           segment, number from 1 (NNNNNNNN.mdb-lock beside the newest: LMDB's
//   reader table) NNNNNNNN.mdb.tmp       a segment being made; deleted at the next opening for
//   writing NNNNNNNN.mdb.damaged   a file that was set aside, kept for a person to look at
//   (.damaged.2, ...) NNNNNNNN.leaves        leaf hashes of a pruned segment (leaf_file.h) lock
//   flock()ed by the writer; its process id as text
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/base/file.h"
#include "core/base/result.h"

namespace amoskys::wal {

struct FolderListing {
    std::vector<std::uint64_t> segments;           // ascending
    std::vector<std::uint64_t> leaves;             // ascending
    std::vector<std::filesystem::path> leftovers;  // *.tmp, *.tmp-lock
    std::vector<std::filesystem::path> damaged;
    std::uint64_t highest_number = 0;  // of any of them
};

std::filesystem::path segment_path(const std::filesystem::path& folder, std::uint64_t number);
std::filesystem::path leaves_path(const std::filesystem::path& folder, std::uint64_t number);
Result<FolderListing> list_folder(const std::filesystem::path& folder);

// Name of the network file system that a statfs type or a mount's type stands for, or nothing.
std::optional<std::string> network_file_system(std::uint64_t statfs_type, std::string_view mount);
// config "wal_network_disk" where the folder lies on one: LMDB's locks and maps do not hold there.
Result<> refuse_network_disk(const std::filesystem::path& folder);

// Held while a log is open.
class FolderClaim {
  public:
    // unavailable "wal_open_here" where this process has it open already; for writing also
    // "wal_locked".
    static Result<FolderClaim> take(const std::filesystem::path& folder, bool for_writing);
    FolderClaim(FolderClaim&& other) noexcept;
    FolderClaim& operator=(FolderClaim&&) = delete;
    ~FolderClaim();

  private:
    FolderClaim(std::pair<std::uint64_t, std::uint64_t> identity) : identity_(identity) {}

    std::optional<std::pair<std::uint64_t, std::uint64_t>> identity_;  // device, inode
    FileDescriptor lock_;
};

// Gives the space held back free; takes it again as far as the disk has it.
void drop_ballast(const std::filesystem::path& folder);
void take_ballast(const std::filesystem::path& folder, std::uint64_t bytes);

std::uint64_t free_bytes(const std::filesystem::path& folder);  // for this user; 0 where unknown

}  // namespace amoskys::wal
