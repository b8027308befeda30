// The metrics of agent proc: the table that `--help` and /metrics show, and access by index.
#pragma once

#include <span>
#include <string_view>

#include "core/metrics/metrics.h"

namespace amoskys::proc {

extern const std::span<const metrics::MetricInfo> proc_metrics;

// Thread-safe, as the registry is.
class ProcMetrics {
  public:
    enum Index {
        records,
        events,
        bytes,
        read_bytes,
        hashed_bytes,
        scan_seconds,
        processes,
        skipped,
        errors,
        life_cycle,
        life_cycle_lost,
        life_cycle_late,
        life_cycle_active,
        observations,
    };
    explicit ProcMetrics(metrics::Registry& registry) : registry_(registry) {}
    void add(Index index, std::string_view label, std::uint64_t by) {
        if (by != 0)
            registry_.counter(proc_metrics[index], label).add(by);
    }
    void set(Index index, double value) { registry_.gauge(proc_metrics[index]).set(value); }
    void observe(Index index, double value) {
        registry_.histogram(proc_metrics[index]).observe(value);
    }

  private:
    metrics::Registry& registry_;
};

}  // namespace amoskys::proc
