// The parts of a Parquet file (github.com/apache/parquet-format), put together by
// parquet_writer.cc. Pure functions over bytes but for Compressor, which keeps its memory.
//
//   file           "PAR1" | column chunks of row group 0 | of row group 1 | ... | footer
//                  | u32 length of the footer | "PAR1"
//   column chunk   [dictionary page] data page          one data page: a row group is bounded
//   page           PageHeader (Thrift) | body, compressed as a whole
//   data page v1   nullable: [u32 length, hybrid levels of 1 bit: 1 = there] | values that are
//   there values         PLAIN: f64 / i64, booleans as bits, texts as u32 length and bytes;
//                  RLE_DICTIONARY: u8 bit width, hybrid indices into the dictionary page (PLAIN)
//   hybrid         runs: varint(length << 1), the value in whole bytes; or
//                  varint(groups << 1 | 1), groups of 8 values packed from the lowest bit on
//   integers       little-endian everywhere
//
// Limits: a page is shorter than 2^31 bytes; the footer grows by some 120 bytes for each column of
// each row group.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fast_zstd.h"
#include "core/table/schema.h"
#include "core/table/writer.h"

namespace amoskys::table::parquet {

enum class Encoding : std::int32_t { plain = 0, rle = 3, rle_dictionary = 8 };

void append_u32(std::string& out, std::uint32_t value);
void append_hybrid(std::string& out, std::span<const std::uint32_t> values, int bit_width);
// Levels of 1 bit with their length before them. `present` has 0 or 1 for each row; empty: all are.
void append_levels(std::string& out, std::span<const std::uint8_t> present, std::size_t rows);
void append_bits(std::string& out, std::span<const std::uint8_t> values);  // 0 or 1
int bit_width_for(std::size_t different);  // of indices below it; at least 1

// The body of a page, compressed. The view is valid until the next call.
class Compressor {
  public:
    explicit Compressor(Compression compression) : compression_(compression) {}
    std::string_view compress(std::string_view body);
    std::int32_t codec() const;  // CompressionCodec of the format

  private:
    Compression compression_;
    std::optional<FastZstd> zstd_;
    std::vector<char> out_;  // of snappy
};

struct PageSizes {
    std::size_t raw = 0, compressed = 0;
};
std::string dictionary_page_header(PageSizes sizes, std::size_t values);
std::string data_page_header(PageSizes sizes, std::size_t rows, Encoding encoding);

// A column chunk as the footer has it.
struct Chunk {
    std::uint64_t offset = 0;  // of its first page
    std::uint64_t data_offset = 0;
    PageSizes sizes;  // of all pages with their headers
    bool dictionary = false;
    std::size_t nulls = 0;
    bool has_bounds = false;
    std::string min, max;  // as PLAIN has them, texts without their length
};
// A row group as an element of the footer's list.
std::string row_group(const Schema& schema, std::span<const Chunk> chunks, std::size_t rows,
                      std::int32_t codec);
// The footer with its length and the closing magic. `row_groups` are `groups` elements.
std::string footer(const Schema& schema, std::string_view row_groups, std::size_t groups,
                   std::uint64_t rows);

}  // namespace amoskys::table::parquet
