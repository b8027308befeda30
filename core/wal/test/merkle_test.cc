#include "core/wal/merkle.h"

#include <bit>
#include <catch2/catch.hpp>

#include "core/crypto/hash.h"
#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;

namespace {

Digest leaf_number(std::uint64_t index) {
    const std::string text = "leaf " + std::to_string(index);
    return crypto::sha256(as_bytes(text));
}
Result<Digest> provide(std::uint64_t index) {
    return leaf_number(index);
}

// The recursive definition of RFC 6962 section 2.1.
Digest defined_root(std::uint64_t begin, std::uint64_t end) {
    if (begin == end)
        return crypto::sha256(ByteView());
    if (end - begin == 1)
        return leaf_number(begin);
    const std::uint64_t middle = begin + std::bit_floor(end - begin - 1);
    return merkle_node(defined_root(begin, middle), defined_root(middle, end));
}

constexpr std::uint64_t sizes = 70;

}  // namespace

TEST_CASE("the frontier's root is the one that RFC 6962 defines, at every size") {
    Frontier frontier;
    for (std::uint64_t size = 0; size < 300; ++size) {
        REQUIRE(frontier.size() == size);
        REQUIRE(frontier.root() == defined_root(0, size));
        const auto again = Frontier::decode(as_bytes(frontier.encode()));
        REQUIRE(again);
        REQUIRE(*again == frontier);
        frontier.append(leaf_number(size));
    }
    CHECK_FALSE(Frontier::decode(as_bytes("short")));
}

TEST_CASE("the root of an empty tree is the SHA-256 of nothing") {
    CHECK(to_hex(Frontier().root()) ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("every leaf has an inclusion proof that holds, and holds for nothing else") {
    for (std::uint64_t size = 1; size < sizes; ++size) {
        const Digest root = defined_root(0, size);
        for (std::uint64_t index = 0; index < size; ++index) {
            const auto proof = inclusion_proof(index, size, provide);
            REQUIRE(proof);
            REQUIRE(verify_inclusion(index, size, leaf_number(index), *proof, root));
            REQUIRE_FALSE(verify_inclusion(index, size, leaf_number(index + 1), *proof, root));
            REQUIRE_FALSE(verify_inclusion(index + 1, size, leaf_number(index), *proof, root));
            Proof longer = *proof;
            longer.push_back(root);
            REQUIRE_FALSE(verify_inclusion(index, size, leaf_number(index), longer, root));
            if (proof->empty())
                continue;
            const std::span<const Digest> shorter(proof->data(), proof->size() - 1);
            REQUIRE_FALSE(verify_inclusion(index, size, leaf_number(index), shorter, root));
        }
    }
    CHECK_FALSE(inclusion_proof(3, 3, provide));
}

TEST_CASE("every prefix has a consistency proof, and another tree has none") {
    for (std::uint64_t size = 1; size < sizes; ++size) {
        const Digest root = defined_root(0, size);
        for (std::uint64_t old_size = 1; old_size <= size; ++old_size) {
            const auto proof = consistency_proof(old_size, size, provide);
            REQUIRE(proof);
            const Digest old_root = defined_root(0, old_size);
            REQUIRE(verify_consistency(old_size, size, old_root, root, *proof));
            const Digest other = leaf_number(999);
            REQUIRE_FALSE(verify_consistency(old_size, size, other, root, *proof));
            REQUIRE_FALSE(verify_consistency(old_size, size, old_root, other, *proof));
            Proof longer = *proof;
            longer.push_back(root);
            REQUIRE_FALSE(verify_consistency(old_size, size, old_root, root, longer));
        }
    }
    CHECK_FALSE(consistency_proof(0, 3, provide));
    CHECK_FALSE(consistency_proof(4, 3, provide));
}
