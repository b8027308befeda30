#include "core/base/clock.h"

#include <time.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "core/base/text.h"

namespace amoskys {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000ULL;

class SystemClock final : public Clock {
  public:
    UnixNanos now_ns() const override {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        return static_cast<UnixNanos>(now.tv_sec) * second_ns + static_cast<UnixNanos>(now.tv_nsec);
    }
    std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::now();
    }
};

Error bad_time(std::string_view text) {
    return make_error(ErrorKind::usage, "bad_time",
                      "time '" + printable(text) +
                          "': allowed are RFC 3339 (2026-11-21T10:00:00Z), a date (2026-11-21), "
                          "Unix time in digits, or a time ago (-15m, -2h, -7d)");
}

// Reads exactly `count` digits at `pos`; false where there are fewer.
bool read_digits(std::string_view text, std::size_t& pos, std::size_t count, int& out) {
    if (pos + count > text.size())
        return false;
    out = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const char c = text[pos + i];
        if (c < '0' || c > '9')
            return false;
        out = out * 10 + (c - '0');
    }
    pos += count;
    return true;
}

bool read_char(std::string_view text, std::size_t& pos, std::string_view any_of) {
    if (pos >= text.size() || any_of.find(text[pos]) == std::string_view::npos)
        return false;
    ++pos;
    return true;
}

// Days since 1970-01-01 of a proleptic Gregorian date; -1 for a date that does not exist.
std::int64_t days_of(int year, int month, int day) {
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    return date.ok() ? std::chrono::sys_days(date).time_since_epoch().count() : -1;
}

bool read_fraction(std::string_view text, std::size_t& pos, std::uint64_t& nanos) {
    std::uint64_t unit = second_ns / 10;
    const std::size_t begin = pos;
    for (; pos < text.size() && text[pos] >= '0' && text[pos] <= '9'; ++pos, unit /= 10)
        nanos += static_cast<std::uint64_t>(text[pos] - '0') * unit;
    return pos > begin && pos - begin <= 9;
}

