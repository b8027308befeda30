// Counters, gauges and histograms of this process, and their Prometheus text. Lock-free updates.
// Metrics are declared in each module's metric table (MetricInfo); nothing is registered by name
// twice. Names: amoskys_<component>_<noun>_<unit>[_total], base units, labels from small fixed
// sets.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace amoskys::metrics {

enum class Kind { counter, gauge, histogram };

struct MetricInfo {
    std::string_view name;
    Kind kind = Kind::counter;
    std::string_view unit;  // "bytes", "seconds", "envelopes"
    std::string_view help;
    std::string_view label = {};  // name of the one label, "" for none; further labels: pass "a,b"
    std::span<const double> buckets = {};  // histograms: upper bounds in base units
};

class Counter {
  public:
    void add(std::uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
  public:
    void set(double v) { value_.store(v, std::memory_order_relaxed); }
    void add(double by);
    double value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<double> value_{0};
};

class Histogram {
  public:
    explicit Histogram(std::span<const double> upper_bounds);
    void observe(double v);
    std::span<const double> bounds() const { return bounds_; }
    std::vector<std::uint64_t> cumulative() const;  // one per bound, then +Inf
    double sum() const;
    double quantile(double q) const;  // linear inside the bucket; 0 where empty

  private:
    std::vector<double> bounds_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
    std::atomic<double> sum_{0};
};

// Latency buckets from 100 microseconds to 10 s, in seconds.
std::span<const double> latency_buckets();

// All metrics of a process. Series are made on first use and live as long as the registry; the
// returned references stay valid. Thread-safe. At most 1,000 label values per metric: further ones
// are counted together under the value "other".
class Registry {
  public:
    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    Counter& counter(const MetricInfo& info, std::string_view label_value = {});
    Gauge& gauge(const MetricInfo& info, std::string_view label_value = {});
    Histogram& histogram(const MetricInfo& info, std::string_view label_value = {});

    // A gauge whose value is asked for at scrape time.
    void gauge_callback(const MetricInfo& info, double (*read)(const void*), const void* context);

    std::string prometheus_text() const;    // text format 0.0.4
    std::string open_metrics_text() const;  // OpenMetrics 1.0.0

    struct Sample {
        std::string name;    // with _bucket/_sum/_count where it is of a histogram
        std::string labels;  // "a=\"b\"" or ""
        double value;
    };
    std::vector<Sample> samples() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace amoskys::metrics
