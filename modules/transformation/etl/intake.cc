#include "modules/transformation/etl/intake.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace amoskys::etl {
namespace {

constexpr UnixNanos most_ahead_ns = 3'600'000'000'000;

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

struct Intake::Device {
    Device(std::string device_name, std::uint32_t its_number, MetricTable& table,
           CanonicalCounts& counts)
        : name(std::move(device_name)), number(its_number), canonicalizer(table, counts) {}

    std::string name;
    std::uint32_t number;
    Waiting<RawSample> metrics;
    Waiting<module::ProcessSample> processes;
    Waiting<module::FlowSample> flows;
    UnixNanos newest_ns = 0;           // of what was taken
    UnixNanos oldest_ns = UINT64_MAX;  // of what waits
    UnixNanos released_ns = 0;  // everything before it went on; what comes now from before is late
    Canonicalizer canonicalizer;

    void transfer(StateArchive& archive);
};

void transfer(StateArchive& archive, RawSample& sample) {
    archive.time(sample.time_ns);
    archive.number(sample.source);
    archive.number(sample.value);
}

void Intake::Device::transfer(StateArchive& archive) {
    canonicalizer.transfer(archive);
    metrics.transfer(archive);
    processes.transfer(archive);
    flows.transfer(archive);
    archive.number(newest_ns);
    archive.number(oldest_ns);
    archive.number(released_ns);
    for (const RawSample& sample : metrics.all())
        if (sample.source >= canonicalizer.sources()) {
            archive.refuse();
            return;
        }
}

Intake::Intake(MetricTable& metrics, Duration lateness, Duration piece, OrderedVisit visit)
    : metrics_(metrics),
      lateness_ns_(static_cast<UnixNanos>(lateness.count())),
      held_ns_(lateness_ns_ + std::max(lateness_ns_ / 2, static_cast<UnixNanos>(piece.count()))),
      visit_(std::move(visit)) {}

Intake::~Intake() = default;

std::string_view Intake::device_name(std::uint32_t number) const {
    return devices_[number]->name;
}

Intake::Device& Intake::device_of(std::string_view name) {
    if (last_device_ != nullptr && last_device_->name == name)
        return *last_device_;
    auto found = numbers_.find(name);
    if (found == numbers_.end()) {
        const auto number = static_cast<std::uint32_t>(devices_.size());
        found = numbers_.emplace(std::string(name), number).first;
        devices_.push_back(std::make_unique<Device>(std::string(name), number, metrics_, counts_));
        if (apart_ != nullptr) {
            const auto ranks = apart_->top.find(name);
            devices_.back()->canonicalizer.keep_apart(
                ranks == apart_->top.end() ? nullptr : &ranks->second, apart_->measure);
        }
    }
    last_device_ = devices_[found->second].get();
    return *last_device_;
}

void Intake::observe(const wire::Event& event, UnixNanos received_ns) {
    if (event.kind == wire::EventKind::metric) {
        observe_metric(event, received_ns);
    } else if (const auto process = process_sample(event)) {
        if (Device* device = accept(event.device, process->time_ns, received_ns)) {
            ++counts_.processes;
            device->processes.add(*process);
            taken(*device, process->time_ns);
        }
    } else if (const auto flow = flow_sample(event)) {
        if (Device* device = accept(event.device, flow->time_ns, received_ns)) {
            ++counts_.flows;
            device->flows.add(*flow);
            taken(*device, flow->time_ns);
        }
    } else if (event.kind == wire::EventKind::flow) {
        ++counts_.legacy;
    }
}

void Intake::observe_metric(const wire::Event& event, UnixNanos received_ns) {
    const std::optional<double> value = number_of(event);
    if (!value) {
        ++counts_.texts;
        const auto* text = std::get_if<std::string_view>(&event.value);
        if (text != nullptr && RowRoles::concerns(event.metric))
            device_of(event.device).canonicalizer.read_text(event, *text);
        return;
    }
    if (!std::isfinite(*value)) {
        ++counts_.not_finite;
        return;
    }
    Device* device = accept(event.device, event.time_ns, received_ns);
    if (device == nullptr)
        return;
    ++counts_.samples;
    device->metrics.add({event.time_ns, device->canonicalizer.source_of(event), *value});
    taken(*device, event.time_ns);
}

// The device that takes a sample of this time; null where nobody does.
Intake::Device* Intake::accept(std::string_view name, UnixNanos time_ns, UnixNanos received_ns) {
    if (time_ns == 0 || (time_ns > received_ns && time_ns - received_ns > most_ahead_ns)) {
        ++counts_.ahead;
        return nullptr;
    }
    Device& device = device_of(name);
    if (time_ns >= device.released_ns)
        return &device;
    ++counts_.late;
    return nullptr;
}

void Intake::taken(Device& device, UnixNanos time_ns) {
    first_ns_ = std::min(first_ns_, time_ns);
    last_ns_ = std::max(last_ns_, time_ns);
    device.newest_ns = std::max(device.newest_ns, time_ns);
    device.oldest_ns = std::min(device.oldest_ns, time_ns);
    // In larger pieces, so that sorting and moving are paid once for many
    // samples.
    if (device.newest_ns - device.oldest_ns > held_ns_)
        release(device, device.newest_ns - std::min(lateness_ns_, device.newest_ns));
}

// Sends everything before `until_ns` on, in order.
void Intake::release(Device& device, UnixNanos until_ns) {
    if (until_ns <= device.released_ns)
        return;
    const auto processes = device.processes.ready(until_ns);
    const auto flows = device.flows.ready(until_ns);
    if (!processes.empty() || !flows.empty())
        visit_.observations({device.number, device.name, device.oldest_ns, processes, flows});
    const auto metrics = device.metrics.ready(until_ns);
    for (std::size_t begin = 0; begin < metrics.size();) {
        const UnixNanos time_ns = metrics[begin].time_ns;
        std::size_t end = begin + 1;
        while (end < metrics.size() && metrics[end].time_ns == time_ns)
            ++end;
        canonical_.clear();
        device.canonicalizer.instant(time_ns, metrics.subspan(begin, end - begin), canonical_);
        visit_.instant({device.number, device.name, time_ns, canonical_});
        begin = end;
    }
    device.processes.forget(processes.size());
    device.flows.forget(flows.size());
    device.metrics.forget(metrics.size());
    device.oldest_ns = std::min(
        {device.metrics.oldest_ns(), device.processes.oldest_ns(), device.flows.oldest_ns()});
    device.released_ns = until_ns;
}

void Intake::finish() {
    for (const auto& device : devices_)
        release(*device, UINT64_MAX);
}

void Intake::transfer(StateArchive& archive) {
    const std::size_t count = archive.count(devices_.size());
    for (std::size_t number = 0; number < count && archive.good(); ++number) {
        std::string name = archive.reads() ? std::string() : devices_[number]->name;
        archive.text(name);
        Device& device = archive.reads() ? device_of(name) : *devices_[number];
        if (device.number == number)
            device.transfer(archive);
        else  // a name twice
            archive.refuse();
    }
}

}  // namespace amoskys::etl
