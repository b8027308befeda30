#include "core/base/time_zone.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "core/base/file.h"
#include "core/base/text.h"

namespace amoskys {

namespace {

constexpr std::uint64_t file_bytes_max = 1 << 20;
constexpr std::size_t header_bytes = 44;
constexpr std::int64_t day_seconds = 86400;

// RFC 8536 section 3.1.
struct Header {
    std::uint8_t version = 0;
    std::uint32_t ut_indicators = 0, standard_indicators = 0, leaps = 0, times = 0, types = 0,
                  characters = 0;
    std::uint64_t body_bytes(std::uint64_t time_bytes) const {
        return times * (time_bytes + 1) + types * 6ULL + characters + leaps * (time_bytes + 4) +
               standard_indicators + ut_indicators;
    }
};

std::optional<Header> read_header(ByteView data) {
    if (data.size() < header_bytes || as_text(data.first(4)) != "TZif")
        return std::nullopt;
    Header out;
    out.version = data[4];
    out.ut_indicators = load_be32(&data[20]);
    out.standard_indicators = load_be32(&data[24]);
    out.leaps = load_be32(&data[28]);
    out.times = load_be32(&data[32]);
    out.types = load_be32(&data[36]);
    out.characters = load_be32(&data[40]);
    return out;
}

// "+05:30", "-0500", "+3": seconds.
std::optional<std::int32_t> parse_offset(std::string_view text) {
    if (text.size() < 2 || (text[0] != '+' && text[0] != '-'))
        return std::nullopt;
    std::string digits;
    for (const char c : text.substr(1)) {
        if (c == ':' && digits.size() == 2)
            continue;
        if (c < '0' || c > '9')
            return std::nullopt;
        digits += c;
    }
    if (digits.size() > 4 || digits.size() == 3)
        return std::nullopt;
    const int number = std::atoi(digits.c_str());
    const int hours = digits.size() == 4 ? number / 100 : number;
    const int minutes = digits.size() == 4 ? number % 100 : 0;
    if (hours > 14 || minutes > 59)
        return std::nullopt;
    const int seconds = hours * 3600 + minutes * 60;
    return text[0] == '-' ? -seconds : seconds;
}

bool safe_name(std::string_view name) {
    static constexpr std::string_view allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-";
    return !name.empty() && name.front() != '/' &&
           name.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

Result<TimeZone> TimeZone::find(std::string_view name) {
    TimeZone out;
    if (name == "UTC" || name == "Z" || name == "GMT")
        return out;
    if (const auto offset = parse_offset(name)) {
        out.name_ = name;
        out.first_offset_seconds_ = *offset;
        return out;
    }
    std::error_code failed;
    if (name.empty()) {
        const char* environment = std::getenv("TZ");
        if (environment != nullptr && *environment != '\0')
            return find(environment[0] == ':' ? environment + 1 : environment);
        if (!fs::exists(local_zone_file, failed))
            return out;
        AMOSKYS_TRY(local, read_file(local_zone_file, file_bytes_max));
        return parse(as_bytes(local), "local");
    }
    const fs::path file = fs::path(zone_database) / name;
    if (!safe_name(name) ||
        (fs::exists(zone_database, failed) && !fs::is_regular_file(file, failed)))
        return make_error(ErrorKind::usage, "time_zone",
                          "unknown time zone '" + printable(name) + "'",
                          "a name like America/Chicago, an offset like -05:00, or UTC");
    if (!fs::exists(file, failed))
        return make_error(ErrorKind::no_input, "time_zone_database",
                          "time zone '" + printable(name) + "': there is no " +
                              std::string(zone_database) + " on this machine",
                          "install tzdata, or give an offset: --tz=-05:00");
    AMOSKYS_TRY(content, read_file(file, file_bytes_max));
    return parse(as_bytes(content), std::string(name));
}

Result<TimeZone> TimeZone::parse(ByteView tzif, std::string name) {
    const auto bad = [&name](std::string_view what) {
        return make_error(ErrorKind::bad_data, "time_zone_file",
                          "time zone file of " + name + ": " + std::string(what));
    };
    auto header = read_header(tzif);
    if (!header)
        return bad("not in the TZif format");
    std::uint64_t time_bytes = 4;
    ByteView body = tzif.subspan(header_bytes);
    if (header->version >= '2') {  // the same again with times of 64 bits
        if (body.size() < header->body_bytes(4))
            return bad("cut short");
        body = body.subspan(header->body_bytes(4));
        header = read_header(body);
        if (!header)
            return bad("no second header");
        body = body.subspan(header_bytes);
        time_bytes = 8;
    }
    if (header->types == 0 || body.size() < header->body_bytes(time_bytes))
        return bad("cut short");
    const ByteView indices = body.subspan(header->times * time_bytes, header->times);
    const ByteView types = body.subspan(header->times * (time_bytes + 1), header->types * 6ULL);
    const auto offset_of = [&types](std::size_t type) {
        return static_cast<std::int32_t>(load_be32(&types[type * 6]));
    };
    TimeZone out;
    out.name_ = name;
    out.first_offset_seconds_ = offset_of(0);
    for (std::uint32_t i = 0; i < header->times; ++i) {
        const std::uint8_t* at = &body[i * time_bytes];
        const std::int64_t time = time_bytes == 8
                                      ? static_cast<std::int64_t>(load_be64(at))
                                      : std::int64_t{static_cast<std::int32_t>(load_be32(at))};
        if (indices[i] >= header->types ||
            (!out.transitions_.empty() && time <= out.transitions_.back().at))
            return bad("damaged transition " + std::to_string(i));
        out.transitions_.push_back({time, offset_of(indices[i])});
    }
    return out;
}

std::int64_t TimeZone::offset_seconds(UnixNanos time_ns) const {
    const auto seconds = static_cast<std::int64_t>(time_ns / 1'000'000'000);
    const auto after = std::ranges::upper_bound(transitions_, seconds, {}, &Transition::at);
    return after == transitions_.begin() ? first_offset_seconds_ : std::prev(after)->offset_seconds;
}

unsigned TimeZone::hour(UnixNanos time_ns) const {
    const auto seconds = static_cast<std::int64_t>(time_ns / 1'000'000'000);
    const std::int64_t local = seconds + offset_seconds(time_ns);
    const std::int64_t of_day = ((local % day_seconds) + day_seconds) % day_seconds;
    return static_cast<unsigned>(of_day / 3600);
}

}  // namespace amoskys
