#include "core/module/batch.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace amoskys::module {

namespace {

using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

constexpr std::array metric_table{
    metrics::MetricInfo{.name = "amoskys_agent_collected_bytes_total",
                        .unit = "bytes",
                        .help = "Bytes of the records that collectors gave to the pipeline",
                        .label = "lane"},
    metrics::MetricInfo{.name = "amoskys_agent_stored_bytes_total",
                        .unit = "bytes",
                        .help = "Bytes of those records that were signed into the spool",
                        .label = "lane"},
    metrics::MetricInfo{.name = "amoskys_agent_events_total",
                        .unit = "events",
                        .help = "Events signed into the spool",
                        .label = "lane"},
    metrics::MetricInfo{.name = "amoskys_agent_envelopes_total",
                        .unit = "envelopes",
                        .help = "Envelopes signed into the spool",
                        .label = "lane"},
    metrics::MetricInfo{.name = "amoskys_agent_urgent_events_total",
                        .unit = "events",
                        .help = "Of those, events of the urgent lane",
                        .label = "lane"},
    metrics::MetricInfo{
        .name = "amoskys_agent_stored_ratio",
        .kind = metrics::Kind::gauge,
        .unit = "ratio",
        .help = "Bytes that are or will be on the bus, of the bytes that were collected",
        .label = "lane"},
    metrics::MetricInfo{.name = "amoskys_agent_loss_alert",
                        .kind = metrics::Kind::gauge,
                        .unit = "",
                        .help = "1 while less than 0.9 of the collected bytes was stored",
                        .label = "lane"},
};

// The earlier system stored 162 of 1,165 collected bytes and nobody noticed.
constexpr double least_stored_ratio = 0.9;

// Tag and length of a length-delimited field, then its bytes.
void put_field(std::string& out, std::uint32_t field, std::string_view bytes) {
    StringOutputStream stream(&out);
    CodedOutputStream coded(&stream);
    coded.WriteTag(field << 3 | 2U);
    coded.WriteVarint32(static_cast<std::uint32_t>(bytes.size()));
    coded.WriteRaw(bytes.data(), static_cast<int>(bytes.size()));
}

// The field with the message in it. `bytes`: what ByteSizeLong() said of this object just now.
std::string field_with(std::uint32_t field, const google::protobuf::MessageLite& message,
                       std::size_t bytes) {
    const std::uint32_t tag = field << 3 | 2U;
    const auto length = static_cast<std::uint32_t>(bytes);
    std::string out(
        CodedOutputStream::VarintSize32(tag) + CodedOutputStream::VarintSize32(length) + bytes,
        '\0');
    auto* at = reinterpret_cast<std::uint8_t*>(out.data());
    at = CodedOutputStream::WriteVarint32ToArray(tag, at);
    at = CodedOutputStream::WriteVarint32ToArray(length, at);
    message.SerializeWithCachedSizesToArray(at);
    return out;
}

void put_varint(std::string& out, std::uint32_t field, std::uint64_t value) {
    StringOutputStream stream(&out);
    CodedOutputStream coded(&stream);
    coded.WriteTag(field << 3);
    coded.WriteVarint64(value);
}

constexpr std::uint32_t field_of(int number) {
    return static_cast<std::uint32_t>(number);
}

std::pair<UnixNanos, UnixNanos> times_of(const messaging::DeviceTelemetry& record) {
    UnixNanos first = record.timestamp_ns();
    UnixNanos last = first;
    for (const messaging::TelemetryEvent& event : record.events()) {
        if (event.event_timestamp_ns() == 0)
            continue;
        first =
            first == 0 ? event.event_timestamp_ns() : std::min(first, event.event_timestamp_ns());
        last = std::max(last, event.event_timestamp_ns());
    }
    return {first, last};
}

// The record in parts of at most max_bytes: same header, consecutive events. A single event that is
// larger is refused.
Result<std::vector<messaging::DeviceTelemetry>> split_record(messaging::DeviceTelemetry record,
                                                             std::uint64_t max_bytes) {
    std::vector<messaging::DeviceTelemetry> parts;
    if (record.ByteSizeLong() <= max_bytes) {
        parts.push_back(std::move(record));
        return parts;
    }
    google::protobuf::RepeatedPtrField<messaging::TelemetryEvent> events;
    events.Swap(record.mutable_events());
    const std::uint64_t header = record.ByteSizeLong() + 16;
    std::uint64_t size = max_bytes + 1;
    for (messaging::TelemetryEvent& event : events) {
        const std::uint64_t bytes = event.ByteSizeLong() + 8;
        if (header + bytes > max_bytes)
            return make_error(ErrorKind::bad_data, "event_too_large",
                              "one event of device " + record.device_id() + " has " +
                                  std::to_string(bytes) + " bytes; an envelope takes " +
                                  std::to_string(max_bytes));
        if (size + bytes > max_bytes) {
            parts.push_back(record);
            size = header;
        }
        *parts.back().add_events() = std::move(event);
        size += bytes;
    }
    return parts;
}

// The record's urgent events with its header; the others stay.
messaging::DeviceTelemetry take_urgent(messaging::DeviceTelemetry& record) {
    google::protobuf::RepeatedPtrField<messaging::TelemetryEvent> events;
    events.Swap(record.mutable_events());
    messaging::DeviceTelemetry urgent = record;
    for (messaging::TelemetryEvent& event : events)
        *(is_urgent(event) ? urgent : record).add_events() = std::move(event);
    return urgent;
}

}  // namespace

