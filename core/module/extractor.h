// Feature groups (kind extractor) as etl runs them: windows of canonical series in, numbers out.
// No I/O, no clock, event time only, deterministic.
//
// etl makes the canonical series (numbers with a unit, counters as rates, table rows aggregated)
// and cuts the windows, once for all extractors; an extractor computes what the samples of one
// window say. One extractor object serves one device and sees its windows in order of their start,
// so it may keep what it needs of earlier windows (rolling features).
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"

namespace amoskys::module {

// One canonical metric of the window's device. The spans have the same length, times rise.
struct Series {
    std::size_t metric_id = 0;  // the same for this metric on all devices of a run, from 0
    std::string_view metric, unit;
    std::span<const UnixNanos> times;
    std::span<const double> values;  // finite
};

struct Window {
    std::string_view device;
    UnixNanos start_ns = 0, end_ns = 0;  // [start, end)
    std::span<const Series> series;      // those with at least one sample in the window
};

struct FeatureColumn {
    std::string name;    // "ifInOctets_rate_mean"
    std::string metric;  // what it is made of; "" where it is of the whole window
    std::string unit;
    std::string stage;    // the extractor's name
    std::string formula;  // in words: "mean of the samples in the window"
};

using ColumnId = std::uint32_t;

// The columns of one run, shared by the extractors of all devices. Not thread-safe.
class ColumnTable {
  public:
    // The same name gives the same id; a column keeps its id for the whole run.
    ColumnId add(FeatureColumn column) {
        const auto [place, is_new] =
            ids_.try_emplace(column.name, static_cast<ColumnId>(columns_.size()));
        if (is_new)
            columns_.push_back(std::move(column));
        return place->second;
    }
    std::span<const FeatureColumn> columns() const { return columns_; }

  private:
    std::map<std::string, ColumnId, std::less<>> ids_;
    std::vector<FeatureColumn> columns_;
};

// The values of one window. A feature that is not set stays missing (NaN), never 0.
class FeatureRow {
  public:
    void clear() { values_.clear(); }
    void set(ColumnId column, double value) {
        if (column >= values_.size())
            values_.resize(column + 1, std::numeric_limits<double>::quiet_NaN());
        values_[column] = value;
    }
    std::span<const double> values() const { return values_; }  // by ColumnId; may be shorter

  private:
    std::vector<double> values_;
};

class Extractor {
  public:
    virtual ~Extractor() = default;
    virtual void extract(const Window& window, FeatureRow& row) = 0;
};

// A line of the catalogue (`etl features`): a family of columns.
struct FeatureForm {
    std::string_view name;  // "METRIC_slope"
    std::string_view unit;  // "unit of the metric per second"
    std::string_view formula;
};

struct ExtractorKind {
    std::string_view stage;  // = name of the module
    std::unique_ptr<Extractor> (*make)(ColumnTable& columns);
    std::span<const FeatureForm> catalogue;
};

}  // namespace amoskys::module
