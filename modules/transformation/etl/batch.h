// A whole log into rows: instants go to a store first, then the baselines are
// fitted on the training part of each device, then the windows are cut. Not
// thread-safe.
#pragma once

#include <optional>

#include "modules/transformation/etl/canonical_store.h"
#include "modules/transformation/etl/median_fill.h"
#include "modules/transformation/etl/split.h"
#include "modules/transformation/etl/windowing.h"

namespace amoskys::etl {

struct BatchOptions {
    EngineOptions engine;
    // Each instant of a device has all its metrics: their median over the whole
    // run stands in. It looks into the future and keeps 8 bytes per sample; for
    // comparison with pandas.
    bool fill_with_median = false;
    double validation = 0.2;  // share of the windows of a device, in [0, 1)
    // Kept with the baselines that are learned: which interfaces are kept apart (interfaces.h).
    Baselines traffic;
};

class Batch {
  public:
    using Visit = std::function<void(const module::Window&, const module::FeatureRow&, Part)>;

    // `folder` holds the store's unlinked file.
    static Result<std::unique_ptr<Batch>> open(
        const std::filesystem::path& folder,
        const std::vector<const module::ExtractorKind*>& extractors, BatchOptions options);

    // As Intake.
    void observe(const wire::Event& event, UnixNanos received_ns) {
        intake_.observe(event, received_ns);
    }
    // Use these instead of fitting; before learn().
    void use(Baselines baselines) { given_ = std::move(baselines); }
    // Nothing comes any more: splits, and fits on the training part.
    Result<> learn();
    // Then visits the rows, each device's in order of time.
    Result<> cut(const Visit& visit);

    // After learn():
    const Intake& intake() const { return intake_; }
    const MetricTable& metrics() const { return metrics_; }
    const module::ColumnTable& columns() const { return windowing_->columns(); }
    const Baselines& baselines() const { return baselines_; }
    std::uint64_t filled() const { return fill_.filled(); }

  private:
    Batch(CanonicalStore store, const std::vector<const module::ExtractorKind*>& extractors,
          BatchOptions options);
    void keep(const Instant& instant);
    void keep(const Observations& observations);
    WindowCutter& counter_of(std::uint32_t device);
    void count(std::uint32_t device, const module::Window& window);
    void split();
    Result<> fit();
    Result<> read_back(const OrderedVisit& visit);

    BatchOptions options_;
    std::vector<const module::ExtractorKind*> extractors_;
    MetricTable metrics_;
    Intake intake_;
    CanonicalStore store_;
    // Counts windows while the instants pass by: their times are enough for that.
    MetricTable no_metrics_;
    std::vector<std::unique_ptr<WindowCutter>> counters_;  // by device number
    std::vector<std::vector<UnixNanos>> starts_;
    std::vector<DeviceSplit> splits_;
    MedianFill fill_;
    std::optional<Baselines> given_;
    Baselines baselines_;
    std::unique_ptr<Windowing> windowing_;
};

}  // namespace amoskys::etl
