#include "core/wal/segment_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "core/base/file.h"
#include "core/wal/little_endian.h"
#include "core/wal/page_walk.h"

namespace amoskys::wal {

namespace {

constexpr std::size_t meta_bytes = page_header_bytes + 136;
constexpr std::size_t table_bytes = 48;
constexpr unsigned depth_max = 8;
constexpr std::uint64_t no_page = UINT64_MAX;
constexpr std::uint64_t whole_check_bytes = 32 << 20;
constexpr std::uint64_t small_tables_pages = 512;

Error damaged(const std::filesystem::path& file, std::string_view why) {
    return make_error(ErrorKind::bad_data, "wal_damaged", file.string() + ": " + std::string(why));
}

struct Meta {
    std::size_t page_bytes = 0;
    std::uint64_t main_root = no_page;
    unsigned main_depth = 0;
    std::uint64_t free_root = no_page;
    unsigned free_depth = 0;
    std::uint64_t last_page = 0;
    std::uint64_t txnid = 0;
};

std::optional<Meta> read_meta(ByteView bytes, std::uint64_t number) {
    if (bytes.size() < meta_bytes || load_le<std::uint64_t>(&bytes[0]) != number ||
        (page_flags(bytes) & page_meta) == 0 || load_le<std::uint32_t>(&bytes[16]) != 0xBEEFC0DEU ||
        load_le<std::uint32_t>(&bytes[20]) != 1)
        return std::nullopt;
    Meta out;
    out.page_bytes = load_le<std::uint32_t>(&bytes[40]);
    if (out.page_bytes < 512 || out.page_bytes > 65536 || !std::has_single_bit(out.page_bytes))
        return std::nullopt;
    const ByteView main = bytes.subspan(88, table_bytes);
    out.main_depth = load_le<std::uint16_t>(&main[6]);
    out.main_root = load_le<std::uint64_t>(&main[40]);
    out.free_depth = load_le<std::uint16_t>(&bytes[46]);
    out.free_root = load_le<std::uint64_t>(&bytes[80]);
    out.last_page = load_le<std::uint64_t>(&bytes[136]);
    out.txnid = load_le<std::uint64_t>(&bytes[144]);
    if (out.main_depth > depth_max || out.free_depth > depth_max || out.last_page > (1ULL << 47))
        return std::nullopt;
    return out;
}

}  // namespace

std::string SegmentSoundness::what() const {
    if (!both_metas)
        return "a meta page is damaged";
    if (!long_enough)
        return "the file is shorter than the pages it refers to";
    return pages_in_place ? "sound" : "a table's pages are damaged";
}

Result<std::unique_ptr<SegmentReader>> SegmentReader::open(const std::filesystem::path& file) {
    const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return errno_error("wal_io", "cannot open " + file.string(), errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        return errno_error("wal_io", "cannot stat " + file.string(), errno);
    std::unique_ptr<SegmentReader> out(new SegmentReader());
    out->size_ = static_cast<std::uint64_t>(status.st_size);
    if (out->size_ < 2 * meta_bytes)
        return damaged(file, "only " + std::to_string(out->size_) + " bytes long");
    void* map = ::mmap(nullptr, out->size_, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (map == MAP_FAILED)
        return errno_error("wal_io", "cannot map " + file.string(), errno);
    out->data_ = static_cast<const std::uint8_t*>(map);
    ::madvise(map, out->size_, MADV_RANDOM);  // advice only
    if (!out->read_metas())
        return damaged(file, "neither of its two meta pages is valid");
    if (!out->read_tables())
        return damaged(file, "its table of tables cannot be read");
    return out;
}

void SegmentReader::expect_scans() const {
    ::madvise(const_cast<std::uint8_t*>(data_), size_, MADV_NORMAL);
}

SegmentReader::~SegmentReader() {
    if (data_ != nullptr)
        ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

bool SegmentReader::read_metas() {
    const ByteView file(data_, size_);
    std::optional<Meta> best = read_meta(file, 0);
    valid_metas_ = best ? 1 : 0;
    // The second meta page stands one page on; where the first is gone, its size is tried.
    for (std::size_t bytes = 512; bytes <= 65536; bytes *= 2) {
        if ((best && valid_metas_ == 1 && bytes != best->page_bytes) || bytes >= size_)
            continue;
        const auto second = read_meta(file.subspan(bytes), 1);
        if (!second || second->page_bytes != bytes)
            continue;
        ++valid_metas_;
        if (!best || second->txnid > best->txnid)
            best = second;
        break;
    }
    if (!best)
        return false;
    page_bytes_ = best->page_bytes;
    last_page_ = best->last_page;
    main_ = {best->main_root, best->main_depth};
    free_ = {best->free_root, best->free_depth};
    return true;
}

bool SegmentReader::read_tables() {
    if (main_.root == no_page)
        return true;
    PageWalk walk(*this, false, {});
    const bool whole = walk.run(main_.root, main_.depth, [this](ByteView key, ByteView value) {
        for (std::size_t i = 0; i < table_count && value.size() == table_bytes; ++i) {
            if (as_text(key) != table_names[i])
                continue;
            tables_[i].depth = load_le<std::uint16_t>(&value[6]);
            tables_[i].root = load_le<std::uint64_t>(&value[40]);
            if (tables_[i].depth > depth_max)
                tables_[i] = {};
        }
        return true;
    });
    return whole;
}

std::optional<ByteView> SegmentReader::page(std::uint64_t number) const {
    if (number > last_page_ || number >= size_ / page_bytes_)
        return std::nullopt;
    const ByteView bytes(data_ + number * page_bytes_, page_bytes_);
    if (load_le<std::uint64_t>(&bytes[0]) != number)
        return std::nullopt;
    return bytes;
}

std::optional<ByteView> SegmentReader::leaf_value(ByteView leaf, std::size_t index) const {
    const auto node = node_at(leaf, index);
    if (!node)
        return std::nullopt;
    const std::size_t bytes = node->data_bytes();
    if ((node->flags & node_big) == 0) {
        if (bytes > node->rest.size())
            return std::nullopt;
        return node->rest.first(bytes);
    }
    if (node->rest.size() < 8)
        return std::nullopt;
    const auto number = load_le<std::uint64_t>(&node->rest[0]);
    const auto first = page(number);
    if (!first || (page_flags(*first) & page_overflow) == 0)
        return std::nullopt;
    const std::uint64_t pages = load_le<std::uint32_t>(&(*first)[12]);
    if (page_header_bytes + bytes > pages * page_bytes_ ||
        number * page_bytes_ + page_header_bytes + bytes > size_)
        return std::nullopt;
    return ByteView(first->data() + page_header_bytes, bytes);
}

Result<> SegmentReader::scan(Table table, ByteView from, const Visit& visit) const {
    const TableRoot& root = tables_[static_cast<std::size_t>(table)];
    if (root.root == no_page)
        return {};
    PageWalk walk(*this, number_keyed(table), from);
    walk.run(root.root, root.depth, visit);
    return {};
}

SegmentSoundness SegmentReader::soundness() const {
    SegmentSoundness out;
    out.both_metas = valid_metas_ == 2;
    out.long_enough = size_ >= (last_page_ + 1) * page_bytes_;
    // A small file whole; of a large one the small tables: opening stays O(log n).
    std::uint64_t budget =
        size_ <= whole_check_bytes ? whole_check_bytes / page_bytes_ : small_tables_pages;
    out.pages_in_place =
        free_.root == no_page || PageWalk(*this, true, {}).sound(free_.root, free_.depth, budget);
    for (const Table table : {Table::info, Table::state, Table::cursor, Table::zone,
                              Table::key_order, Table::key, Table::tree, Table::log}) {
        const TableRoot& root = tables_[static_cast<std::size_t>(table)];
        if (root.root == no_page)
            continue;
        PageWalk walk(*this, number_keyed(table), {});
        out.pages_in_place = out.pages_in_place && walk.sound(root.root, root.depth, budget);
    }
    if (out.long_enough || !out.pages_in_place)
        return out;
    // LMDB may leave pages at the end that were allocated and freed in one transaction unwritten.
    // Then the file is short and whole; only a look at every page tells.
    out.long_enough = true;
    for (std::size_t i = 0; i < table_count; ++i) {
        if (tables_[i].root == no_page)
            continue;
        PageWalk walk(*this, number_keyed(static_cast<Table>(i)), {});
        out.long_enough = out.long_enough && walk.run(tables_[i].root, tables_[i].depth,
                                                      [](ByteView, ByteView) { return true; });
    }
    return out;
}

void find_records(ByteView file, const std::function<void(const RecordView&)>& visit) {
    constexpr std::string_view magic = "AWR1";
    const std::string_view text = as_text(file);
    for (std::size_t at = text.find(magic); at != std::string_view::npos;
         at = text.find(magic, at + 1)) {
        const ByteView rest = file.subspan(at);
        const auto header = decode_header(rest.first(std::min(rest.size(), header_bytes)));
        if (!header || rest.size() < header_bytes + header->stored_bytes)
            continue;
        const auto record = decode_record(rest.first(header_bytes + header->stored_bytes));
        if (record && stored_bytes_intact(*record))
            visit(*record);
    }
}

Result<std::unique_ptr<MappedFile>> MappedFile::open(const std::filesystem::path& file) {
    const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return errno_error("wal_io", "cannot open " + file.string(), errno);
    std::unique_ptr<MappedFile> out(new MappedFile());
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0)
        return out;
    void* map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (map == MAP_FAILED)
        return errno_error("wal_io", "cannot map " + file.string(), errno);
    out->data_ = static_cast<const std::uint8_t*>(map);
    out->size_ = size;
    return out;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr)
        ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

}  // namespace amoskys::wal
