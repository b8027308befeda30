// One column of the row group that is being gathered: values, what is missing, bounds; and their
// pages. Used by parquet_writer.cc. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/table/batch.h"
#include "core/table/output_file.h"
#include "core/table/parquet.h"

namespace amoskys::table::parquet {

class ColumnBuffer {
  public:
    ColumnBuffer(const Field& field, std::size_t group_rows)
        : field_(field), group_rows_(group_rows) {}

    // A batch of its own follows: its texts have other codes.
    void begin(const Column& column);
    void append(const Column& column, std::size_t from, std::size_t rows);
    std::size_t text_bytes() const { return texts_.bytes(); }

    // Appends the pages to the file's buffer and forgets the values.
    Chunk write(OutputFile& file, Compressor& compressor);

  private:
    void append_numbers(const double* values, std::size_t rows);
    void append_wholes(const std::int64_t* values, std::size_t rows);
    void append_truths(const std::uint8_t* values, std::size_t rows);
    void append_codes(const std::uint32_t* codes, std::size_t rows);
    void note_missing(std::size_t before, std::size_t rows);
    void bounds(Chunk& chunk) const;
    bool dictionary_is_shorter() const;
    void page_body(std::string& body, bool dictionary) const;
    void clear();

    const Field& field_;
    std::size_t group_rows_;
    std::size_t rows_ = 0;
    // Of the values that are there, by the field's type.
    std::vector<double> numbers_;
    std::vector<std::int64_t> wholes_;
    std::vector<std::uint8_t> truths_;
    std::vector<std::uint32_t> codes_;
    Texts texts_;                               // of the row group
    std::vector<std::uint32_t> code_of_batch_;  // the batch's codes in texts_
    std::vector<std::uint8_t> present_;         // empty: all are
    std::size_t nulls_ = 0;
    double least_ = 0, most_ = 0;  // of numbers_
};

}  // namespace amoskys::table::parquet
