#include "modules/transformation/etl/batch.h"

#include <cmath>

namespace amoskys::etl {

Batch::Batch(CanonicalStore store, const std::vector<const module::ExtractorKind*>& extractors,
             BatchOptions options)
    : options_(std::move(options)),
      extractors_(extractors),
      metrics_(options_.engine.settings.key_metrics),
      intake_(metrics_, options_.engine.lateness, options_.engine.windows.step,
              {[this](const Instant& instant) { keep(instant); },
               [this](const Observations& observations) { keep(observations); }}),
      store_(std::move(store)) {
    no_metrics_.add({.name = "instants", .unit = ""});
    intake_.keep_apart(options_.engine.interfaces);
}

Result<std::unique_ptr<Batch>> Batch::open(
    const std::filesystem::path& folder,
    const std::vector<const module::ExtractorKind*>& extractors, BatchOptions options) {
    AMOSKYS_TRY(store, CanonicalStore::open(folder));
    return std::unique_ptr<Batch>(new Batch(std::move(store), extractors, std::move(options)));
}

WindowCutter& Batch::counter_of(std::uint32_t device) {
    if (device >= counters_.size()) {
        counters_.resize(device + 1);
        starts_.resize(device + 1);
    }
    auto& counter = counters_[device];
    if (counter == nullptr)
        counter =
            std::make_unique<WindowCutter>(std::string(), no_metrics_, options_.engine.windows);
    return *counter;
}

void Batch::keep(const Instant& instant) {
    if (instant.samples.empty())
        return;
    store_.add(instant);
    WindowCutter& counter = counter_of(instant.device);
    counter.close(instant.time_ns,
                  [&](const module::Window& window) { count(instant.device, window); });
    const CanonicalSample here{0, 0};
    counter.add(instant.time_ns, std::span(&here, 1));
}

void Batch::keep(const Observations& observations) {
    store_.add(observations);
    WindowCutter& counter = counter_of(observations.device);
    counter.close(observations.from_ns,
                  [&](const module::Window& window) { count(observations.device, window); });
    counter.add(observations.from_ns, observations.processes, observations.flows);
}

void Batch::count(std::uint32_t device, const module::Window& window) {
    if (window.start_ns >= options_.engine.since_ns && window.end_ns <= options_.engine.until_ns)
        starts_[device].push_back(window.start_ns);
}

void Batch::split() {
    const auto window = static_cast<UnixNanos>(options_.engine.windows.window.count());
    splits_.resize(counters_.size());
    for (std::uint32_t number = 0; number < counters_.size(); ++number) {
        auto& starts = starts_[number];
        if (counters_[number] != nullptr)
            counters_[number]->close(end_of_input(*counters_[number], options_.engine),
                                     [&](const module::Window& last) { count(number, last); });
        DeviceSplit& split = splits_[number];
        const auto training = static_cast<std::size_t>(
            std::floor(static_cast<double>(starts.size()) * (1 - options_.validation)));
        if (training > 0) {
            split.train_until_ns = starts[training - 1] + window;
            split.validate_from_ns = split.train_until_ns + window;
        }
        starts = {};
    }
    counters_.clear();
}

Result<> Batch::read_back(const OrderedVisit& visit) {
    return store_.read({[&](Instant instant) {
                            instant.name = intake_.device_name(instant.device);
                            instant.samples = fill_.complete(instant);
                            visit.instant(instant);
                        },
                        [&](Observations observations) {
                            observations.name = intake_.device_name(observations.device);
                            visit.observations(observations);
                        }});
}

Result<> Batch::fit() {
    std::vector<BaselineFitter> fitters(splits_.size());
    const OrderedVisit learn{[&](const Instant& instant) {
                                 if (instant.time_ns < splits_[instant.device].train_until_ns)
                                     fitters[instant.device].add(instant.time_ns, instant.samples);
                             },
                             [](const Observations&) {}};
    AMOSKYS_TRY_VOID(read_back(learn));
    for (std::uint32_t number = 0; number < fitters.size(); ++number)
        if (DeviceBaselines learned = fitters[number].finish(metrics_); !learned.empty())
            baselines_.emplace(intake_.device_name(number), std::move(learned));
    return {};
}

Result<> Batch::learn() {
    intake_.finish();
    split();
    if (options_.fill_with_median) {
        AMOSKYS_TRY_VOID(store_.read(
            {[&](const Instant& instant) { fill_.learn(instant); }, [](const Observations&) {}}));
        fill_.finish();
    }
    if (given_)
        baselines_ = std::move(*given_);
    else
        AMOSKYS_TRY_VOID(fit());
    for (const auto& [device, metrics] : options_.traffic)
        baselines_[device].insert(metrics.begin(), metrics.end());
    return {};
}

Result<> Batch::cut(const Visit& visit) {
    windowing_ = std::make_unique<Windowing>(
        extractors_, metrics_, options_.engine,
        [&](std::uint32_t device, const module::Window& window, const module::FeatureRow& row) {
            visit(window, row, splits_[device].part_of(window));
        });
    windowing_->compare_with(baselines_);
    fill_.restart();
    AMOSKYS_TRY_VOID(
        read_back({[&](const Instant& instant) { windowing_->add(instant); },
                   [&](const Observations& observations) { windowing_->add(observations); }}));
    windowing_->finish();
    return {};
}

}  // namespace amoskys::etl
