// From events to canonical instants: per device a buffer that puts samples in
// order of event time, then, for metrics, the canonical stage. No I/O, no
// clock; the same events in the same order give the same instants. Not
// thread-safe.
//
// Memory: per device the samples of 1.5 x lateness, and one series state per
// metric and index.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/wire/event.h"
#include "modules/transformation/etl/canonical.h"
#include "modules/transformation/etl/observe.h"

namespace amoskys::etl {

// All canonical samples of one device at one time. They are never before one
// that came earlier for the same device.
struct Instant {
    std::uint32_t device = 0;  // number in the run, in order of appearance
    std::string_view name;     // of the device
    UnixNanos time_ns = 0;
    std::span<const CanonicalSample> samples;
};
using InstantVisit = std::function<void(const Instant&)>;

// Processes and flows of one device, each in order of time. Nothing of any kind
// from before from_ns comes any more; instants that come after this are at
// from_ns or later.
struct Observations {
    std::uint32_t device = 0;
    std::string_view name;
    UnixNanos from_ns = 0;
    std::span<const module::ProcessSample> processes;
    std::span<const module::FlowSample> flows;
};

struct OrderedVisit {
    InstantVisit instant;
    std::function<void(const Observations&)> observations;
};

class Intake {
  public:
    // piece: samples are passed on in pieces of at least this length.
    Intake(MetricTable& metrics, Duration lateness, Duration piece, OrderedVisit visit);
    ~Intake();

    // Before the first event; the caller keeps it.
    void keep_apart(const ApartInterfaces& interfaces) { apart_ = &interfaces; }

    // Takes metrics, processes, security observations and flows; others are not
    // for it. received_ns: when the record was stored; an event time more than an
    // hour after it is a clock's mistake and is not used.
    void observe(const wire::Event& event, UnixNanos received_ns);
    // Passes everything on: nothing comes any more.
    void finish();
    // After the table's; into an intake that has seen nothing.
    void transfer(StateArchive& archive);

    const CanonicalCounts& counts() const { return counts_; }
    std::size_t devices() const { return devices_.size(); }
    std::string_view device_name(std::uint32_t number) const;
    UnixNanos first_ns() const { return first_ns_; }  // event times of what was taken
    UnixNanos last_ns() const { return last_ns_; }

  private:
    struct Device;
    Device& device_of(std::string_view name);
    Device* accept(std::string_view device, UnixNanos time_ns, UnixNanos received_ns);
    void observe_metric(const wire::Event& event, UnixNanos received_ns);
    void taken(Device& device, UnixNanos time_ns);
    void release(Device& device, UnixNanos until_ns);

    MetricTable& metrics_;
    UnixNanos lateness_ns_, held_ns_;
    OrderedVisit visit_;
    CanonicalCounts counts_;
    const ApartInterfaces* apart_ = nullptr;
    std::vector<std::unique_ptr<Device>> devices_;
    std::map<std::string, std::uint32_t, std::less<>> numbers_;
    Device* last_device_ = nullptr;
    std::vector<CanonicalSample> canonical_;
    UnixNanos first_ns_ = UINT64_MAX, last_ns_ = 0;
};

}  // namespace amoskys::etl
