// Feature groups (kind extractor) as etl runs them: no I/O, no clock, event time only,
// deterministic.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/wire/event.h"

namespace amoskys::module {

struct Window {
    std::string_view device;
    UnixNanos start_ns = 0, end_ns = 0;  // [start, end)
};

struct FeatureColumn {
    std::string name;  // "ifInOctets_mean"
    std::string unit;
    std::string metric;   // what it is made of
    std::string formula;  // in words: "mean of the samples in the window"
};

// Takes the values of one window; a feature that is not set stays missing (NaN), never 0.
class RowWriter {
  public:
    virtual ~RowWriter() = default;
    // The column is created on first use and keeps its place for the whole run.
    virtual void set(const FeatureColumn& column, double value) = 0;
};

// One per device. observe() gets the device's events in order of event time; close_window() is
// called for each window in order of its end, after all events before its end were observed; the
// extractor may then forget what is older than the start of the next window.
class Extractor {
  public:
    virtual ~Extractor() = default;
    virtual void observe(const wire::Event& event) = 0;
    virtual void close_window(const Window& window, UnixNanos next_start_ns, RowWriter& row) = 0;
};
using ExtractorFactory = std::unique_ptr<Extractor> (*)();

}  // namespace amoskys::module
