#include "modules/transformation/etl/windowing.h"

namespace amoskys::etl {

Windowing::Windowing(const std::vector<const module::ExtractorKind*>& extractors,
                     const MetricTable& metrics, const EngineOptions& options, RowVisit visit)
    : metrics_(metrics), options_(options), visit_(std::move(visit)) {
    for (const module::ExtractorKind* kind : extractors)
        extractors_.push_back(kind->make(columns_, options.settings));
}

void Windowing::compare_with(const Baselines& baselines) {
    baselines_ = &baselines;
    if (options_.one_hot.any())
        extractors_.push_back(make_one_hot(columns_, options_.one_hot, baselines));
}

WindowCutter& Windowing::cutter_of(std::uint32_t device, std::string_view name) {
    if (device >= cutters_.size())
        cutters_.resize(device + 1);
    auto& cutter = cutters_[device];
    if (cutter != nullptr)
        return *cutter;
    cutter = std::make_unique<WindowCutter>(std::string(name), metrics_, options_.windows);
    if (baselines_ != nullptr)
        if (const auto known = baselines_->find(name); known != baselines_->end())
            cutter->compare_with(&known->second);
    return *cutter;
}

void Windowing::add(const Instant& instant) {
    if (instant.samples.empty())
        return;
    WindowCutter& cutter = cutter_of(instant.device, instant.name);
    // Closing first keeps a cutter from holding more than a window over a gap.
    close(instant.device, instant.time_ns);
    cutter.add(instant.time_ns, instant.samples);
}

void Windowing::add(const Observations& observations) {
    WindowCutter& cutter = cutter_of(observations.device, observations.name);
    close(observations.device, observations.from_ns);
    cutter.add(observations.from_ns, observations.processes, observations.flows);
}

void Windowing::close(std::uint32_t device, UnixNanos until_ns) {
    cutters_[device]->close(until_ns, [&](const module::Window& window) {
        if (window.start_ns < options_.since_ns || window.end_ns > options_.until_ns)
            return;
        row_.clear(columns_.columns().size());
        for (const auto& extractor : extractors_)
            extractor->extract(window, row_);
        row_.keep_finite();
        visit_(device, window, row_);
    });
}

void Windowing::finish() {
    for (std::uint32_t device = 0; device < cutters_.size(); ++device)
        if (cutters_[device] != nullptr)
            close(device, end_of_input(*cutters_[device], options_));
}

void Windowing::transfer(StateArchive& archive, const std::vector<std::string_view>& names) {
    const std::size_t count = archive.count(cutters_.size());
    if (count > names.size()) {
        archive.refuse();
        return;
    }
    for (std::uint32_t device = 0; device < count && archive.good(); ++device) {
        bool there = !archive.reads() && cutters_[device] != nullptr;
        archive.flag(there);
        if (there)
            cutter_of(device, names[device]).transfer(archive);
    }
}

UnixNanos end_of_input(const WindowCutter& cutter, const EngineOptions& options) {
    // A partial window ends at most one window after the last sample.
    const auto window = static_cast<UnixNanos>(options.windows.window.count());
    return cutter.seen_until() + (options.windows.partial ? window : 0);
}

}  // namespace amoskys::etl
