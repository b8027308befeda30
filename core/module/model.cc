#include "core/module/model.h"

namespace amoskys::module {

std::vector<std::pair<std::size_t, std::size_t>> series_of(const FeatureTable& table) {
    std::vector<std::pair<std::size_t, std::size_t>> out;
    std::vector<std::size_t> starts = table.series;
    if (starts.empty())
        starts.push_back(0);
    for (std::size_t i = 0; i < starts.size(); ++i)
        out.emplace_back(starts[i], i + 1 < starts.size() ? starts[i + 1] : table.rows());
    return out;
}

}  // namespace amoskys::module
