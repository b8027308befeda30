// What is in a backup, in this order (inside tar.h's archive, inside zstd frames):
//
//   backup.json           schema, created, tree_size, root
//   checkpoint            size and root, signed by the log's key; only where that was at hand
//   wal/NNNNNNNN.mdb      the newest segment first, then the sealed ones
//   wal/NNNNNNNN.leaves   leaf hashes of pruned segments
//   SHA256SUMS            of each of the files before it, as sha256sum writes it; always the last
#pragma once

#include <cstdint>
#include <string_view>

namespace amoskys::modules::inspect {

inline constexpr std::string_view backup_manifest = "backup.json", backup_checkpoint = "checkpoint",
                                  backup_sums = "SHA256SUMS", backup_log = "wal/";
inline constexpr std::uint64_t backup_text_bytes_max = 16 << 20;  // of those that are no log files

}  // namespace amoskys::modules::inspect
