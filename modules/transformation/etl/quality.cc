#include "modules/transformation/etl/quality.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace amoskys::etl {
namespace {

constexpr std::size_t tenths = 10;
constexpr double least_share = 1e-4;  // an empty bin would make the index infinite

// Evenly spaced values of a part, sorted.
class Sample {
  public:
    void begin(std::uint64_t rows) {
        step_ = std::max<std::uint64_t>(1, (rows + quality_sample - 1) / quality_sample);
        next_ = 0;
        values.clear();
    }
    void add(std::span<const double> more) {
        for (; next_ < more.size(); next_ += step_)
            values.push_back(more[next_]);
        next_ -= more.size();
    }
    std::vector<double> values;

  private:
    std::uint64_t step_ = 1, next_ = 0;  // next_: from the next value on
};

// Linear interpolation between the two nearest of sorted values.
double quantile(const std::vector<double>& sorted, double fraction) {
    const double at = fraction * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

struct Scratch {
    std::vector<double> values;  // all that are there
    Sample train, validation;
};

void moments(const std::vector<double>& values, ColumnQuality& out) {
    double sum = 0, least = values.front(), most = values.front();
    for (const double value : values) {
        sum += value;
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    const auto n = static_cast<double>(values.size());
    out.min = least;
    out.max = most;
    out.mean = least == most ? least : sum / n;
    double squares = 0;
    for (const double value : values)
        squares += (value - out.mean) * (value - out.mean);
    out.std = values.size() < 2 ? 0 : std::sqrt(squares / (n - 1));
    out.zero_variance = least == most;
}

void quartiles_and_outliers(const Scratch& scratch, ColumnQuality& out) {
    const std::vector<double>& sample = scratch.train.values;
    if (sample.empty())
        return;
    out.q25 = quantile(sample, 0.25);
    out.median = quantile(sample, 0.5);
    out.q75 = quantile(sample, 0.75);
    const double range = out.q75 - out.q25;
    if (range <= 0)
        return;
    const double low = out.q25 - 3 * range, high = out.q75 + 3 * range;
    for (const double value : scratch.values)
        out.outliers += value < low || value > high ? 1 : 0;
}

ColumnQuality quality_of(const FeatureStore& store, module::ColumnId id,
                         const std::array<std::uint64_t, 3>& rows, Scratch& scratch) {
    scratch.values.resize(store.rows());
    std::size_t count = 0;
    scratch.train.begin(rows[0]);
    scratch.validation.begin(rows[1]);
    for (const Slice& slice : store.slices()) {
        const std::span<const double> values = slice.column(id);
        for (std::size_t from = 0; from < values.size();) {
            const Part part = slice.parts[from];
            const std::size_t begun = count;
            // Written always, kept where it is there.
            for (; from < values.size() && slice.parts[from] == part; ++from) {
                scratch.values[count] = values[from];
                count += std::isnan(values[from]) ? 0 : 1;
            }
            const auto present = std::span(scratch.values).subspan(begun, count - begun);
            if (part == Part::train)
                scratch.train.add(present);
            else if (part == Part::validation)
                scratch.validation.add(present);
        }
    }
    scratch.values.resize(count);
    ColumnQuality out;
    out.count = scratch.values.size();
    out.missing = store.rows() - out.count;
    if (out.count == 0)
        return out;
    moments(scratch.values, out);
    std::sort(scratch.train.values.begin(), scratch.train.values.end());
    std::sort(scratch.validation.values.begin(), scratch.validation.values.end());
    quartiles_and_outliers(scratch, out);
    if (!scratch.train.values.empty() && !scratch.validation.values.empty() && !out.zero_variance) {
        out.psi = stability_index(scratch.train.values, scratch.validation.values);
        out.ks = ks_distance(scratch.train.values, scratch.validation.values);
    }
    return out;
}

}  // namespace

std::vector<ColumnQuality> column_quality(const FeatureStore& store,
                                          std::span<const module::FeatureColumn> columns) {
    std::array<std::uint64_t, 3> rows{};
    for (const Slice& slice : store.slices())
        for (const Part part : slice.parts)
            ++rows[static_cast<std::size_t>(part)];
    Scratch scratch;
    std::vector<ColumnQuality> out;
    out.reserve(columns.size());
    for (std::size_t id = 0; id < columns.size(); ++id) {
        out.push_back(quality_of(store, static_cast<module::ColumnId>(id), rows, scratch));
        out.back().is_calendar = columns[id].stage == "calendar";
    }
    return out;
}

double stability_index(const std::vector<double>& train, const std::vector<double>& other) {
    // Bins end at the training part's tenths; equal tenths are one bin.
    std::vector<double> edges;
    for (std::size_t i = 1; i < tenths; ++i) {
        const double edge = quantile(train, static_cast<double>(i) / tenths);
        if (edges.empty() || edge > edges.back())
            edges.push_back(edge);
    }
    const auto share_up_to = [](const std::vector<double>& sorted, double edge) {
        const auto end = std::upper_bound(sorted.begin(), sorted.end(), edge);
        return static_cast<double>(end - sorted.begin()) / static_cast<double>(sorted.size());
    };
    double index = 0, train_below = 0, other_below = 0;
    for (std::size_t i = 0; i <= edges.size(); ++i) {
        const bool last = i == edges.size();
        const double train_upto = last ? 1 : share_up_to(train, edges[i]);
        const double other_upto = last ? 1 : share_up_to(other, edges[i]);
        const double was = std::max(train_upto - train_below, least_share);
        const double is = std::max(other_upto - other_below, least_share);
        index += (is - was) * std::log(is / was);
        train_below = train_upto;
        other_below = other_upto;
    }
    return index;
}

double ks_distance(const std::vector<double>& train, const std::vector<double>& other) {
    double distance = 0;
    std::size_t i = 0, j = 0;
    while (i < train.size() && j < other.size()) {
        const double at = std::min(train[i], other[j]);
        while (i < train.size() && train[i] == at)
            ++i;
        while (j < other.size() && other[j] == at)
            ++j;
        distance = std::max(distance,
                            std::abs(static_cast<double>(i) / static_cast<double>(train.size()) -
                                     static_cast<double>(j) / static_cast<double>(other.size())));
    }
    return distance;
}

std::vector<DeviceWindows> device_windows(const FeatureStore& store, Duration step) {
    std::vector<DeviceWindows> out;
    const auto step_ns = static_cast<UnixNanos>(step.count());
    UnixNanos last_ns = 0;
    for (const Slice& slice : store.slices()) {
        if (out.empty() || out.back().device != slice.device) {
            out.push_back({.device = slice.device, .expected = 1});
            last_ns = slice.starts.front();
        }
        DeviceWindows& device = out.back();
        device.windows += slice.rows();
        for (const UnixNanos start : slice.starts) {
            const UnixNanos distance = start - last_ns;
            device.expected += distance / step_ns;
            if (distance > step_ns) {
                ++device.gaps;
                device.longest_gap = std::max(device.longest_gap,
                                              Duration(static_cast<std::int64_t>(distance)) - step);
            }
            last_ns = start;
        }
    }
    return out;
}

}  // namespace amoskys::etl
