#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/base/number_text.h"
#include "core/base/text.h"
#include "core/config/option.h"
#include "core/json/yaml_text.h"

namespace amoskys::config {

Secret::~Secret() {
    explicit_bzero(value.data(), value.size());
}

namespace detail {
namespace {

Error bad_value(std::string message) {
    return make_error(ErrorKind::config, "config_bad_value", std::move(message));
}

std::string quoted(std::string_view text) {
    constexpr std::size_t shown = 80;
    std::string out = "\"" + printable(text.substr(0, shown));
    return out + (text.size() > shown ? "...\"" : "\"");
}

std::string with_unit(std::string number, std::string_view unit) {
    return unit.empty() ? number : number + " " + std::string(unit);
}

// "250ms" -> "250 ms"; of several parts ("1m30s") nothing is changed.
std::string duration_text(Duration value) {
    std::string text = format_duration(value);
    const auto unit = text.find_first_not_of("-0123456789.");
    if (unit != std::string::npos && text.find_first_of("0123456789", unit) == std::string::npos)
        text.insert(unit, " ");
    return text;
}

Duration seconds(double value) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

// The bound in the words of the option's type.
std::string bound_text(const Option& option, double bound) {
    if (option.type == Type::duration)
        return duration_text(seconds(bound));
    if (option.type == Type::size)
        return format_size(static_cast<std::uint64_t>(bound));
    return with_unit(shortest_number(bound), option.unit);
}

Result<> check_bounds(const Option& option, double value, std::string_view value_text) {
    if (value < option.bounds.min)
        return bad_value(std::string(value_text) + " is below the minimum of " +
                         bound_text(option, option.bounds.min));
    if (value > option.bounds.max)
        return bad_value(std::string(value_text) + " is above the maximum of " +
                         bound_text(option, option.bounds.max));
    return {};
}

Result<> check_choice(const Option& option, std::string_view text) {
    if (option.flags.choices.empty())
        return {};
    const auto choices = split(option.flags.choices, '|');
    if (std::find(choices.begin(), choices.end(), text) != choices.end())
        return {};
    std::string allowed;
    for (const auto choice : choices)
        allowed += (allowed.empty() ? "" : ", ") + std::string(choice);
    Error error = bad_value(quoted(text) + " is not one of " + allowed);
    if (const auto near = nearest(text, choices); text.size() > 1 && !near.empty())
        error.hint = "did you mean " + std::string(near) + "?";
    return error;
}

template <class Integer>
Result<> parse_integer(const Option& option, std::string_view text, Integer& out) {
    const std::string_view digits = trim(text);
    Integer value = 0;
    const char* const end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    if (digits.empty() || parsed.ptr != end || parsed.ec == std::errc::invalid_argument) {
        const bool is_negative = std::is_unsigned_v<Integer> && digits.size() > 1 &&
                                 digits[0] == '-' &&
                                 digits.find_first_not_of("0123456789", 1) == digits.npos;
        if (is_negative)
            return bad_value(with_unit(std::string(digits), option.unit) +
                             " is below the minimum of " +
                             bound_text(option, std::max(option.bounds.min, 0.0)));
        return bad_value(quoted(text) + " is not a whole number" +
                         (option.unit.empty() ? "" : " (of " + std::string(option.unit) + ")"));
    }
    if (parsed.ec == std::errc::result_out_of_range)
        return bad_value(std::string(digits) + " does not fit into 64 bits");
    AMOSKYS_TRY_VOID(check_bounds(option, static_cast<double>(value),
                                  with_unit(std::string(digits), option.unit)));
    out = value;
    return {};
}

}  // namespace

Result<> parse_value(const Option&, std::string_view text, bool& out) {
    std::string lower(trim(text));
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    constexpr std::array<std::string_view, 4> yes{"true", "yes", "on", "1"};
    constexpr std::array<std::string_view, 4> no{"false", "no", "off", "0"};
    if (std::find(yes.begin(), yes.end(), lower) != yes.end())
        out = true;
    else if (std::find(no.begin(), no.end(), lower) != no.end())
        out = false;
    else
        return bad_value(quoted(text) + " is not a boolean; allowed are true and false");
    return {};
}

Result<> parse_value(const Option& option, std::string_view text, std::int64_t& out) {
    return parse_integer(option, text, out);
}

Result<> parse_value(const Option& option, std::string_view text, std::uint64_t& out) {
    return parse_integer(option, text, out);
}

Result<> parse_value(const Option& option, std::string_view text, double& out) {
    const std::string_view digits = trim(text);
    double value = 0;
    const char* const end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    if (digits.empty() || parsed.ptr != end || parsed.ec != std::errc() || !std::isfinite(value))
        return bad_value(quoted(text) + " is not a finite number");
    AMOSKYS_TRY_VOID(check_bounds(option, value, with_unit(std::string(digits), option.unit)));
    out = value;
    return {};
}

Result<> parse_value(const Option& option, std::string_view text, std::string& out) {
    if (text.find('\0') != text.npos || !valid_utf8(text))
        return bad_value(quoted(text) + " is not UTF-8 text");
    AMOSKYS_TRY_VOID(check_choice(option, text));
    if (option.flags.check != nullptr && !text.empty())
        AMOSKYS_TRY_VOID(option.flags.check(text));
    out = std::string(text);
    return {};
}

Result<> parse_value(const Option& option, std::string_view text, Duration& out) {
    const auto value = parse_duration(trim(text));
    if (!value)
        return bad_value(quoted(text) +
                         " is not a duration; write a number with a unit, as 250ms, 5s, 1m30s, 2h");
    AMOSKYS_TRY_VOID(
        check_bounds(option, std::chrono::duration<double>(*value).count(), duration_text(*value)));
    out = *value;
    return {};
}

Result<> parse_value(const Option& option, std::string_view text, Size& out) {
    const auto value = parse_size(trim(text));
    if (!value)
        return bad_value(quoted(text) +
                         " is not a size; write bytes or a number with a unit, as 131072, 64KiB, "
                         "200MiB");
    AMOSKYS_TRY_VOID(check_bounds(option, static_cast<double>(*value), format_size(*value)));
    out.bytes = *value;
    return {};
}

Result<> parse_value(const Option&, std::string_view text, Secret& out) {
    explicit_bzero(out.value.data(), out.value.size());
    out.value = std::string(text);
    return {};
}

Result<> parse_list(const Option& option, const std::vector<std::string>& items,
                    std::vector<std::string>& out) {
    for (const auto& item : items) {
        std::string unused;
        AMOSKYS_TRY_VOID(parse_value(option, item, unused));
    }
    out = items;
    return {};
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    if (trim(text).empty())
        return items;
    for (const auto item : split(text, ','))
        items.emplace_back(trim(item));
    return items;
}

std::string show_value(bool value) {
    return value ? "true" : "false";
}
std::string show_value(std::int64_t value) {
    return std::to_string(value);
}
std::string show_value(std::uint64_t value) {
    return std::to_string(value);
}
std::string show_value(double value) {
    return shortest_number(value);
}
std::string show_value(const std::string& value) {
    return json::yaml_scalar(value);
}
std::string show_value(Duration value) {
    return format_duration(value);
}

// Exact, unlike format_size: what is shown must load as the same value.
std::string show_value(const Size& value) {
    constexpr std::array<std::string_view, 3> units{"KiB", "MiB", "GiB"};
    std::uint64_t number = value.bytes;
    std::size_t unit = 0;
    while (unit < units.size() && number >= 1024 && number % 1024 == 0) {
        number /= 1024;
        ++unit;
    }
    return std::to_string(number) + (unit == 0 ? "" : std::string(units[unit - 1]));
}

std::string show_value(const Secret& value) {
    return value.value.empty() ? "\"\"" : "\"***\"";
}

std::string show_value(const std::vector<std::string>& value) {
    std::string out = "[";
    for (const auto& item : value)
        out += (out.size() > 1 ? ", " : "") + json::yaml_scalar(item);
    return out + "]";
}

}  // namespace detail
}  // namespace amoskys::config
