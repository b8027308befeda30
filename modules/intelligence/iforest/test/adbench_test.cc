// The published quality: mean over five seeds on ADBench sets, fit on all rows, score all rows,
// against what scikit-learn's forest reaches on them (within two of its standard deviations, at
// least .01).
#include <algorithm>
#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "modules/intelligence/iforest/iforest.h"

using namespace amoskys;
namespace fs = std::filesystem;

namespace {

struct Labelled {
    module::FeatureTable table;
    std::vector<bool> unusual;
    std::size_t positives() const {
        return static_cast<std::size_t>(std::count(unusual.begin(), unusual.end(), true));
    }
};

Labelled read_set(const fs::path& path) {
    Labelled out;
    std::ifstream in(path);
    std::string line, cell;
    std::getline(in, line);
    for (std::istringstream cells(line); std::getline(cells, cell, ',');)
        out.table.columns.push_back(cell);
    out.table.columns.pop_back();
    while (std::getline(in, line)) {
        std::istringstream cells(line);
        for (std::size_t i = 0; std::getline(cells, cell, ','); ++i) {
            double value = 0;
            std::from_chars(cell.data(), cell.data() + cell.size(), value);
            if (i < out.table.columns.size())
                out.table.values.push_back(value);
            else
                out.unusual.push_back(value > 0.5);
        }
    }
    return out;
}

struct Quality {
    double roc_auc = 0, average_precision = 0;
};

Quality quality_of(const std::vector<double>& scores, const Labelled& set) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    const auto positives = static_cast<double>(set.positives());
    const double negatives = static_cast<double>(scores.size()) - positives;
    Quality out;
    double found = 0, wrong = 0;
    for (std::size_t i = 0; i < order.size();) {
        const double before_found = found, before_wrong = wrong;
        const double score = scores[order[i]];
        for (; i < order.size() && scores[order[i]] == score; ++i)
            ++(set.unusual[order[i]] ? found : wrong);
        out.roc_auc += (wrong - before_wrong) * (found + before_found) / 2;
        out.average_precision += (found - before_found) * found / (found + wrong);
    }
    return {out.roc_auc / positives / negatives, out.average_precision / positives};
}

struct Expected {
    const char* name;
    double roc_auc, roc_auc_sd, average_precision, average_precision_sd;
};
constexpr Expected sets[] = {{"cardio", 0.932, 0.012, 0.563, 0.039},
                             {"thyroid", 0.978, 0.002, 0.518, 0.045},
                             {"mammography", 0.859, 0.004, 0.194, 0.017},
                             {"satellite", 0.696, 0.019, 0.657, 0.020},
                             {"http", 1.000, 0.000, 0.995, 0.009}};

}  // namespace

TEST_CASE("forest reaches scikit-learn's quality on the ADBench sets") {
    const fs::path folder = fs::path(AMOSKYS_SHARED_DATA) / "ml" / "adbench";
    if (!fs::exists(folder)) {
        WARN("skipped: no " << folder);
        return;
    }
    for (const Expected& expected : sets) {
        const Labelled set = read_set(folder / (std::string(expected.name) + ".csv"));
        Quality mean;
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
            const auto model = iforest::train(set.table, seed, Json::object()).value();
            std::vector<double> scores(set.table.rows());
            model->score(set.table.values, scores);
            const Quality one = quality_of(scores, set);
            mean.roc_auc += one.roc_auc / 5;
            mean.average_precision += one.average_precision / 5;
        }
        UNSCOPED_INFO(expected.name << ": ROC-AUC " << mean.roc_auc << ", average precision "
                                    << mean.average_precision);
        CHECK(std::abs(mean.roc_auc - expected.roc_auc) <=
              std::max(0.015, 2 * expected.roc_auc_sd));
        CHECK(std::abs(mean.average_precision - expected.average_precision) <=
              std::max(0.02, 2 * expected.average_precision_sd));
    }
}
