// What a row is for: fitted on, judged with, or between the two.
#pragma once

#include <cstdint>

namespace amoskys::etl {

enum class Part : std::uint8_t { train, validation, embargo };

}  // namespace amoskys::etl
