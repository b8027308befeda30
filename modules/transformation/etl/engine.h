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

    // All that the events so far have left in it, for an engine of the same options and baselines
    // to go on from, to the same bits.
    std::string save();
    // Into an engine that has seen nothing; false, and it is of no use, where `saved` is not what
    // save() makes.
    bool restore(std::string_view saved);

    const Intake& intake() const { return intake_; }
    const module::ColumnTable& columns() const { return windowing_.columns(); }
    const MetricTable& metrics() const { return metrics_; }

  private:
    void transfer(StateArchive& archive);

    EngineOptions options_;
    MetricTable metrics_;
    Windowing windowing_;
    Intake intake_;
};

}  // namespace amoskys::etl
