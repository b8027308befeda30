#include "core/base/number_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace amoskys {
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

static_assert(std::endian::native == std::endian::little);  // as core/wal
constexpr std::uint64_t eight_zeros = 0x3030303030303030;

// Eight digits as their characters, the first one in the lowest byte.
std::uint64_t eight_digits(std::uint32_t n) {
    const std::uint64_t fours = n / 10000 | static_cast<std::uint64_t>(n % 10000) << 32;
    const std::uint64_t hundreds = (fours * 5243 >> 19) & 0x0000007f0000007f;
    const std::uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    const std::uint64_t tens_of_twos = (twos * 103 >> 10) & 0x000f000f000f000f;
    return (tens_of_twos | (twos - tens_of_twos * 10) << 8) + eight_zeros;
}

char* write_whole(char* out, std::uint64_t n) {
    if (n < 100'000'000) {
        const std::uint64_t text = eight_digits(static_cast<std::uint32_t>(n));
        const int before = std::min(std::countr_zero(text ^ eight_zeros) / 8, 7);  // zeros
        const std::uint64_t shown = text >> 8 * before;
        std::memcpy(out, &shown, 8);
        return out + 8 - before;
    }
    int count = 9;
    while (count < 19 && n >= tens[static_cast<std::size_t>(count)])
        ++count;
    write_digits(out, n, count);
    return out + count;
}

// The digits of n (exactly `digits` of them), without zeros at the end behind a point; the first
// stands for 10^exponent.
char* lay_out(char* out, std::uint64_t n, int digits, int exponent, bool with_exponent) {
    char text[48];  // copies of 16 may begin anywhere in the digits
    write_digits(text, n, digits);
    int count = digits;
    while (count > 1 && text[count - 1] == '0')
        --count;
    if (with_exponent) {
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
        std::memcpy(out, "0.000000", 8);
        out += 1 - exponent;
        std::memcpy(out, text, 17);
        return out + count;
    }
    std::memcpy(out, text, 17);
    out += exponent + 1;
    if (count > exponent + 1) {
        *out++ = '.';
        std::memcpy(out, text + exponent + 1, 16);
        out += count - exponent - 1;
    }
    return out;
}

// The same without an exponent for nine digits, what tables have: they stay in a register, because
// bytes that were just written in pieces cannot be read as a whole without waiting for them.
char* lay_out_nine(char* out, std::uint64_t n, int exponent) {
    const auto digits = static_cast<std::uint32_t>(n);
    const char first = static_cast<char>('0' + digits / 100'000'000);
    const std::uint64_t rest = eight_digits(digits % 100'000'000);
    const int count = 9 - std::countl_zero(rest ^ eight_zeros) / 8;
    if (exponent < 0) {
        std::memcpy(out, "0.000000", 8);
        out += 1 - exponent;
    }
    *out = first;
    std::memcpy(out + 1, &rest, 8);
    if (exponent < 0)
        return out + count;
    if (count <= exponent + 1)
        return out + exponent + 1;
    const std::uint64_t behind = rest >> 8 * exponent;
    out[exponent + 1] = '.';
    std::memcpy(out + exponent + 2, &behind, 8);
    return out + count + 1;
}

// A size as `count` digits of which the first stands for 10^exponent.
struct Decimal {
    std::uint64_t digits = 0;
    int exponent = 0;
};

// A whole number of more digits than wanted: exact by division.
Decimal rounded(std::uint64_t n, int count) {
    int length = count + 1;
    while (length < 20 && n >= tens[static_cast<std::size_t>(length)])
        ++length;
    const std::uint64_t unit = tens[static_cast<std::size_t>(length - count)];
    std::uint64_t kept = n / unit;
    const std::uint64_t rest = n % unit;
    kept += rest > unit / 2 || (rest == unit / 2 && kept % 2 == 1) ? 1 : 0;
    if (kept == tens[static_cast<std::size_t>(count)])
        return {kept / 10, length};
    return {kept, length - 1};
}

// By printf: "1.2345e+67".
Decimal decimal_by_printf(double size, int count) {
    char text[number_room];
    std::snprintf(text, sizeof text, "%.*e", count - 1, size);
    Decimal out;
    const char* at = text;
    for (; *at != 'e'; ++at)
        if (*at != '.')
            out.digits = out.digits * 10 + static_cast<std::uint64_t>(*at - '0');
    out.exponent = std::atoi(at + 1);
    return out;
}

