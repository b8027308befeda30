#include "modules/collectors/replay/decoder.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/base/text.h"

namespace amoskys::replay {
namespace {

constexpr std::size_t piece_bytes = 1 << 20;
constexpr std::size_t shown_bytes = 60;

std::string shown(std::string_view text) {
    return "\"" + printable(text.substr(0, shown_bytes)) +
           (text.size() > shown_bytes ? "..." : "") + "\"";
}

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr UnixNanos year_2000_ns = 946'684'800 * second_ns,
                    year_2100_ns = 4'102'444'800 * second_ns;
// In the order of TimeUnit.
constexpr std::uint64_t units_ns[] = {second_ns, 1'000'000, 1000, 1};
constexpr std::string_view unit_names[] = {"s", "ms", "us", "ns"};

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Digits, with a fraction where the unit is not the smallest; nothing where it is none or too big.
std::optional<UnixNanos> scaled(std::string_view text, std::uint64_t unit_ns) {
    const auto point = std::min(text.find('.'), text.size());
    const std::string_view whole_text = text.substr(0, point);
    std::string_view fraction = text.substr(std::min(point + 1, text.size()));
    std::uint64_t whole = 0;
    const bool fits =
        is_digits(whole_text) &&
        std::from_chars(whole_text.data(), whole_text.data() + whole_text.size(), whole).ec ==
            std::errc() &&
        whole <= UINT64_MAX / unit_ns - 1;
    if (!fits || (point != text.size() && (!is_digits(fraction) || unit_ns == 1)))
        return std::nullopt;
    std::uint64_t part = 0, digit = unit_ns / 10;
    for (; !fraction.empty() && digit != 0; fraction.remove_prefix(1), digit /= 10)
        part += static_cast<std::uint64_t>(fraction.front() - '0') * digit;
    return whole * unit_ns + part;
}

// A number before the year 2000 is one of another unit, or of a clock that was never set.
Error too_early(const Place& place, std::size_t column, std::string_view text, UnixNanos value) {
    Error error = bad_row(
        place, column,
        "time " + shown(text) + " would be " + format_time(value) + ", before the year 2000");
    for (std::size_t i = 0; i < std::size(units_ns); ++i)
        if (const auto other = scaled(text, units_ns[i]);
            other && *other >= year_2000_ns && *other < year_2100_ns)
            error.hint = "as " + std::string(unit_names[i]) + " it is " + format_time(*other) +
                         ": --time-unit " + std::string(unit_names[i]);
    if (error.hint.find("--time-unit") == std::string::npos)
        error.hint = "--time-unit s, ms, us or ns takes it as it is";
    return error;
}

}  // namespace

Error bad_row(const Place& place, std::size_t column, std::string what) {
    return make_error(ErrorKind::bad_data, "replay_bad_row",
                      std::string(place.file) + ":" + std::to_string(place.line) + ":" +
                          std::to_string(column) + ": " + std::move(what),
                      "nothing of the files was published");
}

Result<> check_name(const Place& place, std::size_t column, std::string_view what,
                    std::string_view name) {
    if (name.empty())
        return bad_row(place, column, std::string(what) + " is empty");
    if (name.size() > max_name_bytes)
        return bad_row(place, column,
                       std::string(what) + " has " + std::to_string(name.size()) +
                           " bytes; the limit is " + std::to_string(max_name_bytes));
    const bool plain =
        std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!plain && (!valid_utf8(name) || printable(name) != name))
        return bad_row(place, column,
                       std::string(what) + " " + shown(name) + " is not printable UTF-8");
    return {};
}

Result<UnixNanos> read_time(const Place& place, std::size_t column, std::string_view text,
                            bool nanoseconds, TimeUnit unit) {
    UnixNanos value = 0;
    const bool number =
        nanoseconds || text.find_first_not_of("0123456789.") == std::string_view::npos;
    if (unit != TimeUnit::by_column && number) {
        const std::size_t at = static_cast<std::size_t>(unit) - 1;
        const auto time = scaled(text, units_ns[at]);
        if (!time)
            return bad_row(
                place, column,
                "time " + shown(text) + " is not Unix time in " + std::string(unit_names[at]));
        value = *time;
    } else if (nanoseconds) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size())
            return bad_row(place, column,
                           "time " + shown(text) + " is not Unix nanoseconds (digits)");
    } else if (text.starts_with("-")) {
        return bad_row(place, column,
                       "time " + shown(text) + " is relative; RFC 3339 or Unix time is needed");
    } else if (auto parsed = parse_time(text, 0)) {
        value = *parsed;
    } else {
        return bad_row(place, column, "time " + shown(text) + " is neither RFC 3339 nor Unix time");
    }
    if (value == 0)
        return bad_row(place, column, "time is 0");
    if (number && unit == TimeUnit::by_column && value < year_2000_ns)
        return too_early(place, column, text, value);
    return value;
}

Result<> read_number(const Place& place, std::size_t column, std::string_view text, Value& out) {
    constexpr std::uint64_t exact_in_double = std::uint64_t{1} << 53;
    const char* const begin = text.data() + (text.starts_with("+") ? 1 : 0);
    const char* const end = text.data() + text.size();
    double number = 0;
    const auto [stop, error] = std::from_chars(begin, end, number);
    if (error == std::errc::result_out_of_range && stop == end)
        return bad_row(place, column,
                       "value " + shown(text) + " does not fit a 64-bit floating-point number");
    if (error != std::errc() || stop != end)
        return bad_row(place, column,
                       "value " + shown(text) + " is not a number; an empty cell means missing");
    if (!std::isfinite(number))
        return bad_row(
            place, column,
            "value " + shown(text) + " is not finite; leave the cell empty where missing");
    out.value = number;
    std::uint64_t whole = 0;
    if (number >= static_cast<double>(exact_in_double))
        if (const auto exact = std::from_chars(begin, end, whole);
            exact.ec == std::errc() && exact.ptr == end)
            out.value = whole;
    return {};
}

