#include "modules/transformation/etl/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/base/number_text.h"
#include "core/base/text.h"

namespace amoskys::etl {
namespace {

constexpr std::size_t longest_text = 200;  // characters

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : shortened(text, longest_text)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

}  // namespace

std::string shortened(std::string_view text, std::size_t most) {
    // A text of a megabyte is not made printable first.
    std::string shown = printable(text.substr(0, 4 * most + 4));
    const auto length =
        static_cast<std::size_t>(std::count_if(shown.begin(), shown.end(), begins_character));
    if (length <= most && text.size() <= 4 * most + 4)
        return shown;
    const std::string end = printable(text.substr(text.size() - std::min(text.size(), most * 2)));
    const auto first = [](std::string_view all, std::size_t characters) {
        std::size_t at = 0;
        for (; at < all.size(); ++at)
            if (begins_character(all[at]) && characters-- == 0)
                break;
        return all.substr(0, at);
    };
    const auto last = [](std::string_view all, std::size_t characters) {
        std::size_t at = all.size();
        while (at > 0 && characters > 0)
            characters -= begins_character(all[--at]) ? 1 : 0;
        return all.substr(at);
    };
    const std::size_t head = most * 3 / 5;
    return std::string(first(shown, head)) + "\xe2\x80\xa6" +
           std::string(last(end, most - head - 1));
}

Svg::Svg(double width, double height, std::string_view title) {
    out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\"";
    number("width", width);
    number("height", height);
    out_ +=
        " viewBox=\"0 0 " + std::to_string(static_cast<int>(width)) + " " +
        std::to_string(static_cast<int>(height)) +
        "\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" role=\"img\">\n<title>" +
        escaped(title) + "</title>\n";
    rectangle({0, 0}, {width, height}, "#ffffff");
}

void Svg::number(std::string_view attribute, double value) {
    out_ += ' ';
    out_ += attribute;
    out_ += "=\"";
    append_number(out_, std::round(value * 10) / 10, 7);
    out_ += '"';
}

void Svg::text(Point at, std::string_view text, const TextStyle& style) {
    out_ += "<text";
    number("x", at.x);
    number("y", at.y);
    number("font-size", style.size);
    out_ += " text-anchor=\"" + std::string(style.anchor) + "\" fill=\"" + style.fill + "\"";
    if (style.bold)
        out_ += " font-weight=\"bold\"";
    if (style.turned != 0) {
        std::array<char, 64> turn{};
        std::snprintf(turn.data(), turn.size(), " transform=\"rotate(%g %.1f %.1f)\"", style.turned,
                      at.x, at.y);
        out_ += turn.data();
    }
    out_ += ">" + escaped(text) + "</text>\n";
}

void Svg::rectangle(Point corner, Point size, std::string_view fill) {
    out_ += "<rect";
    number("x", corner.x);
    number("y", corner.y);
    number("width", size.x);
    number("height", size.y);
    out_ += " fill=\"" + std::string(fill) + "\"/>\n";
}

void Svg::line(Point from, Point to, std::string_view stroke, double width) {
    out_ += "<line";
    number("x1", from.x);
    number("y1", from.y);
    number("x2", to.x);
    number("y2", to.y);
    out_ += " stroke=\"" + std::string(stroke) + "\"";
    number("stroke-width", width);
    out_ += "/>\n";
}

void Svg::points_of(const std::vector<Point>& points) {
    out_ += " points=\"";
    for (const Point& point : points) {
        append_number(out_, std::round(point.x * 10) / 10, 7);
        out_ += ',';
        append_number(out_, std::round(point.y * 10) / 10, 7);
        out_ += ' ';
    }
    out_ += '"';
}

void Svg::path(const std::vector<Point>& points, std::string_view stroke, double width) {
    out_ +=
        "<polyline fill=\"none\" stroke-linejoin=\"round\" stroke=\"" + std::string(stroke) + "\"";
    number("stroke-width", width);
    points_of(points);
    out_ += "/>\n";
}

void Svg::surface(const std::vector<Point>& points, std::string_view fill, double opacity) {
    out_ += "<polygon fill=\"" + std::string(fill) + "\"";
    number("fill-opacity", opacity);
    points_of(points);
    out_ += "/>\n";
}

std::string Svg::finish() {
    return std::move(out_) + "</svg>\n";
}

std::string short_number(double value) {
    static constexpr std::array<std::pair<double, const char*>, 4> sizes = {
        {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
    std::string out;
    for (const auto& [size, letter] : sizes)
        if (std::abs(value) >= size && std::abs(value) < 1e15) {
            append_number(out, value / size, 3);
            return out + letter;
        }
    append_number(out, value, 3);
    return out;
}

std::vector<double> ticks(double low, double high, int about) {
    if (!(high > low) || !std::isfinite(high - low))
        return {low};
    const double rough = (high - low) / about;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double times = rough / power;
    const double step = (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10) * power;
    std::vector<double> out;
    for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i)
        out.push_back(i * step);
    return out;
}

std::vector<std::pair<UnixNanos, std::string>> time_ticks(UnixNanos low, UnixNanos high, int most) {
    constexpr UnixNanos second = 1'000'000'000, minute = 60 * second, hour = 60 * minute,
                        day = 24 * hour;
    static constexpr std::array steps = {
        second,     5 * second,  15 * second, 30 * second, minute,  2 * minute,
        5 * minute, 10 * minute, 15 * minute, 30 * minute, hour,    2 * hour,
        3 * hour,   6 * hour,    12 * hour,   day,         2 * day, 7 * day,
        14 * day,   28 * day,    91 * day,    364 * day};
    UnixNanos step = steps.back();
    for (const UnixNanos candidate : steps)
        if ((high - low) / candidate < static_cast<UnixNanos>(most)) {
            step = candidate;
            break;
        }
    std::vector<std::pair<UnixNanos, std::string>> out;
    for (UnixNanos at = (low + step - 1) / step * step; at <= high; at += step) {
        const std::string time = format_time(at);  // 2024-10-27T03:33:00.000000000Z
        out.emplace_back(at, step >= day || at % day == 0 ? time.substr(5, 5)
                             : step >= minute             ? time.substr(11, 5)
                                                          : time.substr(11, 8));
    }
    return out;
}

}  // namespace amoskys::etl
