#include "core/table/parquet_column.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/text.h"

namespace amoskys::table::parquet {
namespace {

constexpr std::size_t longest_bound = 256;

// Least and most of values without NaN. Four at a time: a comparison waits for the one before it.
void widen(const double* values, std::size_t count, double& least, double& most) {
    double low[4] = {least, least, least, least}, high[4] = {most, most, most, most};
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (std::size_t lane = 0; lane < 4; ++lane) {
            const double value = values[i + lane];
            low[lane] = value < low[lane] ? value : low[lane];
            high[lane] = value > high[lane] ? value : high[lane];
        }
    for (; i < count; ++i) {
        low[0] = std::min(low[0], values[i]);
        high[0] = std::max(high[0], values[i]);
    }
    least = std::min(std::min(low[0], low[1]), std::min(low[2], low[3]));
    most = std::max(std::max(high[0], high[1]), std::max(high[2], high[3]));
}

template <class T>
std::string plain_bytes(T value) {
    std::string out(sizeof value, '\0');
    std::memcpy(out.data(), &value, sizeof value);
    return out;
}

template <class T>
void append_plain(std::string& body, const std::vector<T>& values) {
    body.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

void append_plain(std::string& body, std::string_view text) {
    append_u32(body, static_cast<std::uint32_t>(text.size()));
    body += text;
}

// Appends the values that are not `missing` and says which are.
template <class T>
void append_present(std::vector<T>& values, std::vector<std::uint8_t>& present, const T* from,
                    std::size_t rows, T missing) {
    for (std::size_t i = 0; i < rows; ++i) {
        const bool is_there = from[i] != missing;
        present.push_back(is_there ? 1 : 0);
        if (is_there)
            values.push_back(from[i]);
    }
}

}  // namespace

void ColumnBuffer::begin(const Column& column) {
    const auto* text = std::get_if<TextColumn>(&column);
    if (text == nullptr)
        return;
    code_of_batch_.assign(text->texts.size(), missing_text);
}

void ColumnBuffer::append(const Column& column, std::size_t from, std::size_t rows) {
    switch (column.index()) {
        case 0:
            append_numbers(std::get<0>(column).data() + from, rows);
            break;
        case 1:
            append_wholes(std::get<1>(column).data() + from, rows);
            break;
        case 2:
            append_truths(std::get<2>(column).data() + from, rows);
            break;
        default: {
            const TextColumn& text = std::get<3>(column);
            for (std::size_t i = from; i < from + rows; ++i) {
                const std::uint32_t code = text.codes[i];
                if (code != missing_text && code_of_batch_[code] == missing_text)
                    code_of_batch_[code] = texts_.code(printable(text.texts.at(code)));
            }
            append_codes(text.codes.data() + from, rows);
        }
    }
    rows_ += rows;
}

// present_ begins with the first missing value.
void ColumnBuffer::note_missing(std::size_t missing, std::size_t rows) {
    if (missing > 0 && present_.empty()) {
        present_.reserve(group_rows_);
        present_.assign(rows_, 1);
    }
    if (missing == 0 && !present_.empty())
        present_.insert(present_.end(), rows, 1);
    nulls_ += missing;
}

void ColumnBuffer::append_numbers(const double* values, std::size_t rows) {
    if (numbers_.empty()) {
        numbers_.reserve(group_rows_);
        least_ = std::numeric_limits<double>::infinity();
        most_ = -least_;
    }
    std::size_t missing = 0;
    for (std::size_t i = 0; i < rows; ++i)
        missing += std::isnan(values[i]) ? 1 : 0;
    note_missing(missing, rows);
    const std::size_t before = numbers_.size();
    if (missing == 0) {
        numbers_.insert(numbers_.end(), values, values + rows);
    } else {
        for (std::size_t i = 0; i < rows; ++i) {
            const bool is_there = !std::isnan(values[i]);
            present_.push_back(is_there ? 1 : 0);
            if (is_there)
                numbers_.push_back(values[i]);
        }
    }
    widen(numbers_.data() + before, numbers_.size() - before, least_, most_);
}

void ColumnBuffer::append_wholes(const std::int64_t* values, std::size_t rows) {
    const auto missing = static_cast<std::size_t>(std::count(values, values + rows, missing_int64));
    note_missing(missing, rows);
    if (missing == 0)
        wholes_.insert(wholes_.end(), values, values + rows);
    else
        append_present(wholes_, present_, values, rows, missing_int64);
}

void ColumnBuffer::append_truths(const std::uint8_t* values, std::size_t rows) {
    const auto missing =
        static_cast<std::size_t>(std::count(values, values + rows, missing_boolean));
    note_missing(missing, rows);
    if (missing == 0)
        truths_.insert(truths_.end(), values, values + rows);
    else
        append_present(truths_, present_, values, rows, missing_boolean);
}

void ColumnBuffer::append_codes(const std::uint32_t* codes, std::size_t rows) {
    const auto missing = static_cast<std::size_t>(std::count(codes, codes + rows, missing_text));
    note_missing(missing, rows);
    for (std::size_t i = 0; i < rows; ++i) {
        const bool is_there = codes[i] != missing_text;
        if (missing > 0)
            present_.push_back(is_there ? 1 : 0);
        if (is_there)
            codes_.push_back(code_of_batch_[codes[i]]);
    }
}

void ColumnBuffer::bounds(Chunk& chunk) const {
    chunk.has_bounds = rows_ > nulls_;
    if (!chunk.has_bounds)
        return;
    switch (field_.type) {
        case Type::float64:
            // A zero stands for both zeros, whichever the reader looks for.
            chunk.min = plain_bytes(least_ == 0 ? -0.0 : least_);
            chunk.max = plain_bytes(most_ == 0 ? 0.0 : most_);
            break;
        case Type::int64:
        case Type::timestamp: {
            const auto [least, most] = std::minmax_element(wholes_.begin(), wholes_.end());
            chunk.min = plain_bytes(*least);
            chunk.max = plain_bytes(*most);
            break;
        }
        case Type::boolean: {
            const auto [least, most] = std::minmax_element(truths_.begin(), truths_.end());
            chunk.min = plain_bytes(*least);
            chunk.max = plain_bytes(*most);
            break;
        }
        case Type::text: {
            std::uint32_t least = 0, most = 0;  // char_traits compares bytes as unsigned
            for (std::uint32_t code = 1; code < texts_.size(); ++code) {
                least = texts_.at(code) < texts_.at(least) ? code : least;
                most = texts_.at(code) > texts_.at(most) ? code : most;
            }
            chunk.min = texts_.at(least);
            chunk.max = texts_.at(most);
            chunk.has_bounds =
                chunk.min.size() <= longest_bound && chunk.max.size() <= longest_bound;
        }
    }
}

void ColumnBuffer::page_body(std::string& body, bool dictionary) const {
    if (field_.nullable)
        append_levels(body, present_, rows_);
    switch (field_.type) {
        case Type::float64:
            append_plain(body, numbers_);
            break;
        case Type::int64:
        case Type::timestamp:
            append_plain(body, wholes_);
            break;
        case Type::boolean:
            append_bits(body, truths_);
            break;
        case Type::text:
            if (dictionary) {
                const int bit_width = bit_width_for(texts_.size());
                body += static_cast<char>(bit_width);
                append_hybrid(body, codes_, bit_width);
            } else {
                for (const std::uint32_t code : codes_)
                    append_plain(body, std::string_view(texts_.at(code)));
            }
    }
}

// Also what bounds a page without one: it is never longer than the texts that are held.
bool ColumnBuffer::dictionary_is_shorter() const {
    std::size_t plain = 0;
    for (const std::uint32_t code : codes_)
        plain += 4 + texts_.at(code).size();
    const std::size_t indices =
        codes_.size() * static_cast<std::size_t>(bit_width_for(texts_.size())) / 8;
    return texts_.bytes() + 4 * texts_.size() + indices < plain;
}

Chunk ColumnBuffer::write(OutputFile& file, Compressor& compressor) {
    Chunk chunk;
    chunk.offset = file.position();
    chunk.nulls = nulls_;
    bounds(chunk);
    std::string body;
    const auto append_page = [&](auto&& header_of) {
        const std::string_view compressed = compressor.compress(body);
        const PageSizes sizes{body.size(), compressed.size()};
        const std::string header = header_of(sizes);
        chunk.sizes.raw += header.size() + sizes.raw;
        chunk.sizes.compressed += header.size() + sizes.compressed;
        file.pending() += header;
        file.pending() += compressed;
        body.clear();
    };
    chunk.dictionary = field_.type == Type::text && dictionary_is_shorter();
    if (chunk.dictionary) {
        for (std::uint32_t code = 0; code < texts_.size(); ++code)
            append_plain(body, std::string_view(texts_.at(code)));
        append_page([&](PageSizes sizes) { return dictionary_page_header(sizes, texts_.size()); });
    }
    chunk.data_offset = file.position();
    page_body(body, chunk.dictionary);
    const Encoding encoding = chunk.dictionary ? Encoding::rle_dictionary : Encoding::plain;
    append_page([&](PageSizes sizes) { return data_page_header(sizes, rows_, encoding); });
    clear();
    return chunk;
}

void ColumnBuffer::clear() {
    rows_ = nulls_ = 0;
    numbers_.clear();
    wholes_.clear();
    truths_.clear();
    codes_.clear();
    texts_.clear();
    code_of_batch_.assign(code_of_batch_.size(), missing_text);
    present_.clear();
}

}  // namespace amoskys::table::parquet