Result<> read_type(const Place& place, std::size_t column, std::string_view text, Value& out) {
    constexpr std::string_view types[] = {"GAUGE", "COUNTER", "HISTOGRAM", "SUMMARY", "TEXT"};
    if (text.empty())
        return {};
    for (const auto type : types) {
        const bool same = std::equal(
            text.begin(), text.end(), type.begin(), type.end(),
            [](char a, char b) { return a == b || (a >= 'a' && a <= 'z' && a - 'a' + 'A' == b); });
        if (same) {
            out.type = type;
            return {};
        }
    }
    return bad_row(
        place, column,
        "type " + shown(text) + " is not one of GAUGE, COUNTER, HISTOGRAM, SUMMARY, TEXT");
}

Result<> read_text(const Place& place, std::size_t column, std::string_view text, Value& out) {
    if (text.size() > max_text_bytes)
        return bad_row(place, column,
                       "the text has " + std::to_string(text.size()) + " bytes; the limit is " +
                           std::to_string(max_text_bytes));
    if (!valid_utf8(text))
        return bad_row(place, column, "text " + shown(text) + " is not valid UTF-8");
    out.value = text;
    return {};
}

bool is_device_column(std::string_view name) {
    return name == "device_id" || name == "device";
}

bool is_time_column(std::string_view name, bool& nanoseconds) {
    nanoseconds = name == "ts_ns" || name == "timestamp_ns";
    return nanoseconds || name == "time" || name == "timestamp";
}

std::pair<char*, std::size_t> FileDecoder::room() {
    if (begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() < end_ + piece_bytes)
        buffer_.resize(end_ + piece_bytes);
    return {buffer_.data() + end_, piece_bytes};
}

Result<> FileDecoder::take(std::size_t size) {
    end_ += size;
    at_end_ = size == 0;
    if (!decoder_ && (at_end_ || end_ - begin_ > 3))
        AMOSKYS_TRY_VOID(detect());
    return {};
}

// NDJSON begins with '{' (after blanks); everything else is CSV. A byte order mark is left out.
Result<> FileDecoder::detect() {
    const std::string_view start(buffer_.data() + begin_, end_ - begin_);
    if (start.starts_with("\xef\xbb\xbf"))
        begin_ += 3;
    if (start.starts_with("\xff\xfe") || start.starts_with("\xfe\xff"))
        return bad_row({file_, 1}, 1, "the file is UTF-16; UTF-8 is needed");
    if (format_ == Format::detect) {
        const std::string_view text(buffer_.data() + begin_, end_ - begin_);
        const auto first = text.find_first_not_of(" \t\r\n");
        format_ =
            first != std::string_view::npos && text[first] == '{' ? Format::ndjson : Format::csv;
    }
    decoder_ = format_ == Format::csv ? make_csv_decoder() : make_ndjson_decoder();
    decoder_->time_unit = time_unit_;
    return {};
}

// Position behind the record at begin_ (its newline included); npos where the buffer does not hold
// it whole.
std::size_t FileDecoder::find_end() {
    const bool quotes = decoder_->quotes();
    std::size_t at = begin_ + searched_;
    while (at < end_) {
        const char* const from = buffer_.data() + at;
        const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - at));
        const char* const stop = newline == nullptr ? buffer_.data() + end_ : newline;
        if (quotes)
            for (const char* p = from;
                 (p = static_cast<const char*>(
                      std::memchr(p, '"', static_cast<std::size_t>(stop - p)))) != nullptr;
                 ++p)
                in_quotes_ = !in_quotes_;
        at = static_cast<std::size_t>(stop - buffer_.data());
        if (newline == nullptr)
            break;
        ++at;
        ++record_lines_;
        if (!in_quotes_)
            return at;
    }
    searched_ = at - begin_;
    return std::string::npos;
}

Result<bool> FileDecoder::next_record(std::string_view& record) {
    std::size_t end = find_end();
    if (end == std::string::npos) {
        if (end_ - begin_ > max_line_bytes)
            return bad_row({file_, line_}, 1,
                           "the record is longer than " + std::to_string(max_line_bytes) +
                               " bytes" + (in_quotes_ ? "; a quote is not closed" : ""));
        if (!at_end_ || begin_ == end_)
            return false;
        if (in_quotes_)
            return bad_row({file_, line_}, 1, "a quote that opens in this record is not closed");
        end = end_;
    }
    record = {buffer_.data() + begin_, end - begin_};
    if (record.ends_with('\n'))
        record.remove_suffix(1);
    if (record.ends_with('\r'))
        record.remove_suffix(1);
    begin_ = end;
    searched_ = 0;
    in_quotes_ = false;
    return true;
}

Result<bool> FileDecoder::next(Row& row) {
    while (decoder_) {
        const Place place{file_, line_};
        std::string_view record;
        AMOSKYS_TRY(found, next_record(record));
        if (!found) {
            if (at_end_ && !finished_) {
                finished_ = true;
                AMOSKYS_TRY_VOID(decoder_->finish(place));
            }
            return false;
        }
        row.values.clear();
        AMOSKYS_TRY_VOID(decoder_->decode(record, place, row));
        line_ += record_lines_;
        record_lines_ = 0;
        if (!row.values.empty())
            return true;
    }
    return false;
}

}  // namespace amoskys::replay
