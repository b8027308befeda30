// What a table is made of: named, typed columns with their unit, the stage that made them and the
// formula in words. Used by every writer of tables and by who fills them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace amoskys::table {

// Each type has one value that means "missing"; it is written as null (Parquet) or as an empty cell
// (CSV). It saves a second array of flags, and NaN is what arithmetic on missing numbers gives.
//
//   type       in memory                     missing
//   float64    double                        NaN
//   int64      std::int64_t                  INT64_MIN
//   timestamp  std::int64_t, ns since 1970   INT64_MIN
//   boolean    std::uint8_t, 0 or 1          2
//   text       std::uint32_t, of a Texts     UINT32_MAX
enum class Type : std::uint8_t { float64, int64, boolean, text, timestamp };

inline constexpr std::int64_t missing_int64 = INT64_MIN;
inline constexpr std::uint8_t missing_boolean = 2;
inline constexpr std::uint32_t missing_text = UINT32_MAX;

struct Field {
    std::string name;
    Type type = Type::float64;
    bool nullable = true;  // false: none is missing, which who fills the batches holds
    std::string unit = {}, stage = {}, formula = {};
};

struct Schema {
    std::vector<Field> fields;
    std::vector<std::pair<std::string, std::string>> metadata = {};  // of the file
};

// "float64", "int64", "bool", "string", "timestamp[ns, UTC]": as data frames name them.
const char* type_name(Type type);

}  // namespace amoskys::table
