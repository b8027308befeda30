// Events: what is inside stored envelopes, one flat row each, for inspect, --stdout, etl and score.
// Decoding never fails as a whole: what cannot be decoded is counted and skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
    // Its own time; else the record's; else the envelope's. A flow has its start, a gap from_ns, a
    // legacy envelope ts_ns.
    UnixNanos time_ns = 0;
    // device: of the record or batch; agent_id where they name none; src_ip of a legacy flow.
    // source = collector name ("snmp", "proc", "flow"): the metric's label `source`, else
    // collection_agent, else the lane; "legacy" for legacy envelopes.
    // severity: INFO where nothing is said.
    std::string_view device, source, severity;
    EventKind kind = EventKind::metric;
    // metric:
    std::string_view metric, type, unit, index;  // type GAUGE, COUNTER...; index = table row
    // monostate for kinds other than metric; text also for binary values, as they are.
    std::variant<std::monostate, double, std::uint64_t, std::string_view, bool> value;
    // The TelemetryEvent behind the row: its bytes, and for kinds other than metric the message.
    // Nobody has built it for a metric (metric_fields.h): labels and attributes are in the bytes.
    ByteView event_bytes;
    const messaging::TelemetryEvent* event = nullptr;
    // Messages behind rows of the other kinds; may be null.
    const messaging::ProcessEvent* process = nullptr;
    const messaging::FlowEvent* flow = nullptr;
    const messaging::GapMarker* gap = nullptr;
    std::uint64_t offset = 0;  // global sequence of the record it stands in; 0 where not from a log
};

struct DecodeCounts {
    std::uint64_t envelopes = 0, events = 0, malformed_envelopes = 0, malformed_events = 0;
    std::uint64_t altered_envelopes = 0;  // the bytes are not those of the record's digest
};

// Decodes stored bytes and calls visit for each event in order. Views are valid during the call.
// visit returns false to stop. Reuses an arena between calls: not thread-safe, keep one per reader.
class EventDecoder {
  public:
    EventDecoder();
    ~EventDecoder();
    EventDecoder(const EventDecoder&) = delete;
    EventDecoder& operator=(const EventDecoder&) = delete;
    // False once visit returned false. Envelopes that cut_envelope refuses are still tried with
    // protobuf: other tools' files hold such.
    bool decode(RecordKind kind, ByteView stored, std::uint64_t offset,
                const std::function<bool(const Event&)>& visit);
    // The same for a record of a log: bytes that do not fit the digest in its header are counted as
    // altered and give no events.
    bool decode_record(RecordKind kind, ByteView stored, const Digest& digest, std::uint64_t offset,
                       const std::function<bool(const Event&)>& visit);
    // The events of a payload that is not in an envelope yet (--stdout, --dry-run): a serialized
    // TelemetryBatch.
    bool decode_batch(ByteView batch, std::string_view agent_id, std::string_view lane,
                      const std::function<bool(const Event&)>& visit);
    const DecodeCounts& counts() const { return counts_; }

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    DecodeCounts counts_;
};

// The event noun (amoskys.event/1) as CLI.md has it: device, time, source, kind, severity, and for
// a metric: metric, type, value, unit, index, labels (raw where it was normalised). The other kinds
// of TelemetryEvent stand in an object of the kind's name; process, flow and gap have their fields
// beside the common ones (ProcessEvent.kind as "change"). offset where it is not 0.
// Numbers above 2^53 and *_ns are strings of digits; binary values are lower case hex.
Json event_json(const Event& event);
// Such a row for people, in a line of at most 163 bytes: "ifInOctets[2]=17 bytes", "START sh pid
// 4711 sh -c ls", "TCP 192.0.2.1:4711 -> 192.0.2.2:443 SF 517/3091 bytes tls". Column `what` of
// tables. Not yet printable: it holds what devices say.
std::string event_text(const Json& event);
extern const Noun event_noun;

// Filter shared by inspect, etl, subscribers. "snmp_sysDescr" is an alias of "sysDescr", either
// way.
struct EventFilter {
    UnixNanos since_ns = 0, until_ns = UINT64_MAX;  // [since, until)
    std::vector<std::string> devices;               // globs; empty = any
    std::vector<std::string> metrics;               // globs; empty = any; only metrics match others
    std::vector<std::string> kinds, sources, severities;  // exact; severities in any case
    bool matches(const Event& event) const;
};

}  // namespace amoskys::wire
