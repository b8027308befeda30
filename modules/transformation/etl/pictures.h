// The pictures of a run, as SVG: how metrics go together, how their values are distributed, and how
// they run over time. A choice of metrics is drawn (key_columns), by their means where there are.
// Pure functions of the store.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modules/transformation/etl/export.h"
#include "modules/transformation/etl/quality.h"

namespace amoskys::etl {

struct PictureInput {
    const FeatureStore& store;
    const Layout& layout;
    std::span<const ColumnQuality> quality;  // by ColumnId
};

inline constexpr std::string_view correlations_name = "feature_correlations.svg";
inline constexpr std::string_view distributions_name = "normalized_distributions.svg";
inline constexpr std::string_view temporal_name = "temporal_patterns.svg";

// One column per metric, METRIC_mean where there is one, of those whose values vary: at most
// `most`, first what names processor, memory, network, disk, processes and load, then in the
// layout's order; the result is in the layout's order.
std::vector<module::ColumnId> key_columns(const PictureInput& input, std::size_t most);

// Heat map of Pearson's correlation of at most 24 metrics.
std::string correlations_svg(const PictureInput& input);
// Histograms of at most 6 metrics, scaled by median and quartiles: training against validation.
std::string distributions_svg(const PictureInput& input);
// Median and middle four fifths over all devices of at most 5 metrics, against time.
std::string temporal_svg(const PictureInput& input);

// Of rows where both are there; NaN with fewer than three or where one does not vary.
double pearson(std::span<const double> a, std::span<const double> b);

}  // namespace amoskys::etl
