// Stage 2, windows: the canonical series of one device, cut at [start, start +
// window), one start per step. No I/O, no clock. Not thread-safe.
//
// A window with at least one sample is a row. What was seen of a device reaches
// from its first sample to its last, and its usual distance between samples (of
// the last 16, at most a window) beyond both; windows that do not lie inside it
// are partial and left out unless asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/module/extractor.h"
#include "modules/transformation/etl/baseline.h"
#include "modules/transformation/etl/canonical.h"
#include "modules/transformation/etl/observe.h"

namespace amoskys::etl {

enum class Align : std::uint8_t {
    epoch,  // starts are multiples of the step since 1970: all devices share their
            // windows
    first   // the first window starts at the device's first sample
};

struct WindowOptions {
    Duration window = std::chrono::seconds(60);
    Duration step = std::chrono::seconds(30);
    Align align = Align::epoch;
    bool partial = false;  // also windows that reach beyond what was seen of the device
};

class WindowCutter {
  public:
    using Visit = std::function<void(const module::Window&)>;

    WindowCutter(std::string device, const MetricTable& metrics, WindowOptions options)
        : device_(std::move(device)), metrics_(metrics), options_(options) {}

    // From now on series come with these baselines; the caller keeps them.
    void compare_with(const DeviceBaselines* baselines);

    // Samples of one instant; instants rise from call to call.
    void add(UnixNanos time_ns, std::span<const CanonicalSample> samples);

    // Each in order of time, also from call to call. They may be ahead of the
    // instants, and nothing of any kind is from before from_ns any more.
    void add(UnixNanos from_ns, std::span<const module::ProcessSample> processes,
             std::span<const module::FlowSample> flows);

    // Visits, in order, each window that holds a sample and ends at or before
    // `until_ns`: nothing before `until_ns` may come any more. Without `partial`
    // those that begin before what was seen are left out. Then forgets what no
    // later window needs.
    void close(UnixNanos until_ns, const Visit& visit);

    // The end of what was seen, for the last windows of an input: the last
    // instant plus the usual distance between instants (median of the last 16),
    // or the last process or flow. A window that ends by then is complete.
    UnixNanos seen_until() const;
    const std::string& device() const { return device_; }
    // After compare_with() and the table's, into a cutter that has seen nothing.
    void transfer(StateArchive& archive);

  private:
    struct Column {
        std::vector<UnixNanos> times;
        std::vector<double> values;
        std::size_t begin = 0;  // what is before it is in no later window
        std::size_t keep = 0;   // so many samples before `begin` stay
        const module::Baseline* baseline = nullptr;
    };
    void make_columns(std::size_t count);
    static void trim(Column& column);

    // Processes, flows.
    template <class Sample>
    struct Kept {
        std::vector<Sample> samples;
        std::size_t begin = 0;  // what is before it is in no later window
        void add(std::span<const Sample> more) {
            samples.insert(samples.end(), more.begin(), more.end());
        }
        std::span<const Sample> inside(UnixNanos start_ns, UnixNanos end_ns) const;
        void forget_before(UnixNanos time_ns);
        void trim() {
            samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(begin));
            begin = 0;
        }
        void transfer(StateArchive& archive) {
            trim();
            etl::transfer(archive, samples);
        }
    };

    std::optional<UnixNanos> usual_gap() const;
    UnixNanos seen_from(UnixNanos until_ns) const;
    bool place_first_window();
    void visit_window(const Visit& visit);
    void forget_before(UnixNanos time_ns);
    std::optional<UnixNanos> oldest() const;

    std::string device_;
    const MetricTable& metrics_;
    WindowOptions options_;
    std::vector<Column> columns_;  // by metric id
    const DeviceBaselines* baselines_ = nullptr;
    std::optional<UnixNanos> next_start_ns_;
    Kept<module::ProcessSample> processes_;
    Kept<module::FlowSample> flows_;
    UnixNanos first_ns_ = 0, last_ns_ = 0;                    // of the instants; 0: none yet
    UnixNanos first_observed_ns_ = 0, last_observed_ns_ = 0;  // of the others
    std::vector<UnixNanos> gaps_ns_;                          // ring of the last distances
    std::size_t gap_at_ = 0;
    std::vector<module::Series> series_;
};

}  // namespace amoskys::etl
