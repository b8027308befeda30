// Proofs come from outside (`inspect verify --proof`). Input: index 8 | size 8 | hashes of 32.
// Checking one ends whatever it holds, and a proof of a small tree that holds is the one that the
// tree gives.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/crypto/hash.h"
#include "core/wal/little_endian.h"
#include "core/wal/merkle.h"

using namespace amoskys;
using namespace amoskys::wal;

namespace {

Result<Digest> leaf(std::uint64_t index) {
    std::uint8_t bytes[8];
    store_le(bytes, index);
    return crypto::sha256(ByteView(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 16)
        return 0;
    const auto index = load_le<std::uint64_t>(data);
    const auto leaves = load_le<std::uint64_t>(data + 8);
    Proof proof(std::min<std::size_t>((size - 16) / sizeof(Digest), 100));
    if (!proof.empty())
        std::memcpy(proof.data(), data + 16, proof.size() * sizeof(Digest));
    (void)verify_inclusion(index, leaves, *leaf(0), proof, *leaf(1));
    (void)verify_consistency(index, leaves, *leaf(0), *leaf(1), proof);
    constexpr std::uint64_t small_tree = 64;
    if (leaves > small_tree || index >= leaves)
        return 0;
    const Digest root = *merkle_root(leaves, leaf);
    const bool holds = verify_inclusion(index, leaves, *leaf(index), proof, root);
    if (holds != (proof == *inclusion_proof(index, leaves, leaf)))
        std::abort();
    if (index == 0)
        return 0;
    const Digest old_root = *merkle_root(index, leaf);
    const bool consistent = verify_consistency(index, leaves, old_root, root, proof);
    if (consistent != (proof == *consistency_proof(index, leaves, leaf)))
        std::abort();
    return 0;
}
