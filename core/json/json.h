// The one place where nlohmann::json is named for the rest of the code. Objects keep their order.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys {

using Json = nlohmann::ordered_json;

namespace json {

// 64-bit integers that can pass 2^53 are strings of digits in our output.
inline Json digits(std::uint64_t value) {
    return std::to_string(value);
}
// RFC 3339 with nanoseconds, or null for 0 (never).
inline Json time(UnixNanos time_ns) {
    return time_ns == 0 ? Json() : Json(format_time(time_ns));
}

// Returning a Json from a Result<Json> function needs {boost::system::in_place_value, value}: Json
// converts from everything, which makes the short form ambiguous.
// Depth at most 64, at most 256 MiB, one value, no trailing text; bad_data otherwise with
// the byte offset. `what` begins the message ("model file x.json").
Result<Json> parse(std::string_view text, std::string_view what);

// dump() that never throws: invalid UTF-8 becomes U+FFFD.
std::string dump(const Json& value);
std::string dump_pretty(const Json& value);

}  // namespace json
}  // namespace amoskys
