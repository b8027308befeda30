// Which metrics are drawn, and the correlations.
#include "modules/transformation/etl/pictures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

#include "modules/transformation/etl/svg.h"

namespace amoskys::etl {
namespace {

constexpr const char* grey = "#666666";

std::vector<double> values_of(const FeatureStore& store, module::ColumnId id) {
    std::vector<double> out;
    out.reserve(store.rows());
    for (const Slice& slice : store.slices()) {
        const auto values = slice.column(id);
        if (values.empty())
            out.resize(out.size() + slice.rows(), std::nan(""));
        else
            out.insert(out.end(), values.begin(), values.end());
    }
    return out;
}

// Blue over white to red, told apart by every kind of colour vision; NaN is grey.
std::string colour_of(double r) {
    if (std::isnan(r))
        return "#dddddd";
    constexpr std::array<double, 3> low = {33, 102, 172}, middle = {247, 247, 247},
                                    high = {178, 24, 43};
    const auto& end = r < 0 ? low : high;
    // A root brings out what is small.
    const double t = std::pow(std::min(std::abs(r), 1.0), 0.8);
    std::array<char, 8> text{};
    const auto mix = [&](std::size_t i) {
        return static_cast<unsigned>(std::lround(middle[i] + t * (end[i] - middle[i])));
    };
    std::snprintf(text.data(), text.size(), "#%02x%02x%02x", mix(0), mix(1), mix(2));
    return text.data();
}

std::string two_decimals(double value) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), std::abs(value) > 0.995 ? "%.0f" : "%.2f", value);
    std::string out = text.data();
    if (out.starts_with("-0."))
        return "\xe2\x88\x92" + out.substr(2);
    if (out.starts_with("0."))
        return out.substr(1);
    return out.starts_with("-") ? "\xe2\x88\x92" + out.substr(1) : out;
}

struct HeatMap {
    double left = 168, top = 58, cell = 0;
    std::size_t n = 0;
    double size() const { return cell * static_cast<double>(n); }
};

void draw_scale(Svg& svg, const HeatMap& map) {
    const double x = map.left + map.size() + 18, width = 13;
    const double height = std::min(map.size(), 260.0), top = map.top + (map.size() - height) / 2;
    constexpr int steps = 64;
    for (int i = 0; i < steps; ++i) {
        const double r = 1 - 2 * (i + 0.5) / steps;
        svg.rectangle({x, top + height * i / steps}, {width, height / steps + 0.4}, colour_of(r));
    }
    for (const double r : {1.0, 0.5, 0.0, -0.5, -1.0}) {
        const double y = top + height * (1 - r) / 2;
        svg.line({x + width, y}, {x + width + 4, y}, grey);
        std::string text = r < 0 ? "\xe2\x88\x92" : "";
        text += short_number(std::abs(r));
        svg.text({x + width + 7, y + 3.5}, text, {.size = 10});
    }
    svg.text({x + width + 42, top + height / 2}, "Pearson correlation r",
             {.size = 10.5, .anchor = "middle", .turned = -90});
}

std::string metric_name(const Layout& layout, module::ColumnId id) {
    const module::FeatureColumn& column = layout.columns[id];
    return column.metric.empty() ? column.name : column.metric;
}

}  // namespace

std::vector<module::ColumnId> key_columns(const PictureInput& input, std::size_t most) {
    std::vector<module::ColumnId> candidates;
    std::set<std::string_view> metrics;
    const auto offer = [&](bool means) {
        for (const module::ColumnId id : input.layout.order) {
            const module::FeatureColumn& column = input.layout.columns[id];
            const ColumnQuality& q = input.quality[id];
            if (q.count < 2 || q.zero_variance || (means && column.name != column.metric + "_mean"))
                continue;
            if (metrics.insert(column.metric.empty() ? column.name : column.metric).second)
                candidates.push_back(id);
        }
    };
    offer(true);
    if (candidates.empty())
        offer(false);
    static constexpr std::array<std::string_view, 12> words = {"cpu",  "mem",  "octets", "bytes_in",
                                                               "disk", "proc", "load",   "net",
                                                               "err",  "conn", "temp",   "storage"};
    std::vector<module::ColumnId> chosen;
    const auto choose = [&](module::ColumnId id) {
        if (chosen.size() < most && std::find(chosen.begin(), chosen.end(), id) == chosen.end())
            chosen.push_back(id);
    };
    for (const std::string_view word : words) {
        const auto named = std::find_if(candidates.begin(), candidates.end(), [&](auto id) {
            std::string name = input.layout.columns[id].metric.substr(0, 256);
            std::transform(name.begin(), name.end(), name.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
            });
            return name.find(word) != std::string::npos;
        });
        if (named != candidates.end())
            choose(*named);
    }
    for (const module::ColumnId id : candidates)
        choose(id);
    std::vector<module::ColumnId> out;
    for (const module::ColumnId id : candidates)
        if (std::find(chosen.begin(), chosen.end(), id) != chosen.end())
            out.push_back(id);
    return out;
}

