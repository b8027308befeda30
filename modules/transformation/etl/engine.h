// From events to feature rows: per device a buffer that puts samples in order of event time, the
// canonical stage, the windows, and one extractor of each kind. No I/O, no clock; the same events
// in the same order give the same rows. Not thread-safe.
//
// Memory: per device the samples of `lateness` and of one window, and one series state per metric
// and index; nothing grows with the length of the log.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/module/extractor.h"
#include "core/wire/event.h"
#include "modules/transformation/etl/canonical.h"
#include "modules/transformation/etl/windows.h"

namespace amoskys::etl {

struct EngineOptions {
    WindowOptions windows;
    Duration lateness = std::chrono::minutes(10);
    UnixNanos since_ns = 0, until_ns = UINT64_MAX;  // windows lie inside
    bool partial = false;  // also windows that the input does not reach the end of
};

struct FillValue {
    CanonicalMetric metric;
    double median = 0;
};
using Medians = std::map<std::string, std::vector<FillValue>, std::less<>>;  // by device

class Engine {
  public:
    using RowVisit = std::function<void(const module::Window&, const module::FeatureRow&)>;

    Engine(std::vector<const module::ExtractorKind*> extractors, EngineOptions options,
           RowVisit visit);
    ~Engine();

    // Takes a metric event; others are not for it. received_ns: when the record was stored; an
    // event time more than an hour after it is a clock's mistake and is not used.
    void observe(const wire::Event& event, UnixNanos received_ns);
    void finish();

    // Before the first event: each instant of a device has all its metrics (--fill device-median).
    void fill_with(Medians medians) { medians_ = std::move(medians); }

    const module::ColumnTable& columns() const { return columns_; }
    const CanonicalCounts& counts() const { return counts_; }
    std::size_t devices() const { return devices_.size(); }
    const MetricTable& metrics() const { return metrics_; }
    UnixNanos first_ns() const { return first_ns_; }  // event times of what was taken
    UnixNanos last_ns() const { return last_ns_; }

  private:
    struct Device;
    Device& device_of(std::string_view name);
    void release(Device& device, UnixNanos until_ns);
    void close(Device& device, UnixNanos until_ns);

    std::vector<const module::ExtractorKind*> extractors_;
    EngineOptions options_;
    RowVisit visit_;
    Medians medians_;
    MetricTable metrics_;
    CanonicalCounts counts_;
    module::ColumnTable columns_;
    module::FeatureRow row_;
    std::map<std::string, std::unique_ptr<Device>, std::less<>> devices_;
    Device* last_device_ = nullptr;
    std::vector<CanonicalSample> canonical_;
    UnixNanos first_ns_ = UINT64_MAX, last_ns_ = 0;
};

// The median of each metric of each device over everything that is observed. Keeps every value (8
// bytes each): the price of --fill device-median.
class MedianFinder {
  public:
    explicit MedianFinder(EngineOptions options);
    void observe(const wire::Event& event, UnixNanos received_ns) {
        engine_.observe(event, received_ns);
    }
    Medians finish();

  private:
    void collect(const module::Window& window);

    std::map<std::string, std::map<std::size_t, std::vector<double>>, std::less<>> values_;
    Engine engine_;
};

}  // namespace amoskys::etl
