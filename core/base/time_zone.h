// Local time by a fixed offset or a file of the time zone database (RFC 8536, versions 1 to 4).
// Used by inspect timeline and etl. Immutable; any thread.
//
// After the last transition of a file the rule in its footer is not evaluated: that transition's
// offset goes on. Debian's files list transitions up to 2037.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys {

class TimeZone {
  public:
    // "UTC", "+05:30", "-0500", a name like "America/Chicago" below zone_database; "" = the
    // machine's own ($TZ where it is one of these, else local_zone_file, else UTC). usage
    // "time_zone" for what is none of them.
    static Result<TimeZone> find(std::string_view name);
    // bad_data "time_zone_file".
    static Result<TimeZone> parse(ByteView tzif, std::string name);

    const std::string& name() const { return name_; }
    std::int64_t offset_seconds(UnixNanos time_ns) const;
    unsigned hour(UnixNanos time_ns) const;  // 0..23

  private:
    struct Transition {
        std::int64_t at = 0;  // Unix seconds
        std::int32_t offset_seconds = 0;
    };
    std::string name_ = "UTC";
    std::int32_t first_offset_seconds_ = 0;  // before the first transition
    std::vector<Transition> transitions_;
};

inline constexpr std::string_view zone_database = "/usr/share/zoneinfo";
inline constexpr std::string_view local_zone_file = "/etc/localtime";

}  // namespace amoskys
