// From canonical instants to feature rows: per device the windows, and the
// extractors over each. No I/O, no clock; the same instants give the same rows.
// Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/module/extractor.h"
#include "modules/transformation/etl/intake.h"
#include "modules/transformation/etl/one_hot.h"
#include "modules/transformation/etl/windows.h"

namespace amoskys::etl {

struct EngineOptions {
    WindowOptions windows;
    Duration lateness = std::chrono::minutes(10);
    UnixNanos since_ns = 0, until_ns = UINT64_MAX;  // windows lie inside
    OneHotOptions one_hot;
    ApartInterfaces interfaces;
    module::ExtractorSettings settings;
};

// Up to where windows are closed once nothing comes any more.
UnixNanos end_of_input(const WindowCutter& cutter, const EngineOptions& options);

// With the number of the device.
using RowVisit =
    std::function<void(std::uint32_t, const module::Window&, const module::FeatureRow&)>;

class Windowing {
  public:
    // The table, the options and what is given to compare_with() outlive it.
    Windowing(const std::vector<const module::ExtractorKind*>& extractors,
              const MetricTable& metrics, const EngineOptions& options, RowVisit visit);

    // Before the first instant.
    void compare_with(const Baselines& baselines);

    void add(const Instant& instant);
    void add(const Observations& observations);
    void finish();
    // Of a run that has seen nothing; names[i] = device number i.
    void transfer(StateArchive& archive, const std::vector<std::string_view>& names);

    const module::ColumnTable& columns() const { return columns_; }

  private:
    WindowCutter& cutter_of(std::uint32_t device, std::string_view name);
    void close(std::uint32_t device, UnixNanos until_ns);

    const MetricTable& metrics_;
    const EngineOptions& options_;
    RowVisit visit_;
    module::ColumnTable columns_;
    std::vector<std::unique_ptr<module::Extractor>> extractors_;
    const Baselines* baselines_ = nullptr;
    std::vector<std::unique_ptr<WindowCutter>> cutters_;  // by number of the device
    module::FeatureRow row_;
};

}  // namespace amoskys::etl
