// Small text functions that several folders need: the nearest known name for "did you mean", and
// making foreign text safe to print.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace amoskys {

// The candidate with the smallest Damerau-Levenshtein distance (at most 2, and at most a third of
// the length, but at least 1), or "" where none is near.
std::string_view nearest(std::string_view wrong, std::span<const std::string_view> candidates);

// Valid UTF-8 without control characters: other bytes become \xNN, so that
// a device's text cannot move the cursor or break a line of output.
std::string printable(std::string_view text);
// The same of at most the first 64 bytes, with "..." where it was cut: foreign text in a message.
std::string excerpt(std::string_view text);
bool valid_utf8(std::string_view text);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
// Shell-style glob with * and ?, no classes. No recursion; at most pattern x text steps.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace amoskys
