#include "modules/transformation/etl/engine.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace amoskys::etl {
namespace {

constexpr UnixNanos most_ahead_ns = 3'600'000'000'000;

UnixNanos nanos(Duration duration) {
    return static_cast<UnixNanos>(duration.count());
}

// The event's value as a number; nothing for texts.
std::optional<double> number_of(const wire::Event& event) {
    if (const auto* number = std::get_if<double>(&event.value))
        return *number;
    if (const auto* whole = std::get_if<std::uint64_t>(&event.value))
        return static_cast<double>(*whole);
    if (const auto* truth = std::get_if<bool>(&event.value))
        return *truth ? 1 : 0;
    return std::nullopt;
}

}  // namespace

struct Engine::Device {
    Device(std::string name, Engine& engine)
        : canonicalizer(engine.metrics_, engine.counts_),
          cutter(std::move(name), engine.metrics_, engine.options_.windows) {
        for (const module::ExtractorKind* kind : engine.extractors_)
            extractors.push_back(kind->make(engine.columns_));
    }

    std::vector<RawSample> waiting;  // in order of arrival; sorted where `sorted`
    bool sorted = true;
    UnixNanos newest_ns = 0;    // of what was taken
    UnixNanos released_ns = 0;  // everything before it went on; what comes now from before is late
    Canonicalizer canonicalizer;
    WindowCutter cutter;
    std::vector<std::unique_ptr<module::Extractor>> extractors;
};

Engine::Engine(std::vector<const module::ExtractorKind*> extractors, EngineOptions options,
               RowVisit visit)
    : extractors_(std::move(extractors)), options_(options), visit_(std::move(visit)) {}

Engine::~Engine() = default;

Engine::Device& Engine::device_of(std::string_view name) {
    if (last_device_ != nullptr && last_device_->cutter.device() == name)
        return *last_device_;
    auto found = devices_.find(name);
    if (found == devices_.end()) {
        std::string key(name);
        found = devices_.emplace(key, std::make_unique<Device>(key, *this)).first;
        if (const auto medians = medians_.find(name); medians != medians_.end()) {
            std::map<std::uint32_t, double> by_id;
            for (const FillValue& fill : medians->second)
                by_id[metrics_.add(fill.metric)] = fill.median;
            found->second->canonicalizer.fill_with(std::move(by_id));
        }
    }
    last_device_ = found->second.get();
    return *last_device_;
}

void Engine::observe(const wire::Event& event, UnixNanos received_ns) {
    const std::optional<double> value = number_of(event);
    if (!value) {
        ++counts_.texts;
        return;
    }
    if (!std::isfinite(*value)) {
        ++counts_.not_finite;
        return;
    }
    if (event.time_ns == 0 ||
        (event.time_ns > received_ns && event.time_ns - received_ns > most_ahead_ns)) {
        ++counts_.ahead;
        return;
    }
    Device& device = device_of(event.device);
    if (event.time_ns < device.released_ns) {
        ++counts_.late;
        return;
    }
    ++counts_.samples;
    first_ns_ = std::min(first_ns_, event.time_ns);
    last_ns_ = std::max(last_ns_, event.time_ns);
    if (!device.waiting.empty() && event.time_ns < device.waiting.back().time_ns)
        device.sorted = false;
    device.waiting.push_back({event.time_ns, device.canonicalizer.source_of(event), *value});
    device.newest_ns = std::max(device.newest_ns, event.time_ns);
    // In larger pieces, so that sorting and moving are paid once for many samples.
    const UnixNanos lateness = nanos(options_.lateness);
    const UnixNanos held = lateness + std::max(lateness / 2, nanos(options_.windows.step));
    if (device.newest_ns - device.waiting.front().time_ns > held ||
        (!device.sorted && device.newest_ns - device.released_ns > 2 * held))
        release(device, device.newest_ns - std::min(lateness, device.newest_ns));
}

// Sends everything before `until_ns` on, in order, and closes what windows that completes.
void Engine::release(Device& device, UnixNanos until_ns) {
    if (until_ns <= device.released_ns)
        return;
    if (!device.sorted)
        std::stable_sort(
            device.waiting.begin(), device.waiting.end(),
            [](const RawSample& a, const RawSample& b) { return a.time_ns < b.time_ns; });
    device.sorted = true;
    std::size_t begin = 0;
    while (begin < device.waiting.size() && device.waiting[begin].time_ns < until_ns) {
        const UnixNanos time_ns = device.waiting[begin].time_ns;
        std::size_t end = begin + 1;
        while (end < device.waiting.size() && device.waiting[end].time_ns == time_ns)
            ++end;
        // Closing first keeps a cutter from holding more than a window over a gap.
        close(device, time_ns);
        canonical_.clear();
        device.canonicalizer.instant(time_ns, std::span(device.waiting).subspan(begin, end - begin),
                                     canonical_);
        device.cutter.add(time_ns, canonical_);
        begin = end;
    }
    device.waiting.erase(device.waiting.begin(),
                         device.waiting.begin() + static_cast<std::ptrdiff_t>(begin));
    device.released_ns = until_ns;
}

void Engine::close(Device& device, UnixNanos until_ns) {
    device.cutter.close(until_ns, [&](const module::Window& window) {
        if (window.start_ns < options_.since_ns || window.end_ns > options_.until_ns)
            return;
        row_.clear();
        for (const auto& extractor : device.extractors)
            extractor->extract(window, row_);
        visit_(window, row_);
    });
}

void Engine::finish() {
    for (const auto& [name, device] : devices_) {
        release(*device, UINT64_MAX);
        const UnixNanos seen = device->cutter.seen_until();
        // A partial window ends at most one window after the last sample.
        close(*device, options_.partial ? seen + nanos(options_.windows.window) : seen);
    }
}

MedianFinder::MedianFinder(EngineOptions options)
    : engine_(
          {},
          [&options] {
              // Windows that do not overlap show each sample once.
              options.windows.step = options.windows.window;
              options.windows.align = Align::epoch;
              options.partial = true;
              return options;
          }(),
          [this](const module::Window& window, const module::FeatureRow&) { collect(window); }) {}

void MedianFinder::collect(const module::Window& window) {
    auto& device = values_[std::string(window.device)];
    for (const module::Series& series : window.series) {
        auto& values = device[series.metric_id];
        values.insert(values.end(), series.values.begin(), series.values.end());
    }
}

Medians MedianFinder::finish() {
    engine_.finish();
    Medians out;
    for (auto& [device, metrics] : values_)
        for (auto& [id, values] : metrics) {
            const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
            std::nth_element(values.begin(), middle, values.end());
            double median = *middle;
            if (values.size() % 2 == 0)
                median = (*std::max_element(values.begin(), middle) + median) / 2;
            out[device].push_back({engine_.metrics().at(static_cast<std::uint32_t>(id)), median});
        }
    return out;
}

}  // namespace amoskys::etl
