#include "modules/tools/bench/load_source.h"

#include <array>

namespace amoskys::modules::bench {

namespace {

constexpr auto pace_interval = std::chrono::microseconds(500);
constexpr UnixNanos ns_per_ms = 1'000'000;
constexpr std::array<const char*, 4> counters{"ifInOctets", "ifOutOctets", "ifInUcastPkts",
                                              "ifOutUcastPkts"};

messaging::DeviceTelemetry record(std::uint64_t number, std::uint64_t bytes, UnixNanos time_ns) {
    messaging::DeviceTelemetry out;
    out.set_device_id("bench-" + std::to_string(number));
    out.set_device_type("NETWORK");
    out.set_protocol("SNMP");
    out.set_collection_agent("bench");
    out.set_timestamp_ns(time_ns);
    do {
        const auto at = static_cast<std::size_t>(out.events_size());
        auto& event = *out.add_events();
        event.set_event_type("METRIC");
        event.set_is_synthetic(true);
        auto& metric = *event.mutable_metric_data();
        metric.set_metric_name(counters[at % counters.size()]);
        metric.set_metric_type("COUNTER");
        metric.set_unit("bytes");
        metric.set_value_kind(messaging::MetricData::NUMERIC);
        metric.set_numeric_value(static_cast<double>(number * 1000 + at));
        metric.set_index(std::to_string(at / counters.size() + 1));
        (*metric.mutable_labels())["source"] = "bench";
    } while (out.ByteSizeLong() < bytes);
    return out;
}

}  // namespace

Load make_load(std::uint64_t records, std::uint64_t record_bytes, UnixNanos time_ns) {
    messaging::TelemetryBatch batch;
    Load out;
    for (std::uint64_t i = 0; i < records; ++i) {
        auto& one = *batch.add_telemetry_records() = record(i, record_bytes, time_ns);
        out.events += static_cast<std::uint64_t>(one.events_size());
        out.record_bytes = one.ByteSizeLong();
    }
    out.records = records;
    out.payload = batch.SerializeAsString();
    return out;
}

LoadSource::LoadSource(io::asio::io_context& io, Options options)
    : options_(std::move(options)),
      more_(io),
      builder_(options_.agent_id, options_.lane, options_.key,
               {{options_.clock->now_ns() / ns_per_ms}, {0}, {}}) {}

link::Source::Position LoadSource::position() const {
    const auto& state = builder_.state();
    return {state.epoch, {state.last_sequence.value - unacked_.size()}, {}, state.last_sequence};
}

Result<SeqNo> LoadSource::resume(const BusHead& head) {
    const auto& state = builder_.state();
    if (!started_) {
        started_ = true;
        start_ = options_.clock->steady();
        const Epoch epoch{std::max(state.epoch.value, head.epoch.value + 1)};
        builder_ = {options_.agent_id, options_.lane, options_.key, {epoch, {0}, head.signature}};
        return SeqNo{0};
    }
    if (head.epoch != state.epoch && head.sequence.value + head.epoch.value != 0)
        return make_error(
            ErrorKind::failed, "bench_lane_taken",
            "lane '" + options_.lane + "' has been written by somebody else meanwhile",
            "choose another one with --lane");
    const SeqNo first_kept{state.last_sequence.value - unacked_.size()};
    const SeqNo have = head.epoch == state.epoch ? head.sequence : SeqNo{0};
    if (have < first_kept)
        return make_error(ErrorKind::failed, "bench_lost",
                          "the bus has lane '" + options_.lane + "' up to sequence " +
                              std::to_string(have.value) + ", it acknowledged " +
                              std::to_string(first_kept.value));
    return have;
}

// By the rate, the next one's time has come.
bool LoadSource::due() const {
    return options_.envelopes_per_second <= 0 ||
           std::chrono::duration<double>(since_start()).count() * options_.envelopes_per_second >=
               static_cast<double>(made_);
}

Result<std::optional<link::Source::Item>> LoadSource::next(SeqNo after) {
    const auto last = builder_.state().last_sequence.value;
    if (after.value < last) {
        const auto& again = unacked_[unacked_.size() - (last - after.value)];
        return std::optional<Item>(Item{after.next(), again.bytes});
    }
    if (finished_ || !due())
        return std::optional<Item>();
    AMOSKYS_TRY(item, make());
    return std::optional<Item>(std::move(item));
}

Result<link::Source::Item> LoadSource::make() {
    wire::BuildRequest request;
    request.payload = as_bytes(options_.load->payload);
    request.ts_ns = options_.clock->now_ns();
    AMOSKYS_TRY(bytes, builder_.build(request));
    SteadyTime due = options_.clock->steady();
    if (options_.envelopes_per_second > 0)
        due = start_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                           static_cast<double>(made_) / options_.envelopes_per_second));
    ++made_;
    unacked_.push_back({bytes, due});
    return Item{builder_.state().last_sequence, std::move(bytes)};
}

void LoadSource::committed(SeqNo last) {
    const auto now = options_.clock->steady();
    auto oldest = builder_.state().last_sequence.value - unacked_.size() + 1;
    for (; !unacked_.empty() && oldest <= last.value; ++oldest) {
        const auto& envelope = unacked_.front();
        ++sent_.envelopes;
        sent_.bytes += envelope.bytes.size();
        sent_.latencies.add(now - envelope.due);
        unacked_.pop_front();
    }
}

Result<> LoadSource::reject(SeqNo sequence, const std::string& reason) {
    return make_error(ErrorKind::failed, "bench_rejected",
                      "the bus refused envelope " + std::to_string(sequence.value) + ": " + reason);
}

// Nothing outlives the run: no promise to hold the bus to, no head worth its while.
void LoadSource::keep(const amoskys::bus::Receipt&) {}

std::optional<amoskys::bus::Head> LoadSource::signed_head(Duration) {
    return std::nullopt;
}

void LoadSource::session_ended() {}  // what was not acknowledged is kept anyhow

io::Task<> LoadSource::wait_for_more() {
    co_await more_.wait();
}

io::Task<Result<>> LoadSource::pace() {
    while (true) {
        const bool slept = co_await io::sleep_for(pace_interval);
        if (!slept)
            co_return Result<>();
        if (started_ && !finished_ && due())
            more_.notify();
    }
}

}  // namespace amoskys::modules::bench
