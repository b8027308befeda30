#include "core/base/number_text.h"

#include <bit>
#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

using namespace amoskys;

namespace {

std::string ours(double value, int digits) {
    std::string out;
    append_number(out, value, digits);
    return out;
}

std::string printfs(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*g", digits, value == 0 ? 0.0 : value);
    return text;
}

// Fails with the first number that differs; a CHECK each would take most of the time.
void compare(double value, int digits) {
    const std::string expected = printfs(value, digits), got = ours(value, digits);
    if (got != expected) {
        INFO("digits " << digits << " of " << printfs(value, 17));
        REQUIRE(got == expected);
    }
}

void compare_all_digits(double value) {
    for (int digits = 1; digits <= 16; ++digits) {
        compare(value, digits);
        compare(-value, digits);
    }
}

}  // namespace

TEST_CASE("numbers are what printf writes: random bits") {
    std::mt19937_64 random(20261126);
    for (int i = 0; i < 1'500'000; ++i) {
        const auto value = std::bit_cast<double>(random());
        compare(value, 9);
        compare(value, 1 + i % 16);
    }
    SUCCEED("seed 20261126");
}

TEST_CASE("numbers are what printf writes: as measurements are") {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> unit(0, 1);
    for (int i = 0; i < 600'000; ++i) {
        const double scale = std::pow(10.0, static_cast<int>(random() % 24) - 8);
        const double value = unit(random) * scale;
        compare(value, 9);
        compare(std::round(value), 9);                       // whole
        compare(std::round(value * 100) / 100, 1 + i % 16);  // few decimals
        compare(std::round(value) + 0.5, 1 + i % 16);        // often a tie
    }
    SUCCEED("seed 7");
}

TEST_CASE("numbers are what printf writes: powers of ten and their neighbours") {
    for (int p = -323; p <= 308; ++p) {
        const double ten = std::strtod(("1e" + std::to_string(p)).c_str(), nullptr);
        for (const double factor : {1.0, 5.0, 9.5, 9.9999999995, 0.99999999949999})
            for (const double value : {ten * factor, std::nextafter(ten * factor, 0),
                                       std::nextafter(ten * factor, 1e308)})
                compare_all_digits(value);
    }
}

TEST_CASE("numbers are what printf writes: powers of two and subnormals") {
    for (int e = -1074; e < 1024; ++e) {
        const double two = std::ldexp(1.0, e);
        compare_all_digits(two);
        compare_all_digits(std::nextafter(two, 0));
        compare_all_digits(std::nextafter(two, 1e308));
    }
    std::mt19937_64 random(3);
    for (int i = 0; i < 20'000; ++i)
        compare(std::bit_cast<double>(random() >> 12), 1 + i % 16);
}

TEST_CASE("numbers are what printf writes: ties go to the even digit") {
    // n + 1/2 with the half as the first digit that is cut, before and behind the point.
    for (int digits = 1; digits <= 15; ++digits) {
        const double top = std::pow(10.0, digits);
        std::mt19937_64 random(static_cast<unsigned>(digits));
        for (int i = 0; i < 3000; ++i) {
            const double n = std::floor(static_cast<double>(random() >> 11) * 0x1p-53 * top);
            for (int e = 0; e <= 10 && n * std::pow(10.0, e + 1) < 1e19; ++e)
                compare(n * std::pow(10.0, e) * 10 + 5 * std::pow(10.0, e), digits);
            for (int e = 1; e <= 22; ++e)
                compare((n + 0.5) / std::ldexp(1.0, e), digits);
            compare(n + 0.5, digits);
        }
    }
}

TEST_CASE("numbers that are none, and zero") {
    CHECK(ours(std::numeric_limits<double>::infinity(), 9) == "inf");
    CHECK(ours(-std::numeric_limits<double>::infinity(), 9) == "-inf");
    CHECK(ours(0, 9) == "0");
    CHECK(ours(-0.0, 9) == "0");
    CHECK(ours(-0.0, 17) == "0");
    CHECK(ours(16777216, 9) == "16777216");
    CHECK(ours(123456789012, 9) == "1.23456789e+11");
}

TEST_CASE("17 digits read back exactly") {
    CHECK(ours(0.1, 17) == "0.1");
    std::mt19937_64 random(17);
    for (int i = 0; i < 200'000; ++i) {
        const auto value = std::bit_cast<double>(random());
        if (!std::isfinite(value))
            continue;
        const std::string text = ours(value, 17);
        if (std::strtod(text.c_str(), nullptr) != value)
            FAIL(text);
    }
}

TEST_CASE("17 digits are as few as std::to_chars finds, in the same form") {
    const auto compare_shortest = [](double value) {
        char expected[64];
        *std::to_chars(expected, expected + sizeof expected - 1, value).ptr = '\0';
        if (ours(value, 17) != expected) {
            INFO(printfs(value, 17));
            REQUIRE(ours(value, 17) == expected);
        }
    };
    std::mt19937_64 random(23);
    for (int i = 0; i < 200'000; ++i) {
        const auto value = std::bit_cast<double>(random());
        if (!std::isfinite(value))
            continue;
        compare_shortest(value);
        const double scale = std::pow(10.0, static_cast<int>(random() % 30) - 6);
        const double size = static_cast<double>(random() >> 11) * 0x1p-53 * scale;
        compare_shortest(-size);
        compare_shortest(std::round(size));
        compare_shortest(std::round(size * 1000) / 1000);
        compare_shortest(std::bit_cast<double>(random() >> 14));  // subnormal
    }
    // Below a power of two doubles lie closer, so that one digit less may read back which is not
    // the nearest one: ours has it then.
    for (int e = -1074; e < 1024; ++e)
        REQUIRE(std::strtod(ours(std::ldexp(1.0, e), 17).c_str(), nullptr) == std::ldexp(1.0, e));
    for (int p = -320; p <= 308; ++p)
        compare_shortest(std::strtod(("1e" + std::to_string(p)).c_str(), nullptr));
}
