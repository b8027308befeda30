#include "modules/intelligence/score/drift.h"

#include <algorithm>
#include <cmath>

#include "core/model/forest.h"

namespace amoskys::score {
namespace {

constexpr std::size_t bins = 10;
constexpr double least_part = 1e-3;  // of a bin: an empty one must not make the index infinite

std::vector<float> present_values(const module::FeatureTable& table, std::size_t column) {
    std::vector<float> out;
    for (std::size_t at = column; at < table.values.size(); at += table.columns.size())
        if (!std::isnan(table.values[at]))
            out.push_back(model::to_float(table.values[at]));
    std::sort(out.begin(), out.end());
    return out;
}

// Part of the sorted values that are at most x.
double part_until(std::span<const float> sorted, float x) {
    return static_cast<double>(std::upper_bound(sorted.begin(), sorted.end(), x) - sorted.begin()) /
           static_cast<double>(sorted.size());
}

}  // namespace

Spread Spread::of(const module::FeatureTable& table) {
    Spread out;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        const std::vector<float> sorted = present_values(table, c);
        out.empty_.push_back(sorted.empty() ? 1 : 0);
        for (std::size_t i = 0; i < knots; ++i)
            out.quantiles_.push_back(
                sorted.empty() ? 0 : sorted[i * (sorted.size() - 1) / (knots - 1)]);
    }
    return out;
}

std::vector<Drift> Spread::drift(const module::FeatureTable& table) const {
    std::vector<Drift> out(table.columns.size());
    for (std::size_t c = 0; c < out.size(); ++c) {
        const std::vector<float> now = present_values(table, c);
        if (empty_[c] != 0 || now.empty())
            continue;
        const std::span known(quantiles_.data() + c * knots, knots);
        double before_known = 0, before_now = 0;
        for (std::size_t i = 0; i < knots; ++i) {
            // Equal quantiles (a value that is often there) are one step of both functions.
            if (i + 1 < knots && known[i + 1] == known[i])
                continue;
            const double is_known = part_until(known, known[i]), is_now = part_until(now, known[i]);
            out[c].ks = std::max(out[c].ks, std::abs(is_known - is_now));
        }
        for (std::size_t bin = 1; bin <= bins; ++bin) {
            const float edge = known[bin * (knots - 1) / bins];
            const bool last = bin == bins;
            if (!last && known[(bin + 1) * (knots - 1) / bins] == edge)
                continue;
            const double until_known = last ? 1 : part_until(known, edge);
            const double until_now = last ? 1 : part_until(now, edge);
            const double a = std::max(until_known - before_known, least_part);
            const double b = std::max(until_now - before_now, least_part);
            out[c].psi += (b - a) * std::log(b / a);
            before_known = until_known;
            before_now = until_now;
        }
    }
    return out;
}

model::Saved Spread::save() const {
    model::Saved out("spread");
    out.put_floats("quantiles", quantiles_);
    out.put_whole("empty", empty_);
    return out;
}

Result<Spread> Spread::load(const model::Saved& saved, std::size_t columns) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    Spread out;
    AMOSKYS_TRY(quantiles, saved.floats("quantiles", columns * knots));
    AMOSKYS_TRY(empty, saved.whole("empty", columns));
    for (std::size_t c = 0; c < columns; ++c) {
        const auto begin = quantiles.begin() + static_cast<std::ptrdiff_t>(c * knots);
        if (!std::is_sorted(begin, begin + static_cast<std::ptrdiff_t>(knots)))
            return model::damaged("spread", "its quantiles do not rise");
    }
    out.quantiles_ = std::move(quantiles);
    out.empty_ = std::move(empty);
    return out;
}

}  // namespace amoskys::score
