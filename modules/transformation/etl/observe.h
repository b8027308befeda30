// Events of processes and flows as plain data, and the order in which they
// wait. Used by Intake.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "core/module/observation.h"
#include "core/wire/event.h"
#include "modules/transformation/etl/state_archive.h"

namespace amoskys::etl {

// Of kind process or security; nothing where the event is of another kind.
std::optional<module::ProcessSample> process_sample(const wire::Event& event);
// Of kind flow. The earlier system's flows are no flows (heartbeats in that
// form): nothing.
std::optional<module::FlowSample> flow_sample(const wire::Event& event);

void transfer(StateArchive& archive, module::ProcessSample& sample);
void transfer(StateArchive& archive, module::FlowSample& sample);

// Samples of one kind and device, from the order of arrival to the order of
// time.
template <class Sample>
class Waiting {
  public:
    void add(const Sample& sample) {
        sorted_ = sorted_ && (samples_.empty() || samples_.back().time_ns <= sample.time_ns);
        samples_.push_back(sample);
    }
    // Those before `until_ns`, in order; valid until forget() or add().
    std::span<const Sample> ready(UnixNanos until_ns) {
        const auto earlier = [](const Sample& a, const Sample& b) { return a.time_ns < b.time_ns; };
        if (!sorted_)
            std::stable_sort(samples_.begin(), samples_.end(), earlier);
        sorted_ = true;
        const auto end =
            std::partition_point(samples_.begin(), samples_.end(),
                                 [&](const Sample& sample) { return sample.time_ns < until_ns; });
        return {samples_.data(), static_cast<std::size_t>(end - samples_.begin())};
    }
    void forget(std::size_t count) {
        samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    // UINT64_MAX where there is none; of what ready() has put in order.
    UnixNanos oldest_ns() const { return samples_.empty() ? UINT64_MAX : samples_.front().time_ns; }

    std::span<const Sample> all() const { return samples_; }
    void transfer(StateArchive& archive) {
        etl::transfer(archive, samples_);
        if (archive.reads())
            sorted_ = std::is_sorted(
                samples_.begin(), samples_.end(),
                [](const Sample& a, const Sample& b) { return a.time_ns < b.time_ns; });
    }

  private:
    std::vector<Sample> samples_;
    bool sorted_ = true;
};

}  // namespace amoskys::etl
