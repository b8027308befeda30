// The leaf hashes that a pruned segment leaves behind, so that proofs over its range go on.
// Used inside core/wal only.
//
//   magic "AWL1" 4 | reserved 4 (zero) | first sequence 8 | count 8 | count hashes of 32 | SHA-256
//   of all that 32
//
// Integers little-endian. Written beside, fsynced and renamed before the segment is unlinked. A
// file whose length or check fails is ignored: proofs over its range then say that the leaf is
// unknown.
#pragma once

#include <memory>

#include "core/wal/record.h"
#include "core/wal/segment_reader.h"

namespace amoskys::wal {

class LeafFile {
  public:
    static Result<std::unique_ptr<LeafFile>> open(const std::filesystem::path& file);
    static Result<> write(const std::filesystem::path& file, std::uint64_t first,
                          const std::vector<Digest>& leaves);
    std::optional<Digest> leaf(std::uint64_t offset) const;
    bool intact() const;  // reads all of it
    const std::filesystem::path& file() const { return file_; }

  private:
    LeafFile() = default;

    std::filesystem::path file_;
    std::unique_ptr<MappedFile> map_;
    std::uint64_t first_ = 0;
    std::uint64_t count_ = 0;
};

}  // namespace amoskys::wal