std::span<const metrics::MetricInfo> pipeline_metrics() {
    return metric_table;
}

BatchEmitter::BatchEmitter(Spool& spool, BatchLimits limits, const Clock& clock,
                           metrics::Registry& metrics, std::string lane, UrgentSpool urgent)
    : spool_(spool),
      limits_(limits),
      clock_(clock),
      lane_(std::move(lane)),
      urgent_(std::move(urgent)),
      collected_bytes_(metrics.counter(metric_table[0], lane_)),
      stored_bytes_(metrics.counter(metric_table[1], lane_)),
      events_total_(metrics.counter(metric_table[2], lane_)),
      envelopes_total_(metrics.counter(metric_table[3], lane_)),
      urgent_total_(metrics.counter(metric_table[4], lane_)),
      stored_ratio_(metrics.gauge(metric_table[5], lane_)),
      loss_alert_(metrics.gauge(metric_table[6], lane_)) {
    stored_ratio_.set(1);
}

void BatchEmitter::collected(std::uint64_t bytes) {
    collected_bytes_.add(bytes);
}

void BatchEmitter::update_ratio() {
    const auto all = static_cast<double>(collected_bytes_.value());
    const auto kept = static_cast<double>(stored_bytes_.value() + payload_.size()) -
                      static_cast<double>(spool_.stats().dropped_bytes);
    const double ratio = all > 0 ? kept / all : 1;
    stored_ratio_.set(ratio);
    loss_alert_.set(ratio < least_stored_ratio ? 1 : 0);
}

io::Task<Result<>> BatchEmitter::add(Content content, std::string device, std::string entry,
                                     std::uint64_t events, std::pair<UnixNanos, UnixNanos> times) {
    const bool other = content_ != Content::none && (content != content_ || device != device_);
    const bool full = payload_.size() + entry.size() > limits_.max_bytes;
    if (!payload_.empty() && (other || full)) {
        const Result<> sealed = co_await seal();
        AMOSKYS_CO_TRY_VOID(sealed);
    }
    if (payload_.empty()) {
        content_ = content;
        device_ = std::move(device);
        begun_ = clock_.steady();
        first_ns_ = times.first;
        last_ns_ = times.second;
    }
    payload_ += entry;
    events_ += events;
    first_ns_ = std::min(first_ns_, times.first);
    last_ns_ = std::max(last_ns_, times.second);
    co_return Result<>();
}

// The batch is only taken apart once there is room: a wait that is cancelled loses nothing.
io::Task<Result<>> BatchEmitter::seal() {
    if (payload_.empty())
        co_return Result<>();
    const Result<> room = co_await spool_.wait_room();
    AMOSKYS_CO_TRY_VOID(room);
    co_return seal_now();
}

Result<> BatchEmitter::seal_now() {
    if (payload_.empty())
        return {};
    Spool::Payload payload;
    payload.bytes = std::move(payload_);
    payload.events = events_;
    payload.first_event_ns = first_ns_;
    payload.last_event_ns = last_ns_;
    const std::string device = std::exchange(device_, {});
    payload_.clear();
    events_ = 0;
    content_ = Content::none;
    return store(spool_, std::move(payload), device);
}

