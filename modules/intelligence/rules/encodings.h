// What modifiers make of a value before it is looked for; inside this folder only. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modules/intelligence/rules/rule.h"

namespace amoskys::rules {

using Pattern = std::vector<std::uint16_t>;  // bytes, any_one, any_many

// * and ? are wildcards; a backslash before *, ? or a backslash takes its meaning away, and is a
// plain character elsewhere.
Pattern read_wildcards(std::string_view text);
Pattern pattern_of(std::string_view literal);
std::optional<std::string> literal_of(const Pattern& pattern);  // nothing where it has wildcards

// windash: each - or / before a word as each of - / and three longer dashes; every combination.
// Empty where there would be more than 625.
std::vector<Pattern> with_other_dashes(const Pattern& pattern);

std::string utf16(std::string_view utf8, bool big_endian, bool byte_order_mark);
std::string base64(std::string_view bytes);  // with padding
// What all encodings of a longer text have in common, whose bytes begin at 0, 1 or 2 modulo 3.
std::array<std::string, 3> base64_offsets(std::string_view bytes);

// The simplest question that the pattern is: a literal somewhere, or a pattern.
Atom text_atom(Atom atom, Atom::Kind position, Pattern pattern);

// A number as people and counters write it; nothing for inf, nan, hex and other text.
std::optional<double> parse_decimal(std::string_view text);

// Whole text against pattern; at most pattern x text steps.
bool pattern_matches(const Pattern& pattern, std::string_view text, bool cased);

}  // namespace amoskys::rules
