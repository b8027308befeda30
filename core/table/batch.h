// Some rows of a table, by column. Who makes a table fills a batch, writes it, clears it and fills
// it again: its memory is the bound of what a table takes on its way to a file. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/table/schema.h"

namespace amoskys::table {

// The different texts of a column. A text keeps its code until clear().
class Texts {
  public:
    std::uint32_t code(std::string_view text);
    const std::string& at(std::uint32_t code) const { return texts_[code]; }
    std::size_t size() const { return texts_.size(); }
    std::size_t bytes() const { return bytes_; }
    void clear();

  private:
    std::deque<std::string> texts_;  // does not move what codes_ points into
    std::unordered_map<std::string_view, std::uint32_t> codes_;
    std::size_t bytes_ = 0;
};

struct TextColumn {
    std::vector<std::uint32_t> codes;
    Texts texts;
    void add(std::string_view text) { codes.push_back(texts.code(text)); }
};

using Column = std::variant<std::vector<double>,        // float64
                            std::vector<std::int64_t>,  // int64, timestamp
                            std::vector<std::uint8_t>,  // boolean
                            TextColumn>;                // text

class Batch {
  public:
    explicit Batch(const Schema& schema);

    std::size_t columns() const { return columns_.size(); }
    const Column& column(std::size_t index) const { return columns_[index]; }
    std::vector<double>& float64(std::size_t index) {
        return std::get<std::vector<double>>(columns_[index]);
    }
    // int64 and timestamp
    std::vector<std::int64_t>& int64(std::size_t index) {
        return std::get<std::vector<std::int64_t>>(columns_[index]);
    }
    std::vector<std::uint8_t>& boolean(std::size_t index) {
        return std::get<std::vector<std::uint8_t>>(columns_[index]);
    }
    TextColumn& text(std::size_t index) { return std::get<TextColumn>(columns_[index]); }

    // The length of the columns; check() where they differ.
    std::size_t rows() const;
    void clear();  // keeps the memory

  private:
    std::vector<Column> columns_;
};

}  // namespace amoskys::table
