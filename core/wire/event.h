// Events: what is inside stored envelopes, one flat row each, for inspect, --stdout, etl and score.
// Decoding never fails as a whole: what cannot be decoded is counted and skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/base/types.h"
#include "core/json/output.h"
#include "proto/messaging_schema.pb.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::wire {

enum class EventKind : std::uint8_t {
    metric,
    log,
    alarm,
    status,
    security,
    audit,
    process,
    flow,
    gap
};
std::string_view event_kind_name(EventKind kind);  // "metric", ...

struct Event {
    UnixNanos time_ns = 0;
    std::string_view device, source, severity;  // source = collector name: "snmp", "proc", "flow"
    EventKind kind = EventKind::metric;
    // metric:
    std::string_view metric, type, unit, index;  // type GAUGE, COUNTER...; index = table row
    std::variant<std::monostate, double, std::uint64_t, std::string_view, bool> value;
    // Messages behind the row, for kinds other than metric and for labels; may be null.
    const messaging::TelemetryEvent* event = nullptr;
    const messaging::DeviceTelemetry* record = nullptr;
    const messaging::ProcessEvent* process = nullptr;
    const messaging::FlowEvent* flow = nullptr;
    std::uint64_t offset = 0;  // global sequence of the record it stands in; 0 where not from a log
};

struct DecodeCounts {
    std::uint64_t envelopes = 0, events = 0, malformed_envelopes = 0, malformed_events = 0;
};

// Decodes stored bytes and calls visit for each event in order. Views are valid during the call.
// visit returns false to stop. Reuses an arena between calls: not thread-safe, keep one per reader.
class EventDecoder {
  public:
    EventDecoder();
    ~EventDecoder();
    bool decode(RecordKind kind, ByteView stored, std::uint64_t offset,
                const std::function<bool(const Event&)>& visit);
    const DecodeCounts& counts() const { return counts_; }

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    DecodeCounts counts_;
};

// The event noun (amoskys.event/1) as CLI.md has it: device, time, source, kind, severity, and for
// a metric: metric, type, value, unit, index, labels.
Json event_json(const Event& event);
extern const Noun event_noun;

// Filter shared by inspect, etl, subscribers. "snmp_sysDescr" is an alias of "sysDescr".
struct EventFilter {
    UnixNanos since_ns = 0, until_ns = UINT64_MAX;  // [since, until)
    std::vector<std::string> devices;               // globs; empty = any
    std::vector<std::string> metrics;               // globs; empty = any
    std::vector<std::string> kinds, sources, severities;
    bool matches(const Event& event) const;
};

}  // namespace amoskys::wire
