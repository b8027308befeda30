// Decoder of /proc/loadavg: bytes in, numbers out; no files and no clock, so that the test needs
// neither.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace amoskys::example {

// The averages over 1, 5 and 15 minutes (proc(5)); nothing where the text is not of that form.
std::optional<std::array<double, 3>> parse_load_average(std::string_view text);

}  // namespace amoskys::example
