// Feature groups (kind extractor) as etl runs them: windows of canonical series in, numbers out.
// No I/O, no clock, event time only, deterministic.
//
// etl makes the canonical series (numbers with a unit, counters as rates, table rows aggregated)
// and cuts the windows, once for all extractors; an extractor computes what the samples of one
// window say. One object serves all devices of a run and keeps nothing of a window: what reaches
// further back (Series::recent) or is usual for the device (Series::baseline) comes with the
// window, so that batch, --follow and a run that goes on where another stopped give the same bits.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/time_zone.h"
#include "core/module/observation.h"

namespace amoskys::module {

// What is usual for one metric of one device, learned from the training part and never from what
// came after it.
struct Baseline {
    std::uint64_t count = 0;            // samples it was learned from, at least 1
    double min = 0, max = 0, mean = 0;  // of these samples
    double std = 0;                     // n-1; 0 of one sample
    double step_std = 0;                // n-1, of the differences of successive samples
    double interval_s = 0;              // usual distance of samples; 0 = unknown
};

// One canonical metric of the window's device. times and values have the same length, times rise.
struct Series {
    std::size_t metric_id = 0;  // the same for this metric on all devices of a run, from 0
    std::string_view metric, unit;
    std::span<const UnixNanos> times;
    std::span<const double> values;  // finite
    // Of a key metric: the last samples up to the last of `values`, at most recent_samples (more
    // where the window holds more). Of others: `values`.
    std::span<const double> recent;
    const Baseline* baseline = nullptr;  // null where nothing was learned
};

inline constexpr std::size_t recent_samples = 30;

struct Window {
    std::string_view device;
    UnixNanos start_ns = 0, end_ns = 0;  // [start, end)
    std::span<const Series> series;      // those with at least one sample in the window
    // What else was seen in it, in order of time. Metrics, processes and flows of a device share
    // its windows.
    std::span<const ProcessSample> processes = {};
    std::span<const FlowSample> flows = {};
};

struct FeatureColumn {
    std::string name;    // "ifInOctets_rate_mean"
    std::string metric;  // what it is made of; "" where it is of the whole window
    std::string unit;
    std::string stage;    // the extractor's name
    std::string formula;  // in words: "mean of the samples in the window"
};

// A line of the catalogue (`etl features`): a family of columns.
struct FeatureForm {
    std::string_view name;  // "METRIC_slope"
    std::string_view unit;  // "unit of the metric per second"
    std::string_view formula;
};

using ColumnId = std::uint32_t;

// The columns of one run, shared by all its extractors. Not thread-safe.
class ColumnTable {
  public:
    // The same name of the same stage gives the same id; a column keeps its id for the whole run. A
    // name that another stage has already is prefixed with the stage.
    ColumnId add(FeatureColumn column) {
        const auto known = ids_.find(column.name);
        if (known != ids_.end() && columns_[known->second].stage != column.stage)
            column.name = column.stage + "." + column.name;
        const auto [place, is_new] =
            ids_.try_emplace(column.name, static_cast<ColumnId>(columns_.size()));
        if (is_new)
            columns_.push_back(std::move(column));
        return place->second;
    }
    // The forms of a catalogue, none of which is there yet, side by side; returns the first.
    ColumnId add_all(std::span<const FeatureForm> forms, std::string_view metric,
                     std::string_view stage) {
        const auto first = static_cast<ColumnId>(columns_.size());
        for (const FeatureForm& form : forms)
            add({.name = std::string(form.name),
                 .metric = std::string(metric),
                 .unit = std::string(form.unit),
                 .stage = std::string(stage),
                 .formula = std::string(form.formula)});
        return first;
    }
    std::span<const FeatureColumn> columns() const { return columns_; }

  private:
    std::map<std::string, ColumnId, std::less<>> ids_;
    std::vector<FeatureColumn> columns_;
};

// The values of one window. A feature that is not set stays missing (NaN), never 0.
class FeatureRow {
  public:
    // Empties the row and makes room for so many columns; more may follow.
    void clear(std::size_t columns = 0) { values_.assign(columns, missing); }
    void set(ColumnId column, double value) {
        if (column >= values_.size())
            values_.resize(column + 1, missing);
        values_[column] = value;
    }
    // Columns [first, first + count), to write into; valid until the next call.
    double* block(ColumnId first, std::size_t count) {
        if (first + count > values_.size())
            values_.resize(first + count, missing);
        return values_.data() + first;
    }
    // What overflowed to an infinity is missing.
    void keep_finite() {
        for (double& value : values_)
            value = value - value == 0 ? value : missing;
    }
    std::span<const double> values() const { return values_; }  // by ColumnId; may be shorter

    static constexpr double missing = std::numeric_limits<double>::quiet_NaN();

  private:
    std::vector<double> values_;
};

class Extractor {
  public:
    virtual ~Extractor() = default;
    virtual void extract(const Window& window, FeatureRow& row) = 0;
};

// etl's settings that extractors share.
struct ExtractorSettings {
    std::vector<std::string> key_metrics;                    // each once
    std::vector<std::pair<std::string, double>> thresholds;  // metric, limit
    TimeZone time_zone;                                      // of hours and days
};

struct ExtractorKind {
    std::string_view stage;  // = name of the module
    std::unique_ptr<Extractor> (*make)(ColumnTable& columns, const ExtractorSettings& settings);
    std::span<const FeatureForm> catalogue;
};

}  // namespace amoskys::module