// Of a finite size above 0, correctly rounded. count: 1 to 17.
Decimal decimal_of(double size, int count) {
    const auto bits = std::bit_cast<std::uint64_t>(size);
    const int exponent_bits = static_cast<int>(bits >> 52);
    const std::uint64_t limit = tens[static_cast<std::size_t>(count)];
    if (exponent_bits == 0)
        return decimal_by_printf(size, count);
    if (size < 1e18) {
        const auto whole = static_cast<std::uint64_t>(size);
        if (whole >= limit && static_cast<double>(whole) == size)
            return rounded(whole, count);
    }
    // A lower bound of log10(size), seldom one too small: log2(1 + f) >= f.
    const std::int64_t log2_16 =
        static_cast<std::int64_t>(bits << 1 >> 37) - (std::int64_t{1023} << 16);
    int exponent = static_cast<int>(log2_16 * 1'292'913'986 >> 48);
    const std::uint64_t mantissa = (bits << 11) | (std::uint64_t{1} << 63);
    for (;; ++exponent) {
        const int power = count - 1 - exponent;
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
            return decimal_by_printf(size, count);
        } else {
            kept += rest > half ? 1 : 0;
        }
        if (kept == limit)
            return {kept / 10, exponent + 1};
        return {kept, exponent};
    }
}

double read_back(const Decimal& decimal, int count) {
    char text[number_room];
    write_digits(text, decimal.digits, count);
    char* end = text + count;
    *end++ = 'e';
    end = std::to_chars(end, end + 8, decimal.exponent - count + 1).ptr;
    double out = 0;
    std::from_chars(text, end, out);
    return out;
}

// Of a finite size above 0. Fifteen digits that read back are the fewest but for zeros at their
// end, since two decimals of fifteen digits are never the same double; subnormals have fewer.
char* write_shortest(char* out, double size) {
    int count = std::bit_cast<std::uint64_t>(size) >> 52 == 0 ? 1 : 15;
    Decimal decimal = decimal_of(size, count);
    while (count < shortest_digits && read_back(decimal, count) != size)
        decimal = decimal_of(size, ++count);
    while (count > 1 && decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        --count;
    }
    const int exponent = decimal.exponent;
    const int with_exponent =
        count + (count > 1 ? 1 : 0) + (exponent <= -100 || exponent >= 100 ? 5 : 4);
    const int without = exponent < 0           ? count + 1 - exponent
                        : count > exponent + 1 ? count + 1
                                               : exponent + 1;
    if (without > with_exponent)
        return lay_out(out, decimal.digits, count, exponent, true);
    if (exponent >= 15 && count <= exponent + 1)  // all digits of the number, not zeros
        return out + std::snprintf(out, number_room, "%.0f", size);
    if (count <= exponent) {
        decimal.digits *= tens[static_cast<std::size_t>(exponent + 1 - count)];
        count = exponent + 1;
    }
    return lay_out(out, decimal.digits, count, exponent, false);
}

}  // namespace

char* write_number(char* out, double value, int digits) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bits << 1 == 0) {
        *out = '0';
        return out + 1;
    }
    if ((bits >> 52 & 0x7ff) == 0x7ff)
        return out + std::snprintf(out, number_room, "%g", value);
    if (bits >> 63 != 0)
        *out++ = '-';
    const double size = value < 0 ? -value : value;
    if (size < 1e15) {
        const auto whole = static_cast<std::uint64_t>(size);
        const int most = digits < 15 ? digits : 5;  // 1e+05 is shorter than its digits
        if (static_cast<double>(whole) == size && whole < tens[static_cast<std::size_t>(most)])
            return write_whole(out, whole);
    }
    if (digits >= shortest_digits)
        return write_shortest(out, size);
    const Decimal decimal = decimal_of(size, digits);
    const bool with_exponent = decimal.exponent < -4 || decimal.exponent >= digits;
    if (digits == 9 && !with_exponent)
        return lay_out_nine(out, decimal.digits, decimal.exponent);
    return lay_out(out, decimal.digits, digits, decimal.exponent, with_exponent);
}

std::string shortest_number(double value) {
    std::string out;
    append_number(out, value, shortest_digits);
    return out;
}

}  // namespace amoskys
