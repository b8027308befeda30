// Drawing: shapes and texts onto one SVG document, and the axes of a plot. Texts may be anything
// that a device said: they are made printable, escaped and cut. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.h"

namespace amoskys::etl {

struct Point {
    double x = 0, y = 0;
};

struct TextStyle {
    double size = 11;
    const char* anchor = "start";  // start, middle, end
    const char* fill = "#222222";
    double turned = 0;  // degrees, clockwise, around its own place
    bool bold = false;
};

class Svg {
  public:
    Svg(double width, double height, std::string_view title);

    void text(Point at, std::string_view text, const TextStyle& style = {});
    void rectangle(Point corner, Point size, std::string_view fill);
    void line(Point from, Point to, std::string_view stroke, double width = 1);
    // Also as a closed surface, where a fill is given instead of a stroke.
    void path(const std::vector<Point>& points, std::string_view stroke, double width = 1.5);
    void surface(const std::vector<Point>& points, std::string_view fill, double opacity = 1);

    std::string finish();  // once

  private:
    void number(std::string_view attribute, double value);
    void points_of(const std::vector<Point>& points);

    std::string out_;
};

// At most `most` characters, with an ellipsis in the middle where it was longer.
std::string shortened(std::string_view text, std::size_t most);

// 1,500,000 as "1.5M", 0.00002 as "2e-05": at most four characters of digits.
std::string short_number(double value);

// Where an axis from `low` to `high` has its marks: multiples of 1, 2 or 5 times a power of ten.
std::vector<double> ticks(double low, double high, int about);

// The same for times, at round minutes, hours, days; with their texts.
std::vector<std::pair<UnixNanos, std::string>> time_ticks(UnixNanos low, UnixNanos high, int most);

}  // namespace amoskys::etl