Result<> BatchEmitter::store(Spool& spool, Spool::Payload payload, const std::string& device) {
    const std::uint64_t content_bytes = payload.bytes.size();
    put_varint(payload.bytes, field_of(messaging::TelemetryBatch::kTotalEventsFieldNumber),
               payload.events);
    if (!device.empty())
        put_field(payload.bytes, field_of(messaging::TelemetryBatch::kDeviceIdFieldNumber), device);
    const Result<SeqNo> appended = spool.append(payload);
    if (appended.has_error())
        return appended.error();
    stored_bytes_.add(content_bytes);
    events_total_.add(payload.events);
    envelopes_total_.add();
    update_ratio();
    return {};
}

bool is_urgent(const messaging::TelemetryEvent& event) {
    return event.event_type() == "ALARM" || event.severity() == "CRITICAL";
}

// A batch of its own, so that it waits for nothing.
io::Task<Result<>> BatchEmitter::emit_urgent(messaging::DeviceTelemetry record) {
    const Result<Spool*> opened = urgent_();
    if (opened.has_error() && !is_full_disk(opened.error()))
        co_return opened.error();
    Spool* const spool = opened ? *opened : &spool_;  // no disk for a second one: with the others
    Result<std::vector<messaging::DeviceTelemetry>> split =
        split_record(std::move(record), limits_.max_bytes);
    if (split.has_error())
        co_return split.error();
    const std::vector<messaging::DeviceTelemetry> parts = std::move(*split);
    for (const messaging::DeviceTelemetry& part : parts) {
        const Result<> room = co_await spool->wait_room();
        AMOSKYS_CO_TRY_VOID(room);
        Spool::Payload payload;
        payload.bytes =
            field_with(field_of(messaging::TelemetryBatch::kTelemetryRecordsFieldNumber), part,
                       part.ByteSizeLong());
        payload.events = static_cast<std::uint64_t>(part.events_size());
        std::tie(payload.first_event_ns, payload.last_event_ns) = times_of(part);
        payload.priority = wire::Priority::urgent;
        collected(payload.bytes.size());
        urgent_total_.add(payload.events);
        const Result<> stored = store(*spool, std::move(payload), std::string());
        AMOSKYS_CO_TRY_VOID(stored);
    }
    co_return Result<>();
}

io::Task<Result<>> BatchEmitter::emit(messaging::DeviceTelemetry record) {
    if (std::ranges::any_of(record.events(), is_urgent)) {
        messaging::DeviceTelemetry urgent = take_urgent(record);
        io::Task<Result<>> emitting = emit_urgent(std::move(urgent));
        const Result<> emitted = co_await std::move(emitting);
        AMOSKYS_CO_TRY_VOID(emitted);
        if (record.events().empty())
            co_return Result<>();
    }
    const std::uint64_t record_bytes = record.ByteSizeLong();
    std::vector<messaging::DeviceTelemetry> parts;
    const bool whole = record_bytes <= limits_.max_bytes;
    if (!whole) {
        Result<std::vector<messaging::DeviceTelemetry>> split =
            split_record(std::move(record), limits_.max_bytes);
        if (split.has_error()) {
            collected(record_bytes);
            update_ratio();
            co_return split.error();
        }
        parts = std::move(*split);
    }
    for (std::size_t i = 0; i < (whole ? 1 : parts.size()); ++i) {
        const messaging::DeviceTelemetry& part = whole ? record : parts[i];
        // Counting the bytes costs as much as writing them: once for a record that stays whole.
        const std::size_t bytes = whole ? record_bytes : part.ByteSizeLong();
        std::string entry = field_with(
            field_of(messaging::TelemetryBatch::kTelemetryRecordsFieldNumber), part, bytes);
        collected(entry.size());
        const auto events = static_cast<std::uint64_t>(part.events_size());
        const std::pair<UnixNanos, UnixNanos> times = times_of(part);
        const Result<> added =
            co_await add(Content::records, std::string(), std::move(entry), events, times);
        AMOSKYS_CO_TRY_VOID(added);
    }
    co_return Result<>();
}

