#include "core/table/number_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace amoskys::table {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr int least_power = -310, most_power = 325;

// The first 64 bits of 10^p, cut: 10^p is in [t, t + 1.001) * 2^(binary_exponent(p) - 63). Each
// step cuts at most two units of 2^-127, so after 325 steps the 64 bits have not lost a unit more.
constexpr auto make_powers() {
    std::array<std::uint64_t, most_power - least_power + 1> out{};
    constexpr Wide one = static_cast<Wide>(1) << 127;
    Wide x = one;
    for (int p = 0; p <= most_power; ++p) {
        out[static_cast<std::size_t>(p - least_power)] = static_cast<std::uint64_t>(x >> 64);
        const Wide y = x + (x >> 2);  // times 10 / 8
        x = y < x ? (y >> 1) | one : y;
    }
    x = one;
    for (int p = -1; p >= least_power; --p) {
        const Wide fifth = x / 5, rest = x % 5;
        Wide y = fifth * 4 + rest * 4 / 5;
        if (y < one)
            y = fifth * 8 + rest * 8 / 5;
        x = y;
        out[static_cast<std::size_t>(p - least_power)] = static_cast<std::uint64_t>(x >> 64);
    }
    return out;
}
constexpr auto powers = make_powers();

// floor(log2(10^p)), for |p| below 1650.
constexpr int binary_exponent(int p) {
    return (p * 217706) >> 16;
}

constexpr auto make_tens() {
    std::array<std::uint64_t, 20> out{};
    std::uint64_t ten = 1;
    for (auto& entry : out) {
        entry = ten;
        ten *= 10;
    }
    return out;
}
constexpr auto tens = make_tens();

constexpr auto make_pairs() {
    std::array<char, 200> out{};
    for (std::size_t i = 0; i < 100; ++i) {
        out[2 * i] = static_cast<char>('0' + i / 10);
        out[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return out;
}
constexpr auto pairs = make_pairs();

// n as exactly `count` digits.
void write_digits(char* out, std::uint32_t n, int count) {
    while (count >= 2) {
        count -= 2;
        std::memcpy(out + count, &pairs[n % 100 * 2], 2);
        n /= 100;
    }
    if (count == 1)
        *out = static_cast<char>('0' + n);
}

void write_digits(char* out, std::uint64_t n, int count) {
    constexpr std::uint64_t eight = 100'000'000;
    while (count > 9) {
        count -= 8;
        write_digits(out + count, static_cast<std::uint32_t>(n % eight), 8);
        n /= eight;
    }
    write_digits(out, static_cast<std::uint32_t>(n), count);
}

char* write_whole(char* out, std::uint64_t n) {
    int count = 1;
    while (count < 19 && n >= tens[static_cast<std::size_t>(count)])
        ++count;
    write_digits(out, n, count);
    return out + count;
}

char* write_slowly(char* out, double value, int digits) {
    return out + std::snprintf(out, number_room, "%.*g", digits, value);
}

// The digits of n (exactly `digits` of them) as %g lays them out; the first stands for 10^exponent.
char* lay_out(char* out, std::uint64_t n, int digits, int exponent) {
    char text[48];  // copies of 16 may begin anywhere in the digits
    write_digits(text, n, digits);
    int count = digits;
    while (count > 1 && text[count - 1] == '0')
        --count;
    if (exponent < -4 || exponent >= digits) {
        *out++ = text[0];
        if (count > 1) {
            *out++ = '.';
            std::memcpy(out, text + 1, 16);
            out += count - 1;
        }
        *out++ = 'e';
        *out++ = exponent < 0 ? '-' : '+';
        const auto size = static_cast<std::uint32_t>(exponent < 0 ? -exponent : exponent);
        const int length = size >= 100 ? 3 : 2;
        write_digits(out, size, length);
        return out + length;
    }
    if (exponent < 0) {
        std::memcpy(out, "0.0000", 6);
        out += 1 - exponent;
        std::memcpy(out, text, 16);
        return out + count;
    }
    std::memcpy(out, text, 16);
    out += exponent + 1;
    if (count > exponent + 1) {
        *out++ = '.';
        std::memcpy(out, text + exponent + 1, 16);
        out += count - exponent - 1;
    }
    return out;
}

// A whole number of more digits than wanted: exact by division.
char* write_rounded(char* out, std::uint64_t n, int digits) {
    int length = digits + 1;
    while (length < 20 && n >= tens[static_cast<std::size_t>(length)])
        ++length;
    const std::uint64_t unit = tens[static_cast<std::size_t>(length - digits)];
    std::uint64_t kept = n / unit;
    const std::uint64_t rest = n % unit;
    kept += rest > unit / 2 || (rest == unit / 2 && kept % 2 == 1) ? 1 : 0;
    if (kept == tens[static_cast<std::size_t>(digits)])
        return lay_out(out, kept / 10, digits, length);
    return lay_out(out, kept, digits, length - 1);
}

}  // namespace

char* write_number(char* out, double value, int digits) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bits << 1 == 0) {
        *out = '0';
        return out + 1;
    }
    if (digits >= shortest)
        return std::to_chars(out, out + number_room, value).ptr;
    const int exponent_bits = static_cast<int>(bits >> 52) & 0x7ff;
    if (exponent_bits == 0 || exponent_bits == 0x7ff)
        return write_slowly(out, value, digits);
    char* const begin = out;
    if (bits >> 63 != 0)
        *out++ = '-';
    const double size = value < 0 ? -value : value;
    const std::uint64_t limit = tens[static_cast<std::size_t>(digits)];
    if (size < 1e18) {
        const auto whole = static_cast<std::uint64_t>(size);
        if (static_cast<double>(whole) == size)
            return whole < limit ? write_whole(out, whole) : write_rounded(out, whole, digits);
    }

    // A lower bound of log10(size), seldom one too small: log2(1 + f) >= f.
    const std::int64_t log2_16 =
        static_cast<std::int64_t>(bits << 1 >> 37) - (std::int64_t{1023} << 16);
    int exponent = static_cast<int>(log2_16 * 1'292'913'986 >> 48);
    const std::uint64_t mantissa = (bits << 11) | (std::uint64_t{1} << 63);
    for (;; ++exponent) {
        const int power = digits - 1 - exponent;
        const Wide product =
            static_cast<Wide>(mantissa) * powers[static_cast<std::size_t>(power - least_power)];
        const auto high = static_cast<std::uint64_t>(product >> 64);
        // size = mantissa * 2^(exponent_bits - 1086), the power has 2^(binary_exponent - 63)
        const int shift = 1085 - exponent_bits - binary_exponent(power);
        std::uint64_t kept = high >> shift;
        if (kept >= limit)
            continue;  // the exponent was one too small
        const std::uint64_t rest = high - (kept << shift);
        const std::uint64_t half = std::uint64_t{1} << (shift - 1);
        if (power >= 0 && power <= 27) {
            const auto low = static_cast<std::uint64_t>(product);
            kept += rest > half || (rest == half && (low != 0 || kept % 2 == 1)) ? 1 : 0;
        } else if (rest - (half - 2) <= 2) {
            return write_slowly(begin, value, digits);
        } else {
            kept += rest > half ? 1 : 0;
        }
        if (kept == limit)
            return lay_out(out, kept / 10, digits, exponent + 1);
        return lay_out(out, kept, digits, exponent);
    }
}

}  // namespace amoskys::table
