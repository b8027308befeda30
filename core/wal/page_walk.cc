#include "core/wal/page_walk.h"

#include <algorithm>
#include <cstring>

#include "core/wal/little_endian.h"

namespace amoskys::wal {

std::uint16_t page_flags(ByteView page) {
    return load_le<std::uint16_t>(&page[10]);
}

std::size_t page_keys(ByteView page) {
    const std::size_t lower = load_le<std::uint16_t>(&page[12]);
    const std::size_t upper = load_le<std::uint16_t>(&page[14]);
    if (lower < page_header_bytes || lower > upper || upper > page.size())
        return 0;
    return (lower - page_header_bytes) / 2;
}

std::optional<NodeView> node_at(ByteView page, std::size_t index) {
    constexpr std::size_t node_header = 8;
    const std::size_t at = load_le<std::uint16_t>(&page[page_header_bytes + index * 2]);
    if (at < page_header_bytes || at + node_header > page.size())
        return std::nullopt;
    NodeView node;
    node.lo = load_le<std::uint16_t>(&page[at]);
    node.hi = load_le<std::uint16_t>(&page[at + 2]);
    node.flags = load_le<std::uint16_t>(&page[at + 4]);
    const std::size_t key_bytes = load_le<std::uint16_t>(&page[at + 6]);
    if (at + node_header + key_bytes > page.size())
        return std::nullopt;
    node.key = page.subspan(at + node_header, key_bytes);
    node.rest = page.subspan(at + node_header + key_bytes);
    return node;
}

PageWalk::PageWalk(const SegmentReader& reader, bool number_keys, ByteView from)
    : reader_(reader),
      number_keys_(number_keys),
      from_(from),
      pages_left_(reader.size_ / reader.page_bytes_ + 1) {}

int PageWalk::compare(ByteView a, ByteView b) const {
    if (number_keys_ && a.size() == 8 && b.size() == 8) {
        const std::uint64_t x = key_number(a);
        const std::uint64_t y = key_number(b);
        return x < y ? -1 : x > y ? 1 : 0;
    }
    const std::size_t common = std::min(a.size(), b.size());
    const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
    if (order != 0)
        return order;
    return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

// The last child whose key is not above `from`; node 0 of a branch has no key of its own.
std::size_t PageWalk::first_child(ByteView page, std::size_t keys) const {
    std::size_t low = 0;
    std::size_t high = keys;
    while (high - low > 1) {
        const std::size_t middle = low + (high - low) / 2;
        const auto node = node_at(page, middle);
        if (node && compare(node->key, from_) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

std::size_t PageWalk::lower_bound(ByteView page, std::size_t keys) const {
    std::size_t low = 0;
    std::size_t high = keys;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        const auto node = node_at(page, middle);
        if (node && compare(node->key, from_) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool PageWalk::run(std::uint64_t root, unsigned depth, const Visit& visit) {
    if (depth != 0)
        descend(root, 1, depth, visit);
    return whole_;
}

PageWalk::Step PageWalk::descend(std::uint64_t number, unsigned level, unsigned depth,
                                 const Visit& visit) {
    const auto page = pages_left_ == 0 ? std::nullopt : reader_.page(number);
    const std::uint16_t wanted = level == depth ? page_leaf : page_branch;
    if (!page || (page_flags(*page) & (page_leaf | page_branch)) != wanted) {
        whole_ = false;
        reader_.unreadable_.fetch_add(1);
        return Step::go_on;
    }
    --pages_left_;
    if (level == depth)
        return leaf(*page, visit);
    const std::size_t keys = page_keys(*page);
    if (expects_all_)
        for (std::size_t i = 0; i < keys; ++i)
            if (const auto node = node_at(*page, i))
                reader_.expect_page(node->child());
    for (std::size_t i = from_.empty() ? 0 : first_child(*page, keys); i < keys; ++i) {
        const auto node = node_at(*page, i);
        if (!node)
            whole_ = false;
        else if (descend(node->child(), level + 1, depth, visit) == Step::stop)
            return Step::stop;
    }
    return Step::go_on;
}

PageWalk::Step PageWalk::leaf(ByteView page, const Visit& visit) {
    const std::size_t keys = page_keys(page);
    for (std::size_t i = from_.empty() ? 0 : lower_bound(page, keys); i < keys; ++i) {
        const auto node = node_at(page, i);
        const bool in_order = node && (last_key_.empty() || compare(last_key_, node->key) < 0) &&
                              (!number_keys_ || node->key.size() == 8) &&
                              compare(node->key, from_) >= 0;
        const auto value = in_order ? reader_.leaf_value(page, i) : std::nullopt;
        if (!value) {
            whole_ = false;
            continue;
        }
        last_key_ = node->key;
        if (!visit(node->key, *value))
            return Step::stop;
    }
    return Step::go_on;
}

bool PageWalk::page_holds(ByteView page, bool is_leaf) const {
    const std::size_t keys = page_keys(page);
    bool good = keys != 0;
    for (std::size_t i = 0; good && i < keys; ++i)
        good = node_at(page, i) && (!is_leaf || reader_.leaf_value(page, i));
    return good;
}

bool PageWalk::spine(std::uint64_t root, unsigned depth) const {
    for (const bool last : {false, true}) {
        std::uint64_t number = root;
        for (unsigned level = 1; level <= depth; ++level) {
            const auto page = reader_.page(number);
            const bool is_leaf = level == depth;
            const std::uint16_t wanted = is_leaf ? page_leaf : page_branch;
            if (!page || (page_flags(*page) & (page_leaf | page_branch)) != wanted ||
                !page_holds(*page, is_leaf))
                return false;
            number = node_at(*page, last ? page_keys(*page) - 1 : 0)->child();
        }
    }
    return true;
}

}  // namespace amoskys::wal
