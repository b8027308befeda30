// Merkle tree in the manner of RFC 6962 section 2.1 with SHA-256: leaf hashes come from record.h,
// an inner node is SHA-256(0x01 | left | right). Used by the log (frontier), the bus (checkpoints,
// receipts) and inspect (proofs). Sans-io, pure; any thread.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/types.h"

namespace amoskys::wal {

// The O(log n) hashes that carry a tree on: the roots of its complete subtrees, largest first.
//
//   on disk:  size u64 little-endian | popcount(size) hashes of 32 bytes
class Frontier {
  public:
    std::uint64_t size() const { return size_; }
    void append(const Digest& leaf);
    Digest root() const;  // of an empty tree: SHA-256("")
    std::string encode() const;
    static Result<Frontier> decode(ByteView bytes);  // bad_data "merkle_frontier"
    bool operator==(const Frontier&) const = default;

  private:
    std::uint64_t size_ = 0;
    std::vector<Digest> roots_;
};

// Gives leaf hash `index` (from 0): from the log, from a file of an export.
using LeafProvider = std::function<Result<Digest>(std::uint64_t index)>;
using Proof = std::vector<Digest>;

Digest merkle_node(const Digest& left, const Digest& right);
// Root over leaves [0, size). Reads each leaf once.
Result<Digest> merkle_root(std::uint64_t size, const LeafProvider& leaf);

// RFC 6962 2.1.1: the path from leaf `index` to the root of the first `size` leaves. usage
// "merkle_range" where index >= size.
Result<Proof> inclusion_proof(std::uint64_t index, std::uint64_t size, const LeafProvider& leaf);
bool verify_inclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                      std::span<const Digest> proof, const Digest& root);

// RFC 6962 2.1.2: that the tree of `old_size` leaves is a prefix of the one of `size`. usage
// "merkle_range" where old_size is 0 or above size; an empty proof where they are equal.
Result<Proof> consistency_proof(std::uint64_t old_size, std::uint64_t size,
                                const LeafProvider& leaf);
bool verify_consistency(std::uint64_t old_size, std::uint64_t size, const Digest& old_root,
                        const Digest& root, std::span<const Digest> proof);

}  // namespace amoskys::wal
