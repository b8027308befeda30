#include "core/sqlite/pages.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/sqlite/fault.h"

namespace amoskys::sqlite {

namespace {

constexpr std::string_view database_magic{"SQLite format 3\0", 16};
constexpr std::size_t database_header_bytes = 100;
constexpr std::uint32_t usable_bytes_min = 480;
constexpr std::array<std::uint8_t, 8> journal_magic{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
constexpr std::uint32_t wal_magic = 0x377f0682;  // bit 0: big-endian words
constexpr std::uint32_t wal_version = 3007000;
constexpr std::size_t wal_header_bytes = 32, frame_header_bytes = 24;

// Two sums over pairs of words; the salts are not in them.
class WalSums {
  public:
    explicit WalSums(bool big_endian) : big_endian_(big_endian) {}
    void add(ByteView pairs) {
        for (std::size_t i = 0; i + 8 <= pairs.size(); i += 8) {
            first_ += word(&pairs[i]) + second_;
            second_ += word(&pairs[i + 4]) + first_;
        }
    }
    bool equal(const std::uint8_t* stored) const {
        return load_be32(stored) == first_ && load_be32(stored + 4) == second_;
    }

  private:
    std::uint32_t word(const std::uint8_t* in) const {
        const std::uint32_t value = load_be32(in);
        return big_endian_ ? value : __builtin_bswap32(value);
    }
    bool big_endian_;
    std::uint32_t first_ = 0, second_ = 0;
};

}  // namespace

Result<Pages> Pages::open(Files files) {
    Pages out;
    out.files_ = std::move(files);
    AMOSKYS_TRY_VOID(out.read_header());
    if (out.files_.journal.size_bytes >= journal_magic.size()) {
        std::array<std::uint8_t, journal_magic.size()> begin{};
        AMOSKYS_TRY_VOID(out.files_.journal.read(0, begin));
        if (begin == journal_magic)
            return unsupported("the -journal file beside it holds a transaction that did not end",
                               "open it once with sqlite3, which takes the transaction back");
    }
    AMOSKYS_TRY_VOID(out.read_wal());
    // Page 1 may stand in the -wal file only.
    Bytes first;
    AMOSKYS_TRY_VOID(out.read(1, first));
    const std::uint32_t encoding = load_be32(&first[56]);
    if (encoding > 1)  // 0: no table yet
        return unsupported("its text is not in UTF-8 (encoding " + std::to_string(encoding) +
                               "; 2 and 3 are UTF-16)",
                           "copy it into a database of UTF-8 with sqlite3's .dump");
    return out;
}

Result<> Pages::read_header() {
    std::array<std::uint8_t, database_header_bytes> header{};
    const Source& database = files_.database;
    if (database.size_bytes < header.size())
        return not_sqlite("shorter than the header of an SQLite database");
    AMOSKYS_TRY_VOID(database.read(0, header));
    if (as_text(ByteView(header).first(database_magic.size())) != database_magic)
        return not_sqlite("not an SQLite database");
    page_bytes_ = static_cast<std::uint32_t>(header[16] << 8 | header[17]);
    if (page_bytes_ == 1)
        page_bytes_ = page_bytes_max;
    if (page_bytes_ < page_bytes_min || !std::has_single_bit(page_bytes_))
        return damaged("a page size of " + std::to_string(page_bytes_) +
                       "; allowed: powers of two from 512 to 65536");
    usable_bytes_ = page_bytes_ - header[20];
    if (usable_bytes_ < usable_bytes_min)
        return damaged("pages with " + std::to_string(usable_bytes_) +
                       " octets of use; at least 480 are allowed");
    if (header[19] == 0 || header[19] > 2)
        return unsupported("file format " + std::to_string(header[19]) + "; 1 and 2 are read");
    const std::uint64_t by_size = database.size_bytes / page_bytes_;
    count_ = load_be32(&header[28]);
    if (count_ == 0 || load_be32(&header[24]) != load_be32(&header[92]))
        count_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(by_size, UINT32_MAX));
    return {};
}

Result<> Pages::read_wal() {
    const Source& wal = files_.wal;
    if (wal.size_bytes < wal_header_bytes)  // nothing was ever committed to it
        return {};
    Bytes header(wal_header_bytes);
    AMOSKYS_TRY_VOID(wal.read(0, header));
    if (std::ranges::all_of(header, [](std::uint8_t octet) { return octet == 0; }))
        return {};
    const std::uint32_t magic = load_be32(header.data());
    WalSums sums((magic & 1U) != 0);
    sums.add(ByteView(header).first(frame_header_bytes));
    if ((magic & ~1U) != wal_magic || !sums.equal(&header[24]))
        return damaged("the header of the -wal file beside it is damaged");
    if (load_be32(&header[4]) != wal_version)
        return unsupported("the -wal file beside it is of version " +
                           std::to_string(load_be32(&header[4])) + "; 3007000 is read");
    if (load_be32(&header[8]) != page_bytes_)
        return damaged("the -wal file beside it has other pages than the database");

    std::vector<std::pair<std::uint32_t, std::uint64_t>> open;  // since the last commit
    Bytes frame(frame_header_bytes + page_bytes_);
    for (std::uint64_t at = wal_header_bytes; at + frame.size() <= wal.size_bytes;
         at += frame.size()) {
        AMOSKYS_TRY_VOID(wal.read(at, frame));
        sums.add(ByteView(frame).first(8));
        sums.add(ByteView(frame).subspan(frame_header_bytes));
        if (!std::equal(&frame[8], &frame[16], &header[16]) || !sums.equal(&frame[16]))
            break;
        open.emplace_back(load_be32(frame.data()), at + frame_header_bytes);
        const std::uint32_t pages_after = load_be32(&frame[4]);
        if (pages_after == 0)
            continue;
        for (const auto& [page, where] : open)
            in_wal_[page] = where;
        open.clear();
        count_ = pages_after;
    }
    return {};
}

Result<> Pages::read(std::uint32_t number, Bytes& out) const {
    if (number == 0 || number > count_)
        return damaged("page " + std::to_string(number) + " is named, of " +
                       std::to_string(count_) + " pages");
    out.resize(usable_bytes_);
    if (const auto found = in_wal_.find(number); found != in_wal_.end())
        return files_.wal.read(found->second, out);
    const std::uint64_t at = std::uint64_t{number - 1} * page_bytes_;
    if (at + page_bytes_ > files_.database.size_bytes)
        return damaged("it ends before page " + std::to_string(number) + " of " +
                       std::to_string(count_));
    return files_.database.read(at, out);
}

}  // namespace amoskys::sqlite
