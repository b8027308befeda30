#include "core/module/model.h"

#include <algorithm>

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

std::vector<Contribution> largest_shares(std::span<const double> parts,
                                         std::span<const double> expected, std::size_t most) {
    double total = 0;
    std::vector<Contribution> out;
    for (std::size_t c = 0; c < parts.size(); ++c) {
        total += parts[c];
        if (parts[c] > 0)
            out.push_back({c, expected[c], parts[c]});
    }
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(std::min(most, out.size()));
    std::partial_sort(out.begin(), end, out.end(), [](const auto& a, const auto& b) {
        return a.share != b.share ? a.share > b.share : a.column < b.column;
    });
    out.erase(end, out.end());
    for (Contribution& part : out)
        part.share /= total;
    return out;
}

}  // namespace amoskys::module
