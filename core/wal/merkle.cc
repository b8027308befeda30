#include "core/wal/merkle.h"

#include <bit>
#include <cstring>

#include "core/crypto/hash.h"
#include "core/wal/little_endian.h"

namespace amoskys::wal {

namespace {

Error range_error(std::uint64_t index, std::uint64_t size) {
    return make_error(
        ErrorKind::usage, "merkle_range",
        std::to_string(index) + " is not inside a tree of " + std::to_string(size) + " leaves");
}

// The largest power of two below n (n > 1).
std::uint64_t split_point(std::uint64_t n) {
    return std::bit_floor(n - 1);
}

Result<Digest> subtree_root(std::uint64_t begin, std::uint64_t end, const LeafProvider& leaf) {
    Frontier frontier;
    for (std::uint64_t i = begin; i < end; ++i) {
        AMOSKYS_TRY(hash, leaf(i));
        frontier.append(hash);
    }
    return frontier.root();
}

}  // namespace

Digest merkle_node(const Digest& left, const Digest& right) {
    constexpr std::uint8_t tag[1] = {1};
    return crypto::sha256({ByteView(tag), ByteView(left), ByteView(right)});
}

void Frontier::append(const Digest& leaf) {
    Digest carried = leaf;
    for (std::uint64_t bits = size_; (bits & 1U) != 0; bits >>= 1) {
        carried = merkle_node(roots_.back(), carried);
        roots_.pop_back();
    }
    roots_.push_back(carried);
    ++size_;
}

Digest Frontier::root() const {
    if (roots_.empty())
        return crypto::sha256(ByteView());
    Digest root = roots_.back();
    for (std::size_t i = roots_.size() - 1; i-- > 0;)
        root = merkle_node(roots_[i], root);
    return root;
}

std::string Frontier::encode() const {
    std::string out(8 + roots_.size() * sizeof(Digest), '\0');
    auto* at = reinterpret_cast<std::uint8_t*>(out.data());
    store_le(at, size_);
    if (!roots_.empty())
        std::memcpy(at + 8, roots_.data(), roots_.size() * sizeof(Digest));
    return out;
}

Result<Frontier> Frontier::decode(ByteView bytes) {
    Frontier out;
    if (bytes.size() >= 8)
        out.size_ = load_le<std::uint64_t>(bytes.data());
    const auto count = static_cast<std::size_t>(std::popcount(out.size_));
    if (bytes.size() != 8 + count * sizeof(Digest))
        return make_error(ErrorKind::bad_data, "merkle_frontier",
                          "a Merkle frontier of " + std::to_string(bytes.size()) + " bytes for " +
                              std::to_string(out.size_) + " leaves");
    out.roots_.resize(count);
    if (count != 0)
        std::memcpy(out.roots_.data(), bytes.data() + 8, count * sizeof(Digest));
    return out;
}

Result<Digest> merkle_root(std::uint64_t size, const LeafProvider& leaf) {
    return subtree_root(0, size, leaf);
}

Result<Proof> inclusion_proof(std::uint64_t index, std::uint64_t size, const LeafProvider& leaf) {
    if (index >= size)
        return range_error(index, size);
    Proof downwards;
    std::uint64_t begin = 0;
    std::uint64_t end = size;
    while (end - begin > 1) {
        const std::uint64_t middle = begin + split_point(end - begin);
        const bool left = index < middle;
        AMOSKYS_TRY(sibling,
                    left ? subtree_root(middle, end, leaf) : subtree_root(begin, middle, leaf));
        downwards.push_back(sibling);
        (left ? end : begin) = middle;
    }
    return Proof(downwards.rbegin(), downwards.rend());
}

// RFC 9162 2.1.3.2.
bool verify_inclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                      std::span<const Digest> proof, const Digest& root) {
    if (index >= size)
        return false;
    std::uint64_t node = index;
    std::uint64_t last = size - 1;
    Digest hash = leaf;
    for (const Digest& sibling : proof) {
        if (last == 0)
            return false;
        if ((node & 1U) != 0 || node == last) {
            hash = merkle_node(sibling, hash);
            while ((node & 1U) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = merkle_node(hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && crypto::equal(hash, root);
}

Result<Proof> consistency_proof(std::uint64_t old_size, std::uint64_t size,
                                const LeafProvider& leaf) {
    if (old_size == 0 || old_size > size)
        return range_error(old_size, size);
    Proof downwards;
    std::uint64_t begin = 0;
    std::uint64_t end = size;
    bool whole = true;  // the old tree is, so far, exactly the left part: its root is known
    while (old_size != end) {
        const std::uint64_t middle = begin + split_point(end - begin);
        const bool left = old_size <= middle;
        AMOSKYS_TRY(sibling,
                    left ? subtree_root(middle, end, leaf) : subtree_root(begin, middle, leaf));
        downwards.push_back(sibling);
        (left ? end : begin) = middle;
        whole = whole && left;
    }
    if (!whole) {
        AMOSKYS_TRY(node, subtree_root(begin, end, leaf));
        downwards.push_back(node);
    }
    return Proof(downwards.rbegin(), downwards.rend());
}

// RFC 9162 2.1.4.2.
bool verify_consistency(std::uint64_t old_size, std::uint64_t size, const Digest& old_root,
                        const Digest& root, std::span<const Digest> proof) {
    if (old_size == 0 || old_size > size)
        return false;
    if (old_size == size)
        return proof.empty() && crypto::equal(old_root, root);
    std::vector<Digest> path(proof.begin(), proof.end());
    if (std::has_single_bit(old_size))
        path.insert(path.begin(), old_root);
    if (path.empty())
        return false;
    std::uint64_t node = old_size - 1;
    std::uint64_t last = size - 1;
    while ((node & 1U) != 0) {
        node >>= 1;
        last >>= 1;
    }
    Digest from_old = path.front();
    Digest from_new = path.front();
    for (std::size_t i = 1; i < path.size(); ++i) {
        if (last == 0)
            return false;
        if ((node & 1U) != 0 || node == last) {
            from_old = merkle_node(path[i], from_old);
            from_new = merkle_node(path[i], from_new);
            while ((node & 1U) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = merkle_node(from_new, path[i]);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && crypto::equal(from_old, old_root) && crypto::equal(from_new, root);
}

}  // namespace amoskys::wal
