// Stage 1, canonical rows: the metric events of one device, in order of event
// time, become series of finite numbers: counters as rates per second, units of
// one kind, the rows of a table aggregated, texts left out, and the derived
// metrics of derive.h beside them. No I/O, no clock. Not thread-safe.
//
// Rules. Gauges stay as they are; true and false are 1 and 0; texts are no
// features. A counter becomes METRIC_rate per second of event time: the first
// value gives none; after a decrease there is none either (reset), unless the
// device's sysUpTime is in the log and did not go back, the counter never passed
// 2^32 and the way round is shorter than 2^31 (wrap of 32 bits); where sysUpTime
// went back there is none at all. KiB become MiB, ticks seconds (gauges) or
// percent of one CPU (rates). The rows of a table (interfaces, disks) become one
// value per device and instant: the sum of rates, the mean of gauges. The same
// device, time, metric and index again is a duplicate: the first counts. Event
// times of 0 or an hour after the record's reception, NaN and infinity are left
// out. All of it is counted.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/wire/event.h"
#include "modules/transformation/etl/derive.h"

namespace amoskys::etl {

// What became of the events of a run, for the summary.
struct CanonicalCounts {
    std::uint64_t samples = 0;               // metric values taken
    std::uint64_t texts = 0;                 // metrics that are no numbers
    std::uint64_t not_finite = 0;            // NaN and infinity
    std::uint64_t duplicates = 0;            // same device, time, metric and index again
    std::uint64_t processes = 0, flows = 0;  // events of these kinds taken
    std::uint64_t legacy = 0;                // the earlier system's heartbeats, which are no flows
    std::uint64_t late = 0;                  // older than the lateness allows
    std::uint64_t ahead = 0;                 // event time far after reception, or 0
    std::uint64_t counter_starts = 0, counter_resets = 0, counter_wraps = 0;
};

// A metric of the run after this stage, the same for all devices.
struct CanonicalMetric {
    std::string name;  // "ifInOctets_rate", "laLoad1"
    std::string unit;  // "bytes/s"
    bool is_rate = false;
    bool is_key = false;  // one of etl.key_metrics
    Ingredient ingredient = Ingredient::none;
};

// Names to ids, shared by all devices of a run. An id stays for the run.
class MetricTable {
  public:
    explicit MetricTable(std::vector<std::string> key_metrics = {})
        : key_metrics_(std::move(key_metrics)) {}
    // Of a metric as it came: "ifInOctets", "bytes", counter.
    std::uint32_t id(std::string_view name, std::string_view unit, bool is_rate);
    std::uint32_t add(CanonicalMetric metric);
    std::uint32_t derived(std::size_t form);  // of derived_forms()
    const CanonicalMetric& at(std::uint32_t id) const { return metrics_[id]; }
    void transfer(StateArchive& archive);
    std::size_t size() const { return metrics_.size(); }

  private:
    std::vector<std::string> key_metrics_;
    std::deque<CanonicalMetric> metrics_;
    std::unordered_map<std::string, std::uint32_t> ids_;
    std::vector<std::optional<std::uint32_t>> derived_;
};

// The interfaces that are kept apart from the sums; interfaces.h has the rule.
using InterfaceRanks = std::map<std::string, std::size_t, std::less<>>;    // by index, from 1
using TopInterfaces = std::map<std::string, InterfaceRanks, std::less<>>;  // by device
struct ApartInterfaces {
    TopInterfaces top;
    bool measure = false;  // instead: the traffic of each interface as a metric of its own
};

// One value as it came, waiting for its turn. `source` is the (metric, index)
// of the device.
struct RawSample {
    UnixNanos time_ns = 0;
    std::uint32_t source = 0;
    double value = 0;
};

struct CanonicalSample {
    std::uint32_t metric = 0;  // id in the MetricTable
    double value = 0;
};

// The state of one device in this stage.
class Canonicalizer {
  public:
    Canonicalizer(MetricTable& metrics, CanonicalCounts& counts)
        : metrics_(metrics), counts_(counts) {}

    // Before the first event; `ranks` may be null and is kept by the caller.
    void keep_apart(const InterfaceRanks* ranks, bool measure) {
        ranks_ = ranks;
        measure_ = measure;
    }

    // The number of the (metric, index) of an event; stays for the device's
    // lifetime.
    std::uint32_t source_of(const wire::Event& event);

    // A metric that is a text: it may say what a row is.
    void read_text(const wire::Event& event, std::string_view text);

    // All samples of one instant, in the order of their arrival; instants rise
    // from call to call. Appends one canonical sample per metric to `out`.
    void instant(UnixNanos time_ns, std::span<const RawSample> samples,
                 std::vector<CanonicalSample>& out);

    std::size_t sources() const { return sources_.size(); }
    void transfer(StateArchive& archive);

  private:
    struct Source {
        std::string metric, index;
        std::uint32_t canonical = 0;
        bool is_counter = false, is_uptime = false;
        bool counts = true;  // in derived metrics
        Ingredient ingredient = Ingredient::none;
        std::optional<std::uint32_t> apart;  // a metric that has this row's values alone
        double scale = 1;                    // to the canonical unit
        bool has_value = false;
        UnixNanos time_ns = 0;  // of `value`
        double value = 0;
    };
    struct Sum {
        double total = 0;
        std::uint32_t count = 0;
    };

    void make_key(std::string_view metric, std::string_view index, bool is_counter);
    void transfer(StateArchive& archive, Source& source);
    std::optional<std::uint32_t> apart_of(const Source& source);
    void add(std::uint32_t metric, double value);
    void derive(std::vector<CanonicalSample>& out);
    bool rate(const Source& source, const RawSample& sample, double& out);

    MetricTable& metrics_;
    CanonicalCounts& counts_;
    std::deque<Source> sources_;
    std::unordered_map<std::string, std::uint32_t> by_key_;
    std::string key_;
    std::uint32_t next_guess_ = 0;
    std::vector<Sum> sums_;               // by metric id
    std::vector<std::uint32_t> touched_;  // metric ids with a sum at this instant
    RowRoles roles_;
    Ingredients ingredients_;
    std::vector<std::pair<std::size_t, double>> derived_;
    UnixNanos uptime_fell_ns_ = 0;  // latest instant at which the uptime went back
    bool uptime_known_ = false;
    const InterfaceRanks* ranks_ = nullptr;
    bool measure_ = false;
};

}  // namespace amoskys::etl
