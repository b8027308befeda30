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

struct SegmentMeta {
    std::size_t page_bytes = 0;
    std::uint64_t main_root = UINT64_MAX;
    unsigned main_depth = 0;
    std::uint64_t free_root = UINT64_MAX;
    unsigned free_depth = 0;
    std::uint64_t last_page = 0;
    std::uint64_t txnid = 0;
};

namespace {

constexpr std::size_t meta_bytes = page_header_bytes + 136;
constexpr std::size_t table_bytes = 48;
constexpr unsigned depth_max = 8;
constexpr std::uint64_t no_page = UINT64_MAX;
constexpr std::uint64_t whole_check_bytes = 32 << 20;

Error damaged(const std::filesystem::path& file, std::string_view why) {
    return make_error(ErrorKind::bad_data, "wal_damaged", file.string() + ": " + std::string(why));
}

std::optional<SegmentMeta> read_meta(ByteView bytes, std::uint64_t number) {
    if (bytes.size() < meta_bytes || load_le<std::uint64_t>(&bytes[0]) != number ||
        (page_flags(bytes) & page_meta) == 0 || load_le<std::uint32_t>(&bytes[16]) != 0xBEEFC0DEU ||
        load_le<std::uint32_t>(&bytes[20]) != 1)
        return std::nullopt;
    SegmentMeta out;
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

// The newer one of the two meta pages, and how many are valid.
std::pair<std::optional<SegmentMeta>, unsigned> newest_meta(ByteView file) {
    std::optional<SegmentMeta> best = read_meta(file, 0);
    unsigned valid = best ? 1 : 0;
    // The second meta page stands one page on; where the first is gone, its size is tried.
    for (std::size_t bytes = 512; bytes <= 65536; bytes *= 2) {
        if ((best && bytes != best->page_bytes) || bytes >= file.size())
            continue;
        const auto second = read_meta(file.subspan(bytes), 1);
        if (!second || second->page_bytes != bytes)
            continue;
        ++valid;
        if (!best || second->txnid > best->txnid)
            best = second;
        break;
    }
    return {best, valid};
}

}  // namespace

std::uint64_t newest_txnid(ByteView file) {
    const auto [meta, valid] = newest_meta(file);
    return meta ? meta->txnid : 0;
}

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

Result<std::unique_ptr<SegmentReader>> SegmentReader::over(ByteView mapped, std::size_t page_bytes,
                                                           std::uint64_t txnid,
                                                           const std::filesystem::path& file) {
    std::unique_ptr<SegmentReader> out(new SegmentReader());
    out->own_map_ = false;
    out->data_ = mapped.data();
    out->size_ = mapped.size();
    const std::uint64_t number = txnid & 1;  // commits take the two meta pages in turn
    const auto meta = mapped.size() < 2 * page_bytes
                          ? std::nullopt
                          : read_meta(mapped.subspan(number * page_bytes), number);
    if (!meta || meta->page_bytes != page_bytes || meta->txnid != txnid)
        return damaged(file, "the meta page of its last commit is not valid");
    out->use(*meta);
    static_assert(std::tuple_size_v<decltype(out->meta_)> == meta_bytes);
    std::memcpy(out->meta_.data(), mapped.data() + number * page_bytes, meta_bytes);
    if (!out->read_tables())
        return damaged(file, "its table of tables cannot be read");
    return out;
}

// Both meta pages say what this commit's says. Free pages go as they are; pages at the end that
// were never written are zeros.
Result<> SegmentReader::write_own_file(const std::function<Result<>(ByteView)>& take) const {
    Bytes page(page_bytes_);
    std::memcpy(page.data(), meta_.data(), meta_.size());
    for (const std::uint64_t number : {0, 1}) {
        store_le<std::uint64_t>(page.data(), number);
        AMOSKYS_TRY_VOID(take(page));
    }
    const std::uint64_t end = own_file_bytes(), there = std::min(end, size_);
    for (std::uint64_t at = 2 * page_bytes_; at < there;) {
        const std::uint64_t piece = std::min<std::uint64_t>(there - at, 1 << 20);
        AMOSKYS_TRY_VOID(take({data_ + at, static_cast<std::size_t>(piece)}));
        at += piece;
    }
    std::ranges::fill(page, std::uint8_t{0});
    for (std::uint64_t missing = end - std::max(there, 2 * page_bytes_); missing > 0;) {
        const std::uint64_t piece = std::min<std::uint64_t>(missing, page.size());
        AMOSKYS_TRY_VOID(take(ByteView(page).first(static_cast<std::size_t>(piece))));
        missing -= piece;
    }
    return {};
}

void SegmentReader::expect_scans() const {
    ::madvise(const_cast<std::uint8_t*>(data_), size_, MADV_NORMAL);
}

void SegmentReader::expect_page(std::uint64_t number) const {
    if (number < size_ / page_bytes_)
        ::madvise(const_cast<std::uint8_t*>(data_) + number * page_bytes_, page_bytes_,
                  MADV_WILLNEED);
}

SegmentReader::~SegmentReader() {
    if (data_ != nullptr && own_map_)
        ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

bool SegmentReader::read_metas() {
    const auto [best, valid] = newest_meta({data_, size_});
    valid_metas_ = valid;
    if (!best)
        return false;
    use(*best);
    return true;
}

void SegmentReader::use(const SegmentMeta& meta) {
    page_bytes_ = meta.page_bytes;
    last_page_ = meta.last_page;
    main_ = {meta.main_root, meta.main_depth};
    free_ = {meta.free_root, meta.free_depth};
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
    const bool small = size_ <= whole_check_bytes;
    expect_page(free_.root);
    for (const TableRoot& table : tables_)
        expect_page(table.root);
    out.pages_in_place = free_list_holds();
    for (std::size_t i = 0; i < table_count; ++i) {
        const auto table = static_cast<Table>(i);
        if (tables_[i].root == no_page)
            continue;
        const bool appended_only = table == Table::log || table == Table::tree;
        PageWalk walk(*this, number_keyed(table), {});
        walk.expect_all();
        out.pages_in_place =
            out.pages_in_place &&
            (small || !appended_only ? walk.run(tables_[i].root, tables_[i].depth,
                                                [](ByteView, ByteView) { return true; })
                                     : walk.spine(tables_[i].root, tables_[i].depth));
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

// LMDB writes into the pages that are named here without looking whether they are free.
bool SegmentReader::free_list_holds() const {
    if (free_.root == no_page)
        return true;
    bool good = true;
    PageWalk walk(*this, true, {});
    walk.expect_all();
    const bool whole = walk.run(free_.root, free_.depth, [&](ByteView, ByteView list) {
        const std::uint64_t count = list.size() < 8 ? 0 : load_le<std::uint64_t>(&list[0]);
        good = good && list.size() >= 8 && count <= list.size() / 8 - 1;
        std::uint64_t before = UINT64_MAX;  // descending
        for (std::uint64_t i = 1; good && i <= count; ++i) {
            const auto number = load_le<std::uint64_t>(&list[i * 8]);
            good = number < before && number > 1 && number <= last_page_;
            before = number;
        }
        return good;
    });
    return whole && good;
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
