// The pictures that are rows of small plots: distributions and temporal patterns.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "modules/transformation/etl/pictures.h"
#include "modules/transformation/etl/svg.h"

namespace amoskys::etl {
namespace {

constexpr const char* ink = "#444444";
constexpr const char* pale = "#e6e6e6";
constexpr const char* muted = "#666666";
// Of Okabe and Ito's palette, told apart by every kind of colour vision.
constexpr const char* blue = "#0072b2";
constexpr const char* orange = "#d55e00";

// One plot with its own scales.
struct Panel {
    Point corner, size;
    double x_low = 0, x_high = 1, y_low = 0, y_high = 1;

    double x(double value) const { return corner.x + size.x * (value - x_low) / (x_high - x_low); }
    double y(double value) const {
        return corner.y + size.y * (1 - (value - y_low) / (y_high - y_low));
    }
    double bottom() const { return corner.y + size.y; }
    double right() const { return corner.x + size.x; }
};

std::string minus(std::string text) {
    return text.starts_with("-") ? "\xe2\x88\x92" + text.substr(1) : text;
}

void draw_y_axis(Svg& svg, const Panel& panel, int about) {
    for (const double tick : ticks(panel.y_low, panel.y_high, about)) {
        svg.line({panel.corner.x, panel.y(tick)}, {panel.right(), panel.y(tick)}, pale, 0.8);
        svg.text({panel.corner.x - 5, panel.y(tick) + 3.4}, minus(short_number(tick)),
                 {.size = 9.5, .anchor = "end"});
    }
}

void draw_frame(Svg& svg, const Panel& panel) {
    svg.line(panel.corner, {panel.corner.x, panel.bottom()}, ink);
    svg.line({panel.corner.x, panel.bottom()}, {panel.right(), panel.bottom()}, ink);
}

std::string title_of(const Layout& layout, module::ColumnId id, std::size_t most) {
    const module::FeatureColumn& column = layout.columns[id];
    return shortened(column.metric.empty() ? column.name : column.metric, most);
}

// --- distributions ---------------------------------------------------------------------------

constexpr std::size_t bins = 50;

struct Histogram {
    double low = 0, high = 1;
    std::array<double, bins> train{}, validation{};
    double train_count = 0, validation_count = 0;
};

double at_fraction(std::vector<double>& values, double fraction) {
    const auto at = static_cast<std::ptrdiff_t>(fraction * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

Histogram histogram_of(const PictureInput& input, module::ColumnId id) {
    const ColumnQuality& q = input.quality[id];
    const double range = q.q75 > q.q25 ? q.q75 - q.q25 : 1;
    std::vector<double> all;
    for (const Slice& slice : input.store.slices())
        for (const double value : slice.column(id))
            if (std::isfinite(value))
                all.push_back((value - q.median) / range);
    Histogram out;
    if (all.empty())
        return out;
    out.low = at_fraction(all, 0.005);
    out.high = at_fraction(all, 0.995);
    if (!(out.high > out.low)) {
        out.low -= 1;
        out.high += 1;
    }
    for (const Slice& slice : input.store.slices()) {
        const auto values = slice.column(id);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double place =
                ((values[i] - q.median) / range - out.low) / (out.high - out.low) * bins;
            if (!(place >= 0 && place <= bins))
                continue;
            const std::size_t bin = std::min(static_cast<std::size_t>(place), bins - 1);
            if (slice.parts[i] == Part::train)
                ++out.train[bin], ++out.train_count;
            else if (slice.parts[i] == Part::validation)
                ++out.validation[bin], ++out.validation_count;
        }
    }
    for (double& count : out.train)
        count *= 100 / std::max(out.train_count, 1.0);
    for (double& count : out.validation)
        count *= 100 / std::max(out.validation_count, 1.0);
    return out;
}

std::vector<Point> steps_of(const Panel& panel, const std::array<double, bins>& shares, double low,
                            double high) {
    std::vector<Point> out = {{panel.x(low), panel.y(0)}};
    for (std::size_t i = 0; i < bins; ++i) {
        const double width = (high - low) / bins, left = low + width * static_cast<double>(i);
        out.push_back({panel.x(left), panel.y(shares[i])});
        out.push_back({panel.x(left + width), panel.y(shares[i])});
    }
    out.push_back({panel.x(high), panel.y(0)});
    return out;
}

// Returns whether there was a validation part.
bool draw_distribution(Svg& svg, Panel panel, const PictureInput& input, module::ColumnId id) {
    const Histogram histogram = histogram_of(input, id);
    panel.x_low = histogram.low;
    panel.x_high = histogram.high;
    const double most =
        std::max(*std::max_element(histogram.train.begin(), histogram.train.end()),
                 *std::max_element(histogram.validation.begin(), histogram.validation.end()));
    panel.y_high = std::max(most, 1e-9) * 1.08;
    draw_y_axis(svg, panel, 4);
    svg.surface(steps_of(panel, histogram.train, histogram.low, histogram.high), blue, 0.35);
    if (histogram.validation_count > 0)
        svg.path(steps_of(panel, histogram.validation, histogram.low, histogram.high), orange, 1.4);
    draw_frame(svg, panel);
    for (const double tick : ticks(panel.x_low, panel.x_high, 4)) {
        svg.line({panel.x(tick), panel.bottom()}, {panel.x(tick), panel.bottom() + 4}, ink);
        svg.text({panel.x(tick), panel.bottom() + 15}, minus(short_number(tick)),
                 {.size = 9.5, .anchor = "middle"});
    }
    svg.text({panel.corner.x, panel.corner.y - 7}, title_of(input.layout, id, 30),
             {.size = 11, .bold = true});
    return histogram.validation_count > 0;
}

// --- temporal patterns -----------------------------------------------------------------------

struct TimeBin {
    bool filled = false;
    double low = 0, median = 0, high = 0;
};

struct TimeSpan {
    UnixNanos begin_ns = UINT64_MAX, end_ns = 0;  // of the windows' starts
    UnixNanos validation_ns = UINT64_MAX;         // start of the first validation window
    std::size_t bins = 1;
    std::size_t bin(UnixNanos start_ns) const {
        const double share = static_cast<double>(start_ns - begin_ns) /
                             static_cast<double>(std::max<UnixNanos>(end_ns - begin_ns, 1));
        return std::min(static_cast<std::size_t>(share * static_cast<double>(bins)), bins - 1);
    }
};

TimeSpan time_span(const FeatureStore& store) {
    TimeSpan out;
    std::uint64_t longest = 0, rows = 0;
    std::string_view device;
    for (const Slice& slice : store.slices()) {
        out.begin_ns = std::min(out.begin_ns, slice.starts.front());
        out.end_ns = std::max(out.end_ns, slice.starts.back());
        for (std::size_t i = 0; i < slice.rows(); ++i)
            if (slice.parts[i] == Part::validation)
                out.validation_ns = std::min(out.validation_ns, slice.starts[i]);
        rows = slice.device == device ? rows + slice.rows() : slice.rows();
        device = slice.device;
        longest = std::max(longest, rows);
    }
    // Two windows a bin at least, else the bins' edges beat against the step.
    out.bins = std::clamp<std::size_t>(longest / 2, 1, 180);
    return out;
}

std::vector<TimeBin> time_bins(const PictureInput& input, module::ColumnId id,
                               const TimeSpan& span) {
    std::vector<std::vector<double>> values(span.bins);
    for (const Slice& slice : input.store.slices()) {
        const auto column = slice.column(id);
        for (std::size_t i = 0; i < column.size(); ++i)
            if (std::isfinite(column[i]))
                values[span.bin(slice.starts[i])].push_back(column[i]);
    }
    std::vector<TimeBin> out(span.bins);
    for (std::size_t i = 0; i < span.bins; ++i)
        if (!values[i].empty())
            out[i] = {true, at_fraction(values[i], 0.1), at_fraction(values[i], 0.5),
                      at_fraction(values[i], 0.9)};
    return out;
}

// A stretch without gaps, from bin `from` up to `to`: the band and the line through the middles.
void draw_stretch(Svg& svg, const Panel& panel, const std::vector<TimeBin>& values,
                  std::size_t from, std::size_t to) {
    std::vector<Point> band, line;
    for (std::size_t i = from; i < to; ++i) {
        const double x = panel.x(static_cast<double>(i) + 0.5);
        band.push_back({x, panel.y(values[i].high)});
        line.push_back({x, panel.y(values[i].median)});
    }
    if (line.size() == 1) {  // a lone bin is as wide as it is
        band.push_back({band[0].x + 2, band[0].y});
        line.push_back({line[0].x + 2, line[0].y});
        svg.path(line, blue);
        return;
    }
    for (std::size_t i = to; i-- > from;)
        band.push_back({panel.x(static_cast<double>(i) + 0.5), panel.y(values[i].low)});
    svg.surface(band, blue, 0.22);
    svg.path(line, blue);
}

void draw_series(Svg& svg, Panel panel, const PictureInput& input, module::ColumnId id,
                 const TimeSpan& span) {
    const std::vector<TimeBin> values = time_bins(input, id, span);
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const TimeBin& bin : values)
        if (bin.filled) {
            low = std::min(low, bin.low);
            high = std::max(high, bin.high);
        }
    if (!(high >= low))
        low = high = 0;
    const double room = high > low ? 0.06 * (high - low) : std::max(std::abs(high) * 0.1, 1e-9);
    panel.y_low = low >= 0 && low < 0.3 * high ? 0 : low - room;
    panel.y_high = high + room;
    panel.x_high = static_cast<double>(span.bins);
    draw_y_axis(svg, panel, 5);
    for (std::size_t from = 0; from < values.size();) {
        std::size_t to = from;
        while (to < values.size() && values[to].filled)
            ++to;
        if (to > from)
            draw_stretch(svg, panel, values, from, to);
        from = to + 1;
    }
    draw_frame(svg, panel);
    const std::string& unit = input.layout.columns[id].unit;
    svg.text({panel.corner.x, panel.corner.y - 7}, title_of(input.layout, id, 60),
             {.size = 11, .bold = true});
    if (!unit.empty())
        svg.text({panel.corner.x - 44, panel.corner.y + panel.size.y / 2}, shortened(unit, 16),
                 {.size = 10, .anchor = "middle", .turned = -90});
}

void draw_time_axis(Svg& svg, const Panel& panel, const TimeSpan& span) {
    const auto whole = static_cast<double>(std::max<UnixNanos>(span.end_ns - span.begin_ns, 1));
    const auto place = [&](UnixNanos at) {
        return panel.corner.x + panel.size.x * static_cast<double>(at - span.begin_ns) / whole;
    };
    for (const auto& [at, text] : time_ticks(span.begin_ns, span.end_ns, 8)) {
        svg.line({place(at), panel.bottom()}, {place(at), panel.bottom() + 4}, ink);
        svg.text({place(at), panel.bottom() + 16}, text, {.size = 9.5, .anchor = "middle"});
    }
    const std::string first = format_time(span.begin_ns).substr(0, 10),
                      last = format_time(span.end_ns).substr(0, 10);
    svg.text({panel.corner.x + panel.size.x / 2, panel.bottom() + 33},
             "start of the window, UTC, " + first + (first == last ? "" : " to " + last),
             {.size = 10.5, .anchor = "middle"});
    if (span.validation_ns > span.begin_ns && span.validation_ns <= span.end_ns) {
        const double x = place(span.validation_ns);
        svg.line({x, 62}, {x, panel.bottom()}, muted, 0.8);
        svg.text({x + 4, 60}, "validation from here on", {.size = 9.5, .fill = muted});
    }
}

}  // namespace

std::string distributions_svg(const PictureInput& input) {
    const std::vector<module::ColumnId> columns = key_columns(input, 6);
    const std::size_t rows = std::max<std::size_t>((columns.size() + 2) / 3, 1);
    constexpr double plot_width = 196, plot_height = 126, across = 242, down = 190;
    const double height = 66 + down * static_cast<double>(rows) + 18;
    Svg svg(760, height, "Distributions of scaled metrics");
    svg.text({16, 24}, "Distributions of scaled metrics", {.size = 14, .bold = true});
    if (columns.empty()) {
        svg.text({16, 44}, "no metric varies: nothing to draw", {.fill = muted});
        return svg.finish();
    }
    svg.text({16, 42},
             "window means, 50 bins; scaled as (x \xe2\x88\x92 median) / (q75 \xe2\x88\x92 q25) of "
             "the training part; "
             "the outer 0.5 % on each side are not shown",
             {.size = 10.5, .fill = muted});
    bool validated = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const Panel panel{.corner = {58 + across * static_cast<double>(i % 3),
                                     86 + down * static_cast<double>(i / 3)},
                          .size = {plot_width, plot_height}};
        validated = draw_distribution(svg, panel, input, columns[i]) || validated;
        if (i % 3 == 0)
            svg.text({22, panel.corner.y + plot_height / 2}, "% of windows",
                     {.size = 10.5, .anchor = "middle", .turned = -90});
        if (i + 3 >= columns.size())
            svg.text({panel.corner.x + plot_width / 2, panel.bottom() + 31}, "scaled value",
                     {.size = 10.5, .anchor = "middle"});
    }
    svg.rectangle({520, 14}, {14, 10}, "#a6cee3");
    svg.text({539, 23}, validated ? "training" : "all windows", {.size = 10.5});
    if (validated) {
        svg.line({612, 19}, {630, 19}, orange, 1.8);
        svg.text({635, 23}, "validation", {.size = 10.5});
    }
    return svg.finish();
}

std::string temporal_svg(const PictureInput& input) {
    const std::vector<module::ColumnId> columns = key_columns(input, 5);
    constexpr double plot_height = 84, down = 122;
    const auto count = static_cast<double>(std::max<std::size_t>(columns.size(), 1));
    Svg svg(760, 84 + down * count + 26, "Metrics over time");
    svg.text({16, 24}, "Metrics over time", {.size = 14, .bold = true});
    if (columns.empty()) {
        svg.text({16, 44}, "no metric varies: nothing to draw", {.fill = muted});
        return svg.finish();
    }
    svg.text({16, 42},
             "window means of " + std::to_string(input.store.devices()) +
                 " devices: median (line), 10 % to 90 % (band); gaps are gaps",
             {.size = 10.5, .fill = muted});
    const TimeSpan span = time_span(input.store);
    Panel panel{.corner = {70, 86}, .size = {664, plot_height}};
    for (std::size_t i = 0; i < columns.size(); ++i) {
        panel.corner.y = 86 + down * static_cast<double>(i);
        draw_series(svg, panel, input, columns[i], span);
    }
    draw_time_axis(svg, panel, span);
    return svg.finish();
}

}  // namespace amoskys::etl