// Seconds east of UTC: "Z" or "+hh:mm".
bool read_offset(std::string_view text, std::size_t& pos, std::int64_t& offset_s) {
    if (read_char(text, pos, "Zz"))
        return true;
    const bool west = pos < text.size() && text[pos] == '-';
    int hours = 0;
    int minutes = 0;
    if (!read_char(text, pos, "+-") || !read_digits(text, pos, 2, hours) ||
        !read_char(text, pos, ":") || !read_digits(text, pos, 2, minutes) || hours > 23 ||
        minutes > 59)
        return false;
    offset_s = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

Result<UnixNanos> parse_rfc3339(std::string_view text) {
    std::size_t pos = 0;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (!read_digits(text, pos, 4, year) || !read_char(text, pos, "-") ||
        !read_digits(text, pos, 2, month) || !read_char(text, pos, "-") ||
        !read_digits(text, pos, 2, day))
        return bad_time(text);
    const std::int64_t days = days_of(year, month, day);
    if (days < 0)
        return bad_time(text);
    if (pos == text.size())
        return static_cast<UnixNanos>(days) * 86400 * second_ns;
    std::uint64_t nanos = 0;
    std::int64_t offset_s = 0;
    if (!read_char(text, pos, "Tt ") || !read_digits(text, pos, 2, hour) ||
        !read_char(text, pos, ":") || !read_digits(text, pos, 2, minute) ||
        !read_char(text, pos, ":") || !read_digits(text, pos, 2, second) || hour > 23 ||
        minute > 59 || second > 59)
        return bad_time(text);
    if (read_char(text, pos, ".") && !read_fraction(text, pos, nanos))
        return bad_time(text);
    if (!read_offset(text, pos, offset_s) || pos != text.size())
        return bad_time(text);
    const std::int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    if (seconds < 0 || seconds > 18'446'744'072LL)
        return bad_time(text);
    return static_cast<UnixNanos>(seconds) * second_ns + nanos;
}

struct Unit {
    std::string_view name;
    double factor;
};

// A sequence of NUMBER UNIT pairs; the sum in the units' factors, or a negative value on an error.
double parse_with_units(std::string_view text, std::span<const Unit> units) {
    double total = 0;
    std::size_t pos = 0;
    while (pos < text.size()) {
        double number = 0;
        const auto [end, ec] =
            std::from_chars(text.data() + pos, text.data() + text.size(), number);
        if (ec != std::errc() || number < 0 || !std::isfinite(number))
            return -1;
        pos = static_cast<std::size_t>(end - text.data());
        while (pos < text.size() && text[pos] == ' ')
            ++pos;
        std::size_t name_end = pos;
        while (name_end < text.size() &&
               ((text[name_end] | 32) >= 'a' && (text[name_end] | 32) <= 'z'))
            ++name_end;
        const std::string_view name = text.substr(pos, name_end - pos);
        const Unit* found = nullptr;
        for (const Unit& unit : units)
            if (unit.name == name)
                found = &unit;
        if (found == nullptr)
            return -1;
        total += number * found->factor;
        pos = name_end;
    }
    return text.empty() ? -1 : total;
}

constexpr std::array<Unit, 7> duration_units{
    {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 12> size_units{{{"", 1},
                                           {"B", 1},
                                           {"KiB", 1024},
                                           {"MiB", 1048576},
                                           {"GiB", 1073741824},
                                           {"TiB", 1099511627776},
                                           {"kB", 1e3},
                                           {"KB", 1e3},
                                           {"MB", 1e6},
                                           {"GB", 1e9},
                                           {"TB", 1e12},
                                           {"bytes", 1}}};

}  // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

std::string format_time(UnixNanos time_ns) {
    const std::time_t seconds = static_cast<std::time_t>(time_ns / second_ns);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 48> out{};
    const int size =
        std::snprintf(out.data(), out.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ",
                      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                      parts.tm_min, parts.tm_sec, static_cast<unsigned>(time_ns % second_ns));
    return std::string(out.data(), static_cast<std::size_t>(size));
}

Result<UnixNanos> parse_time(std::string_view text, UnixNanos now_ns) {
    if (text == "now")
        return now_ns;
    if (text.size() > 1 && text[0] == '-') {
        const Result<Duration> ago = parse_duration(text.substr(1));
        if (!ago)
            return bad_time(text);
        const auto ago_ns = static_cast<UnixNanos>(ago->count());
        return ago_ns > now_ns ? UnixNanos{0} : now_ns - ago_ns;
    }
    std::uint64_t digits = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), digits);
    if (ec == std::errc() && end == text.data() + text.size()) {
        // Unix time in s, ms, us or ns: each range below covers the years 1973 to 5138 of its unit.
        for (std::uint64_t factor : {second_ns, std::uint64_t{1'000'000}, std::uint64_t{1000}})
            if (digits < 100'000'000'000ULL * (second_ns / factor))
                return digits * factor;
        return digits;
    }
    return parse_rfc3339(text);
}

Result<Duration> parse_duration(std::string_view text) {
    const double nanos = text == "0" ? 0 : parse_with_units(text, duration_units);
    if (nanos < 0 || nanos > 9e18)
        return make_error(
            ErrorKind::usage, "bad_duration",
            "duration '" + printable(text) +
                "': a number and a unit (ns, us, ms, s, m, h, d), such as 250ms or 1m30s");
    return Duration(static_cast<std::int64_t>(std::llround(nanos)));
}

std::string format_duration(Duration duration) {
    std::int64_t left = duration.count();
    if (left == 0)
        return "0s";
    std::string out;
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> steps{
        {{"d", 86'400'000'000'000},
         {"h", 3'600'000'000'000},
         {"m", 60'000'000'000},
         {"s", 1'000'000'000},
         {"ms", 1'000'000},
         {"us", 1000},
         {"ns", 1}}};
    for (const auto& [name, size] : steps) {
        if (left / size == 0)
            continue;
        out += std::to_string(left / size);
        out += name;
        left %= size;
    }
    return out;
}

Result<std::uint64_t> parse_size(std::string_view text) {
    const double bytes = parse_with_units(text, size_units);
    if (bytes < 0 || bytes > 1.8e19)
        return make_error(
            ErrorKind::usage, "bad_size",
            "size '" + printable(text) +
                "': bytes, or a number and a unit (KiB, MiB, GiB, TiB, kB, MB, GB, TB)");
    return static_cast<std::uint64_t>(bytes);
}

std::string format_size(std::uint64_t size_bytes) {
    constexpr std::array<std::string_view, 5> names{"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(size_bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < names.size()) {
        value /= 1024;
        ++unit;
    }
    std::array<char, 32> out{};
    const bool whole = unit == 0 || value == std::floor(value);
    const int size = std::snprintf(out.data(), out.size(), whole ? "%.0f %s" : "%.1f %s", value,
                                   names[unit].data());
    return std::string(out.data(), static_cast<std::size_t>(size));
}

}  // namespace amoskys
