// From events to feature rows as they come: intake and windows in one, for --follow,
// --incremental and whoever has its baselines already. No I/O, no clock. Not thread-safe.
#pragma once

#include "modules/transformation/etl/windowing.h"

namespace amoskys::etl {

class Engine {
  public:
    Engine(const std::vector<const module::ExtractorKind*>& extractors, EngineOptions options,
           RowVisit visit);

    // Before the first event; the caller keeps them.
    void compare_with(const Baselines& baselines) { windowing_.compare_with(baselines); }

    // As Intake.
    void observe(const wire::Event& event, UnixNanos received_ns) {
        intake_.observe(event, received_ns);
    }
    // The end of the input: closes the windows that it reaches.
    void finish();

    const Intake& intake() const { return intake_; }
    const module::ColumnTable& columns() const { return windowing_.columns(); }
    const MetricTable& metrics() const { return metrics_; }

  private:
    EngineOptions options_;
    MetricTable metrics_;
    Windowing windowing_;
    Intake intake_;
};

}  // namespace amoskys::etl