io::Task<Result<>> BatchEmitter::emit(std::string device_id,
                                      std::vector<messaging::ProcessEvent> processes) {
    const UnixNanos now = clock_.now_ns();
    for (const messaging::ProcessEvent& process : processes) {
        std::string entry = field_with(field_of(messaging::TelemetryBatch::kProcessesFieldNumber),
                                       process, process.ByteSizeLong());
        collected(entry.size());
        const UnixNanos time = process.event_time_ns() == 0 ? now : process.event_time_ns();
        const std::pair<UnixNanos, UnixNanos> times{time, time};
        const Result<> added =
            co_await add(Content::processes, device_id, std::move(entry), 1, times);
        AMOSKYS_CO_TRY_VOID(added);
    }
    co_return Result<>();
}

io::Task<Result<>> BatchEmitter::emit(std::string device_id,
                                      std::vector<messaging::FlowEvent> flows) {
    for (const messaging::FlowEvent& flow : flows) {
        std::string entry = field_with(field_of(messaging::TelemetryBatch::kFlowsFieldNumber), flow,
                                       flow.ByteSizeLong());
        collected(entry.size());
        const std::pair<UnixNanos, UnixNanos> times{flow.start_time(), flow.end_time()};
        const Result<> added = co_await add(Content::flows, device_id, std::move(entry), 1, times);
        AMOSKYS_CO_TRY_VOID(added);
    }
    co_return Result<>();
}

io::Task<Result<>> BatchEmitter::flush() {
    const Result<> sealed = co_await seal();
    AMOSKYS_CO_TRY_VOID(sealed);
    const Result<> durable = co_await spool_.wait_durable();
    co_return durable;
}

io::Task<Result<>> BatchEmitter::flush_if_old() {
    if (payload_.empty() || clock_.steady() - begun_ < limits_.max_age)
        co_return Result<>();
    const Result<> sealed = co_await seal();
    co_return sealed;
}

StdoutEmitter::StdoutEmitter(std::unique_ptr<RowOutput> rows) : rows_(std::move(rows)) {}

Result<std::unique_ptr<StdoutEmitter>> StdoutEmitter::open(ByteSink& out,
                                                           const OutputOptions& options) {
    AMOSKYS_TRY(rows, RowOutput::open(out, options, wire::event_noun));
    return std::unique_ptr<StdoutEmitter>(new StdoutEmitter(std::move(rows)));
}

Result<> StdoutEmitter::print(const messaging::UniversalEnvelope& envelope) {
    const std::string bytes = envelope.SerializeAsString();
    bool reader_there = true;
    decoder_.decode(RecordKind::universal, as_bytes(bytes), 0, [&](const wire::Event& event) {
        printed_ = true;
        reader_there = rows_->row(wire::event_json(event));
        return reader_there;
    });
    if (!reader_there)
        return make_error(ErrorKind::interrupted, "reader_gone", "the reader of stdout has gone");
    return {};
}

io::Task<Result<>> StdoutEmitter::emit(messaging::DeviceTelemetry record) {
    messaging::UniversalEnvelope envelope;
    *envelope.mutable_device_telemetry() = std::move(record);
    co_return print(envelope);
}

io::Task<Result<>> StdoutEmitter::emit(std::string device_id,
                                       std::vector<messaging::ProcessEvent> processes) {
    messaging::UniversalEnvelope envelope;
    messaging::TelemetryBatch& batch = *envelope.mutable_telemetry_batch();
    batch.set_device_id(device_id);
    for (messaging::ProcessEvent& process : processes)
        *batch.add_processes() = std::move(process);
    co_return print(envelope);
}

io::Task<Result<>> StdoutEmitter::emit(std::string device_id,
                                       std::vector<messaging::FlowEvent> flows) {
    messaging::UniversalEnvelope envelope;
    messaging::TelemetryBatch& batch = *envelope.mutable_telemetry_batch();
    batch.set_device_id(device_id);
    for (messaging::FlowEvent& flow : flows)
        *batch.add_flows() = std::move(flow);
    co_return print(envelope);
}

io::Task<Result<>> StdoutEmitter::flush() {
    co_return Result<>();
}

Result<> StdoutEmitter::finish() {
    return rows_->finish();
}

}  // namespace amoskys::module
