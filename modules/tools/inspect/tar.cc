#include "modules/tools/inspect/tar.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "core/base/check.h"
#include "core/base/text.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::size_t name_bytes = 100, size_at = 124, size_bytes = 12, time_at = 136, sum_at = 148,
                      sum_bytes = 8, type_at = 156, magic_at = 257, prefix_at = 345;
constexpr std::string_view ustar{
    "ustar\0"
    "00",
    8};
constexpr std::uint64_t octal_max = (1ULL << 33) - 1;  // 11 digits

Error tar_form(std::string what) {
    return make_error(ErrorKind::bad_data, "tar_form", "not a backup: " + std::move(what));
}

bool all_zero(ByteView bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t octet) { return octet == 0; });
}

std::uint32_t sum_of(ByteView block) {
    std::uint32_t sum = sum_bytes * ' ';
    for (std::size_t i = 0; i < block.size(); ++i)
        if (i < sum_at || i >= sum_at + sum_bytes)
            sum += block[i];
    return sum;
}

// Digits up to a blank or zero; false where there is anything else or too many.
bool octal(ByteView field, std::uint64_t& out) {
    out = 0;
    std::size_t i = 0;
    for (; i < field.size() && field[i] >= '0' && field[i] <= '7'; ++i)
        out = out << 3 | static_cast<std::uint64_t>(field[i] - '0');
    return i > 0 && std::all_of(field.begin() + static_cast<std::ptrdiff_t>(i), field.end(),
                                [](std::uint8_t c) { return c == 0 || c == ' '; });
}

bool size_of_file(ByteView field, std::uint64_t& out) {
    if (field[0] != 0x80)
        return octal(field, out);
    out = load_be64(&field[4]);
    return field[1] == 0 && field[2] == 0 && field[3] == 0 && out >> 63 == 0;
}

}  // namespace

std::array<char, tar_block> tar_header(std::string_view name, std::uint64_t bytes,
                                       UnixNanos time_ns) {
    check(name.size() < name_bytes, "the names in a backup are short");
    std::array<char, tar_block> out{};
    const auto text = [&out](std::size_t at, std::string_view value) {
        std::ranges::copy(value, out.begin() + static_cast<std::ptrdiff_t>(at));
    };
    const auto number = [&](std::size_t at, std::size_t digits, std::uint64_t value) {
        for (std::size_t i = digits; i-- > 0; value >>= 3)
            out[at + i] = static_cast<char>('0' + (value & 7U));
    };
    text(0, name);
    number(100, 7, 0600);
    number(108, 7, 0);
    number(116, 7, 0);
    if (bytes <= octal_max) {
        number(size_at, size_bytes - 1, bytes);
    } else {
        std::uint8_t wide[8];
        store_be64(wide, bytes);
        out[size_at] = static_cast<char>(0x80);
        text(size_at + 4, as_text(wide));
    }
    number(time_at, 11, std::min<std::uint64_t>(time_ns / 1'000'000'000, octal_max));
    out[type_at] = '0';
    text(magic_at, ustar);
    number(sum_at, 6, sum_of(as_bytes({out.data(), out.size()})));
    out[sum_at + 7] = ' ';
    return out;
}

std::size_t tar_padding(std::uint64_t bytes) {
    return static_cast<std::size_t>((tar_block - bytes % tar_block) % tar_block);
}

Result<> TarReader::feed(ByteView bytes, Files& files) {
    while (!bytes.empty()) {
        if (left_ > 0) {
            const auto part =
                static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
            AMOSKYS_TRY_VOID(files.data(bytes.first(part)));
            bytes = bytes.subspan(part);
            left_ -= part;
            if (left_ == 0)
                AMOSKYS_TRY_VOID(files.end());
        } else if (padding_ > 0) {
            const std::size_t part = std::min(padding_, bytes.size());
            if (!all_zero(bytes.first(part)))
                return tar_form("what fills up a file in it is not zeros");
            bytes = bytes.subspan(part);
            padding_ -= part;
        } else {
            const std::size_t part = std::min(tar_block - in_block_, bytes.size());
            std::memcpy(block_.data() + in_block_, bytes.data(), part);
            bytes = bytes.subspan(part);
            in_block_ += part;
            if (in_block_ < tar_block)
                return {};
            in_block_ = 0;
            AMOSKYS_TRY_VOID(header(files));
        }
    }
    return {};
}

Result<> TarReader::header(Files& files) {
    if (all_zero(block_)) {
        zero_blocks_ = std::min(zero_blocks_ + 1, 2U);
        return {};
    }
    if (zero_blocks_ > 0)
        return tar_form("something follows the end of the archive");
    std::uint64_t sum = 0, bytes = 0;
    const ByteView block(block_);
    if (!octal(block.subspan(sum_at, sum_bytes), sum) || sum != sum_of(block) ||
        as_text(block.subspan(magic_at, 5)) != "ustar")
        return tar_form("a header of a file in it is damaged");
    const std::string_view name_field = as_text(block.first(name_bytes));
    const std::string_view name = name_field.substr(0, name_field.find('\0'));
    if ((block[type_at] != '0' && block[type_at] != 0) || block[prefix_at] != 0 ||
        !size_of_file(block.subspan(size_at, size_bytes), bytes))
        return tar_form("it holds something else than plain files: " + excerpt(name));
    left_ = bytes;
    padding_ = tar_padding(bytes);
    AMOSKYS_TRY_VOID(files.begin(name, bytes));
    return bytes == 0 ? files.end() : Result<>();
}

}  // namespace amoskys::modules::inspect
