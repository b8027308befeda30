#include "modules/intelligence/rules/encodings.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace amoskys::rules {
namespace {

constexpr std::size_t max_dash_variants = 625;
constexpr std::string_view other_dashes[] = {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94",
                                             "\xe2\x80\x95"};
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_word(std::uint16_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

std::uint8_t lower(std::uint8_t c) {
    return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}

// The next character; a byte that is no UTF-8 stands for itself.
std::uint32_t next_character(std::string_view& text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    std::uint32_t out = first;
    if (length > 1 && text.size() >= length) {
        out = first & (0x7fU >> length);
        for (std::size_t i = 1; i < length; ++i)
            out = out << 6U | (byte(i) & 0x3fU);
        text.remove_prefix(length);
    } else {
        text.remove_prefix(1);
    }
    return out;
}

}  // namespace

Pattern read_wildcards(std::string_view text) {
    Pattern out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (c == '\\' && (next == '*' || next == '?' || next == '\\')) {
            out.push_back(static_cast<std::uint8_t>(next));
            ++i;
        } else if (c == '*') {
            out.push_back(any_many);
        } else if (c == '?') {
            out.push_back(any_one);
        } else {
            out.push_back(static_cast<std::uint8_t>(c));
        }
    }
    return out;
}

Pattern pattern_of(std::string_view literal) {
    Pattern out;
    for (const char c : literal)
        out.push_back(static_cast<std::uint8_t>(c));
    return out;
}

std::optional<std::string> literal_of(const Pattern& pattern) {
    std::string out;
    for (const std::uint16_t c : pattern) {
        if (c >= any_one)
            return std::nullopt;
        out += static_cast<char>(c);
    }
    return out;
}

std::vector<Pattern> with_other_dashes(const Pattern& pattern) {
    std::vector<Pattern> out = {{}};
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const bool is_dash = (pattern[i] == '-' || pattern[i] == '/') &&
                             (i == 0 || !is_word(pattern[i - 1])) && i + 1 < pattern.size() &&
                             is_word(pattern[i + 1]);
        if (!is_dash) {
            for (Pattern& each : out)
                each.push_back(pattern[i]);
            continue;
        }
        if (out.size() * std::size(other_dashes) > max_dash_variants)
            return {};
        std::vector<Pattern> longer;
        for (const Pattern& each : out)
            for (const std::string_view dash : other_dashes) {
                longer.push_back(each);
                for (const char c : dash)
                    longer.back().push_back(static_cast<std::uint8_t>(c));
            }
        out = std::move(longer);
    }
    return out;
}

std::string utf16(std::string_view utf8, bool big_endian, bool byte_order_mark) {
    std::string out;
    const auto put = [&](std::uint32_t unit) {
        const char high = static_cast<char>(unit >> 8U & 0xffU);
        const char low = static_cast<char>(unit & 0xffU);
        out += big_endian ? high : low;
        out += big_endian ? low : high;
    };
    if (byte_order_mark)
        put(0xfeff);
    while (!utf8.empty()) {
        const std::uint32_t character = next_character(utf8);
        if (character >= 0x10000) {
            put(0xd800 + (((character - 0x10000) >> 10U) & 0x3ffU));
            put(0xdc00 + ((character - 0x10000) & 0x3ffU));
        } else {
            put(character);
        }
    }
    return out;
}

std::string base64(std::string_view bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j)
            group =
                group << 8U | (i + j < bytes.size() ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
        const std::size_t digits = std::min<std::size_t>(bytes.size() - i, 3) + 1;
        for (std::size_t j = 0; j < 4; ++j)
            out += j < digits ? base64_digits[group >> (18U - 6U * j) & 0x3fU] : '=';
    }
    return out;
}

std::array<std::string, 3> base64_offsets(std::string_view bytes) {
    std::array<std::string, 3> out;
    for (std::size_t offset = 0; offset < 3; ++offset) {
        const std::string coded = base64(std::string(offset, ' ') + std::string(bytes));
        // Digits that hold a bit of what stands before or behind are left out.
        const std::size_t begin = (offset * 8 + 5) / 6;
        const std::size_t end = (offset + bytes.size()) * 8 / 6;
        out[offset] = end > begin ? coded.substr(begin, end - begin) : "";
    }
    return out;
}

Atom text_atom(Atom atom, Atom::Kind position, Pattern pattern) {
    if (position == Atom::Kind::contains || position == Atom::Kind::ends)
        pattern.insert(pattern.begin(), any_many);
    if (position == Atom::Kind::contains || position == Atom::Kind::starts)
        pattern.push_back(any_many);
    pattern.erase(std::unique(pattern.begin(), pattern.end(),
                              [](auto a, auto b) { return a == any_many && b == any_many; }),
                  pattern.end());
    const bool opens = !pattern.empty() && pattern.front() == any_many;
    const bool closes = pattern.size() > 1 && pattern.back() == any_many;
    const auto core =
        literal_of(Pattern(pattern.begin() + (opens ? 1 : 0), pattern.end() - (closes ? 1 : 0)));
    if (!core) {
        atom.kind = Atom::Kind::pattern;
        atom.pattern = std::move(pattern);
    } else if (core->empty()) {
        atom.kind = opens ? Atom::Kind::present : Atom::Kind::absent;
    } else {
        atom.kind = opens && closes ? Atom::Kind::contains
                    : opens         ? Atom::Kind::ends
                    : closes        ? Atom::Kind::starts
                                    : Atom::Kind::equals;
        atom.text = *core;
    }
    return atom;
}

std::optional<double> parse_decimal(std::string_view text) {
    if (text.empty() || text.size() > 40 || text.find_first_not_of("0123456789.+-eE") != text.npos)
        return std::nullopt;
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size() || !std::isfinite(value))
        return std::nullopt;
    return value;
}

bool pattern_matches(const Pattern& pattern, std::string_view text, bool cased) {
    const auto same = [cased](std::uint16_t wanted, char c) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (wanted == any_one)
            return true;
        return cased ? wanted == byte : lower(static_cast<std::uint8_t>(wanted)) == lower(byte);
    };
    std::size_t p = 0, t = 0, star = pattern.size(), resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == any_many) {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && same(pattern[p], text[t])) {
            ++p;
            ++t;
        } else if (star < pattern.size()) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == any_many)
        ++p;
    return p == pattern.size();
}

}  // namespace amoskys::rules
