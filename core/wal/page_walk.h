// One pass over a table's pages in a SegmentReader. Used by segment_reader.cc only.
#pragma once

#include "core/wal/segment_reader.h"

namespace amoskys::wal {

class PageWalk {
  public:
    PageWalk(const SegmentReader& reader, bool number_keys, ByteView from);
    // False where a page of the path was not what it should be; the others were visited all the
    // same.
    bool run(std::uint64_t root, unsigned depth, const Visit& visit);
    // All pages will be visited: the disk is asked for the children of a page at once.
    void expect_all() { expects_all_ = true; }
    // Whether the pages from the root to the first and to the last leaf are whole.
    bool spine(std::uint64_t root, unsigned depth) const;

  private:
    enum class Step { go_on, stop };
    bool page_holds(ByteView page, bool is_leaf) const;
    Step descend(std::uint64_t number, unsigned level, unsigned depth, const Visit& visit);
    Step leaf(ByteView page, const Visit& visit);
    int compare(ByteView a, ByteView b) const;
    std::size_t first_child(ByteView page, std::size_t keys) const;
    std::size_t lower_bound(ByteView page, std::size_t keys) const;

    const SegmentReader& reader_;
    bool number_keys_;
    ByteView from_;
    ByteView last_key_;
    std::uint64_t pages_left_;
    bool whole_ = true;
    bool expects_all_ = false;
};

// Bounds-checked looks into a page.
struct NodeView {
    std::uint16_t lo = 0, hi = 0, flags = 0;
    ByteView key;
    ByteView rest;  // what follows the key, to the end of the page
    std::uint64_t child() const {
        return static_cast<std::uint64_t>(lo) | static_cast<std::uint64_t>(hi) << 16 |
               static_cast<std::uint64_t>(flags) << 32;
    }
    std::uint32_t data_bytes() const {
        return static_cast<std::uint32_t>(lo) | static_cast<std::uint32_t>(hi) << 16;
    }
};

inline constexpr std::size_t page_header_bytes = 16;
inline constexpr std::uint16_t page_branch = 1, page_leaf = 2, page_overflow = 4, page_meta = 8;
inline constexpr std::uint16_t node_big = 1, node_table = 2;
std::uint16_t page_flags(ByteView page);
std::size_t page_keys(ByteView page);  // 0 where `lower` is impossible
std::optional<NodeView> node_at(ByteView page, std::size_t index);

}  // namespace amoskys::wal