double pearson(std::span<const double> a, std::span<const double> b) {
    double n = 0, sum_a = 0, sum_b = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!std::isnan(a[i]) && !std::isnan(b[i])) {
            n += 1;
            sum_a += a[i];
            sum_b += b[i];
        }
    const double mean_a = sum_a / n, mean_b = sum_b / n;
    double aa = 0, bb = 0, ab = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!std::isnan(a[i]) && !std::isnan(b[i])) {
            aa += (a[i] - mean_a) * (a[i] - mean_a);
            bb += (b[i] - mean_b) * (b[i] - mean_b);
            ab += (a[i] - mean_a) * (b[i] - mean_b);
        }
    return n < 3 || aa <= 0 || bb <= 0 ? std::nan("")
                                       : std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

std::string correlations_svg(const PictureInput& input) {
    const std::vector<module::ColumnId> columns = key_columns(input, 24);
    HeatMap map;
    map.n = columns.size();
    map.cell = std::min(34.0, 500.0 / static_cast<double>(std::max<std::size_t>(map.n, 1)));
    const double bottom = map.top + map.size();
    Svg svg(std::max(map.left + map.size() + 100, 420.0), bottom + 128, "Correlation of metrics");
    svg.text({16, 24}, "Correlation of metrics", {.size = 14, .bold = true});
    if (map.n < 2) {
        svg.text({16, 44}, "fewer than two metrics vary: nothing to correlate", {.fill = grey});
        return svg.finish();
    }
    svg.text({16, 42},
             "window means of " + std::to_string(input.store.rows()) + " windows, " +
                 std::to_string(input.store.devices()) + " devices",
             {.size = 10.5, .fill = grey});
    std::vector<std::vector<double>> values;
    for (const module::ColumnId id : columns)
        values.push_back(values_of(input.store, id));
    for (std::size_t row = 0; row < map.n; ++row) {
        const double y = map.top + map.cell * static_cast<double>(row);
        const std::string name = metric_name(input.layout, columns[row]);
        svg.text({map.left - 7, y + map.cell / 2 + 3.6}, shortened(name, 24),
                 {.size = 10.5, .anchor = "end"});
        const double x = map.left + map.cell * (static_cast<double>(row) + 0.5);
        svg.text({x + 3.6, bottom + 8}, shortened(name, 24),
                 {.size = 10.5, .anchor = "end", .turned = -60});
        for (std::size_t column = 0; column < map.n; ++column) {
            const double r = row == column ? 1 : pearson(values[row], values[column]);
            const Point corner{map.left + map.cell * static_cast<double>(column), y};
            svg.rectangle(corner, {map.cell - 0.8, map.cell - 0.8}, colour_of(r));
            // What is next to nothing says more as an empty cell.
            if (map.cell >= 20 && std::abs(r) >= 0.05 && row != column)
                svg.text({corner.x + map.cell / 2 - 0.4, corner.y + map.cell / 2 + 3},
                         two_decimals(r),
                         {.size = map.cell >= 28 ? 9.5 : 8,
                          .anchor = "middle",
                          .fill = std::abs(r) > 0.55 ? "#ffffff" : "#333333"});
        }
    }
    draw_scale(svg, map);
    return svg.finish();
}

}  // namespace amoskys::etl
