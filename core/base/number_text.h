// Numbers as text, fast: a table of 20 million cells spends its time here. Every folder uses these
// and not std::to_chars, whose tables for doubles are 120 KB of the executable. Pure functions.
#pragma once

#include <string>

namespace amoskys {

inline constexpr int shortest_digits = 17;

// Room that write_number may use.
inline constexpr int number_room = 48;

// Writes what printf("%.{digits}g") writes, digit for digit (correctly rounded, ties to even), and
// returns its end; -0 is written as 0, since a table has no use for its sign. digits: 1 to 16, or
// shortest_digits: as few as read back as the same double, with an exponent where that is shorter,
// as std::to_chars has it (but for some powers of two, which get a digit more).
//
// How: value = m * 2^e is multiplied by a power of ten of 64 bits, so that the wanted digits are
// the whole part of a product of 128 bits. The power is cut, never rounded up: the true product
// lies at most two units of 2^64 above. Where that interval holds a half, or a tie would have to be
// seen through it, printf does the work: about one in 2^30 of random numbers at 9 digits, one in
// 2^8 at 16. Powers up to 10^27 are exact, and so are their ties.
char* write_number(char* out, double value, int digits);

std::string shortest_number(double value);

inline void append_number(std::string& out, double value, int digits) {
    char text[number_room];
    out.append(text, write_number(text, value, digits));
}

}  // namespace amoskys
