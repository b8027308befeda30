#include <bit>

#include "core/table/parquet.h"
#include "core/table/thrift.h"

namespace amoskys::table::parquet {
namespace {

// Groups of 8 values, `bit_width` bytes each; the last one is filled up with zeros.
void append_packed(std::string& out, std::span<const std::uint32_t> values, int bit_width) {
    const std::size_t groups = (values.size() + 7) / 8;
    append_varint(out, groups << 1 | 1);
    std::uint64_t bits = 0;
    int held = 0;
    for (std::size_t i = 0; i < groups * 8; ++i) {
        bits |= static_cast<std::uint64_t>(i < values.size() ? values[i] : 0) << held;
        for (held += bit_width; held >= 8; held -= 8) {
            out += static_cast<char>(bits & 0xff);
            bits >>= 8;
        }
    }
}

}  // namespace

void append_u32(std::string& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
        out += static_cast<char>(value >> shift & 0xff);
}

int bit_width_for(std::size_t different) {
    return different < 2 ? 1 : static_cast<int>(std::bit_width(different - 1));
}

void append_hybrid(std::string& out, std::span<const std::uint32_t> values, int bit_width) {
    std::size_t packed_from = 0, at = 0;
    const auto flush_packed = [&] {
        if (at > packed_from)
            append_packed(out, values.subspan(packed_from, at - packed_from), bit_width);
    };
    while (at < values.size()) {
        std::size_t end = at + 1;
        while (end < values.size() && values[end] == values[at])
            ++end;
        if (end - at < 8) {
            at = std::min(at + 8, values.size());  // packed groups are whole
            continue;
        }
        flush_packed();
        append_varint(out, static_cast<std::uint64_t>(end - at) << 1);
        for (int shift = 0; shift < bit_width; shift += 8)
            out += static_cast<char>(values[at] >> shift & 0xff);
        packed_from = at = end;
    }
    flush_packed();
}

void append_bits(std::string& out, std::span<const std::uint8_t> values) {
    for (std::size_t i = 0; i < values.size(); i += 8) {
        unsigned byte = 0;
        for (std::size_t j = i; j < std::min(i + 8, values.size()); ++j)
            byte |= static_cast<unsigned>(values[j]) << (j - i);
        out += static_cast<char>(byte);
    }
}

void append_levels(std::string& out, std::span<const std::uint8_t> present, std::size_t rows) {
    std::string levels;
    if (present.empty()) {
        append_varint(levels, static_cast<std::uint64_t>(rows) << 1);
        levels += '\1';
    } else {
        append_varint(levels, (rows + 7) / 8 << 1 | 1);
        append_bits(levels, present);
    }
    append_u32(out, static_cast<std::uint32_t>(levels.size()));
    out += levels;
}

}  // namespace amoskys::table::parquet
