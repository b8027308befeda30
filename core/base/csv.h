// Reading CSV as RFC 4180 has it: commas, CR LF or LF, quotes doubled inside quotes. Strict: every
// fault has its line and column. Used by tools that read tables.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace amoskys {

struct CsvCell {
    std::string_view text;               // without quotes; valid until the next record
    std::uint64_t line = 1, column = 1;  // of its first character, from 1; columns count bytes
};

class CsvReader {
  public:
    // `text` outlives the reader. `name` begins the messages ("train.csv:3:7: ...").
    CsvReader(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {}

    // The cells of the next record; false at the end. Empty lines are skipped. After the first
    // record (the header) every record must have as many cells as it: bad_data "csv_malformed".
    Result<bool> next(std::vector<CsvCell>& cells);

    Error fault(const CsvCell& cell, const std::string& what) const;
    std::uint64_t position() const { return at_; }  // bytes read, for progress

  private:
    Result<CsvCell> quoted_cell();
    Result<CsvCell> plain_cell();
    Result<> end_of_cell(bool& end_of_record);
    Error fault_here(const std::string& what) const;

    std::string_view text_;
    std::string name_;
    std::size_t at_ = 0, line_start_ = 0;
    std::uint64_t line_ = 1;
    std::size_t width_ = 0;  // cells of the header; 0 before it
    // Texts of cells that held doubled quotes, this record.
    std::deque<std::string> unquoted_;
};

}  // namespace amoskys
