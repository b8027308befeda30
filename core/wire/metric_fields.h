// What an Event shows of a record and of a metric, read straight from their bytes: no message is
// built, nothing is allocated, a field that is not shown is only stepped over. Used by EventDecoder
// for all that is strictly encoded; what these refuse is for protobuf to decide, which is lenient
// (varints that are not minimal, groups) and slower by a multiple. Views into the input.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"

namespace amoskys::wire {

struct RecordFields {
    std::string_view device, collection_agent;
    UnixNanos timestamp_ns = 0;
};
// Of a DeviceTelemetry; `events` gets its TelemetryEvents. False: not strict, or text of these
// fields is not UTF-8.
bool read_record(ByteView record, RecordFields& out, std::vector<ByteView>& events);

struct MetricFields {
    std::string_view event_type, severity;
    UnixNanos time_ns = 0;
    std::string_view name, type, unit, index, text, binary;
    std::string_view source_label, index_label;
    double numeric = 0;
    std::uint64_t counter = 0;
    int value_kind = 0;
    bool boolean = false;
};
// Of a TelemetryEvent that is a metric. False: it is (or has) something else, is not strict, or
// some text in it is not UTF-8.
bool read_metric(ByteView event, MetricFields& out);

}  // namespace amoskys::wire
