#include "core/sqlite/table_walk.h"

#include <algorithm>

#include "core/sqlite/fault.h"

namespace amoskys::sqlite {

namespace {

constexpr std::uint8_t interior_page = 0x05, leaf_page = 0x0d;
constexpr std::size_t file_header_bytes = 100;

std::size_t load_be16(const std::uint8_t* in) {
    return static_cast<std::size_t>(in[0] << 8 | in[1]);
}

class TableWalk {
  public:
    TableWalk(const Pages& pages, std::int64_t from, const RecordVisit* visit)
        : pages_(pages), from_(from), visit_(visit) {}

    Result<> tree(std::uint32_t number, std::uint32_t depth);
    std::uint64_t rows() const { return rows_; }

  private:
    Result<> take_page(std::uint32_t number, Bytes& out);
    Result<> cell(std::uint32_t number, ByteView cell, std::size_t usable);
    Result<ByteView> whole_record(ByteView cell, std::uint64_t size, std::size_t usable);

    const Pages& pages_;
    const std::int64_t from_;
    const RecordVisit* visit_;  // nullptr: count only
    bool ended_ = false;        // by visit
    std::uint64_t pages_read_ = 0, rows_ = 0;
    std::int64_t last_row_id_ = 0;
    Bytes record_, overflow_;
};

// Of the child that an interior cell names; what is cut off is looked into.
std::int64_t last_row_id(ByteView interior_cell) {
    ByteView key = interior_cell.subspan(4);
    std::uint64_t out = 0;
    return take_varint(key, out) ? static_cast<std::int64_t>(out) : INT64_MAX;
}

Error at_page(std::uint32_t number, std::string_view what) {
    return damaged("page " + std::to_string(number) + ": " + std::string(what));
}

Result<> TableWalk::take_page(std::uint32_t number, Bytes& out) {
    if (++pages_read_ > pages_.count())
        return damaged("a table has more pages than the file: some are named twice");
    return pages_.read(number, out);
}

Result<> TableWalk::tree(std::uint32_t number, std::uint32_t depth) {
    if (depth > tree_depth_max)
        return at_page(number, "more than 20 levels deep");
    Bytes page;
    AMOSKYS_TRY_VOID(take_page(number, page));
    const std::size_t header = number == 1 ? file_header_bytes : 0;
    const bool leaf = page[header] == leaf_page;
    if (!leaf && page[header] != interior_page)
        return at_page(number, "not a page of a table");
    const std::size_t cells = load_be16(&page[header + 3]);
    const std::size_t offsets = header + (leaf ? 8 : 12);
    if (offsets + 2 * cells > page.size())
        return at_page(number, "more cells than it can hold");
    if (leaf && visit_ == nullptr) {
        rows_ += cells;
        return {};
    }
    for (std::size_t i = 0; i < cells && !ended_; ++i) {
        const std::size_t at = load_be16(&page[offsets + 2 * i]);
        if (at + 4 > page.size())
            return at_page(number, "a cell outside of it");
        const ByteView rest = ByteView(page).subspan(at);
        if (leaf)
            AMOSKYS_TRY_VOID(cell(number, rest, page.size()));
        else if (last_row_id(rest) >= from_)
            AMOSKYS_TRY_VOID(tree(load_be32(rest.data()), depth + 1));
    }
    return leaf || ended_ ? Result<>() : tree(load_be32(&page[header + 8]), depth + 1);
}

Result<> TableWalk::cell(std::uint32_t number, ByteView cell, std::size_t usable) {
    std::uint64_t size = 0, raw_row_id = 0;
    if (!take_varint(cell, size) || !take_varint(cell, raw_row_id))
        return at_page(number, "a cell that is cut off");
    const auto row_id = static_cast<std::int64_t>(raw_row_id);
    if (rows_++ != 0 && row_id <= last_row_id_)
        return at_page(number, "row ids that do not rise");
    last_row_id_ = row_id;
    if (row_id < from_)
        return {};
    if (size > record_bytes_max)
        return unsupported("row " + std::to_string(row_id) + " has " + std::to_string(size) +
                           " octets; at most 16 MiB are read");
    auto record = whole_record(cell, size, usable);
    if (!record)
        return at_page(number, "row " + std::to_string(row_id) + ": " + record.error().message);
    AMOSKYS_TRY(wanted, (*visit_)(row_id, *record));
    ended_ = !wanted;
    return {};
}

// How much of a record stands in its cell (section 1.6), and the rest from overflow pages.
Result<ByteView> TableWalk::whole_record(ByteView cell, std::uint64_t size, std::size_t usable) {
    const std::size_t most = usable - 35, least = (usable - 12) * 32 / 255 - 23;
    std::size_t local = static_cast<std::size_t>(size);
    if (local > most) {
        local = least + (local - least) % (usable - 4);
        if (local > most)
            local = least;
    }
    const bool overflows = local != size;
    if (cell.size() < local + (overflows ? 4 : 0))
        return damaged("its cell is cut off");
    if (!overflows)
        return cell.first(local);
    record_.assign(cell.begin(), cell.begin() + static_cast<std::ptrdiff_t>(local));
    std::uint32_t next = load_be32(&cell[local]);
    while (record_.size() < size) {
        AMOSKYS_TRY_VOID(take_page(next, overflow_));
        next = load_be32(overflow_.data());
        const auto part =
            ByteView(overflow_).subspan(4).first(std::min(usable - 4, size - record_.size()));
        record_.insert(record_.end(), part.begin(), part.end());
    }
    if (next != 0)
        return damaged("its overflow pages go on after its end");
    return ByteView(record_);
}

}  // namespace

bool take_varint(ByteView& in, std::uint64_t& out) {
    out = 0;
    for (std::size_t i = 0; i < in.size() && i < 9; ++i) {
        const bool last = i == 8 || (in[i] & 0x80U) == 0;
        out = i == 8 ? out << 8 | in[i] : out << 7 | (in[i] & 0x7fU);
        if (last) {
            in = in.subspan(i + 1);
            return true;
        }
    }
    return false;
}

Result<> walk_table(const Pages& pages, std::uint32_t root, std::int64_t from,
                    const RecordVisit& visit) {
    return TableWalk(pages, from, &visit).tree(root, 1);
}

Result<std::uint64_t> count_rows(const Pages& pages, std::uint32_t root) {
    TableWalk walk(pages, INT64_MIN, nullptr);
    AMOSKYS_TRY_VOID(walk.tree(root, 1));
    return walk.rows();
}

}  // namespace amoskys::sqlite
