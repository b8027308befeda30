#include "modules/tools/inspect/top_source.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/link/client.h"
#include "core/wire/event.h"
#include "core/wire/state_codec.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::string_view lane_states = "lane/";
constexpr std::uint64_t looked_back_records = 256;  // for alerts of just before
constexpr std::string_view bus_metric = "amoskys_bus_";

// The newest events of the severities that are alerts.
class Alerts {
  public:
    Alerts() { filter_.severities = {severities.begin(), severities.end()}; }
    void add(const wal::RecordView& record) {
        decoder_.decode_record(record.header.kind, record.stored, record.header.digest,
                               record.header.offset.value, [this](const wire::Event& event) {
                                   if (filter_.matches(event))
                                       note(event);
                                   return true;
                               });
    }
    const std::deque<TopAlert>& newest() const { return newest_; }

    static constexpr std::array<std::string_view, 2> severities{"ERROR", "CRITICAL"};

  private:
    void note(const wire::Event& event) {
        newest_.push_back({event.time_ns, std::string(event.severity), std::string(event.device),
                           wire::event_text(wire::event_json(event))});
        if (newest_.size() > top_alerts)
            newest_.pop_front();
    }

    wire::EventDecoder decoder_;
    wire::EventFilter filter_;
    std::deque<TopAlert> newest_;
};

// Where to begin to look for alerts, with a log whose newest record is this one.
WalOffset looked_back(WalOffset newest) {
    return WalOffset{newest.value > looked_back_records ? newest.value - looked_back_records : 1};
}

class LogSource final : public TopSource {
  public:
    LogSource(std::shared_ptr<wal::Log> log, std::string name)
        : log_(std::move(log)), name_(std::move(name)) {}

    Result<TopSample> sample() override {
        TopSample out;
        const auto stats = log_->stats();
        out.time_ns = system_clock().now_ns();
        out.source = "log " + name_;
        out.records = static_cast<double>(stats.records);
        out.envelopes = static_cast<double>(stats.newest.value);
        out.bytes = static_cast<double>(stats.stored_bytes);
        out.log_bytes = static_cast<double>(stats.file_bytes);
        out.segments = static_cast<double>(stats.segments);
        out.damaged = static_cast<double>(log_->damages().size());
        if (stats.oldest_received_ns != 0 && stats.oldest_received_ns <= out.time_ns)
            out.oldest_seconds = static_cast<double>(out.time_ns - stats.oldest_received_ns) / 1e9;
        if (out.damaged > 0)
            out.health = "damaged ranges: see `amoskys inspect gaps`";
        AMOSKYS_TRY(states, log_->states(lane_states));
        for (const auto& state : states)
            if (const auto lane = wire::decode_lane_state(state.value)) {
                out.lanes[state.key.substr(lane_states.size())] = {lane->envelopes, lane->events};
                out.events += static_cast<double>(lane->events);
            }
        AMOSKYS_TRY_VOID(look_for_alerts(stats));
        out.alerts = alerts_.newest();
        return out;
    }

  private:
    Result<> look_for_alerts(const wal::LogStats& stats) {
        if (at_.value == 0)
            at_ = std::max(stats.oldest, looked_back(stats.newest));
        while (at_ <= stats.newest) {
            AMOSKYS_TRY(reached,
                        log_->read(at_, step_records, [this](const wal::RecordView& record) {
                            alerts_.add(record);
                            return true;
                        }));
            if (reached <= at_)
                break;
            at_ = reached;
        }
        return {};
    }

    std::shared_ptr<wal::Log> log_;
    const std::string name_;
    WalOffset at_;
    Alerts alerts_;
};

io::Task<Result<>> ask(link::ClientOptions options, wire::Frame request, Result<wire::Frame>* out) {
    auto task = link::call(std::move(options), std::move(request));
    *out = co_await std::move(task);
    co_return Result<>();
}

class BusSource final : public TopSource {
  public:
    explicit BusSource(BusIdentity identity) {
        options_.buses = {identity.bus};
        options_.agent_id = std::move(identity.agent_id);
        options_.tls = std::move(identity.tls);
    }

    Result<TopSample> sample() override {
        TopSample out;
        wire::Frame metrics, health;
        metrics.mutable_metrics_request();
        health.mutable_health_request();
        AMOSKYS_TRY(measured, call(std::move(metrics)));
        AMOSKYS_TRY(said, call(std::move(health)));
        const auto& bus = options_.buses.front();
        out.source = "bus " + io::format_endpoint(bus.host, bus.port);
        read_metrics(measured.metrics_answer(), out);
        out.health.clear();
        for (const auto& [name, component] : said.health_answer().component_health())
            if (component.status() != "HEALTHY")
                out.health += (out.health.empty() ? "" : ", ") + name + ": " + component.message();
        if (out.health.empty())
            out.health = "ok";
        if (const auto looked = look_for_alerts(); !looked)
            out.alerts_note = looked.error().message;
        out.alerts = alerts_.newest();
        return out;
    }

  private:
    // From where the sample before ended; at first from some records back, as with a log.
    Result<> look_for_alerts() {
        link::SubscriberOptions wanted;
        wanted.bus = options_.buses.front();
        wanted.agent_id = options_.agent_id;
        wanted.tls = options_.tls;
        wanted.stop_at_end = true;
        wanted.reconnect = link::Reconnect::never;
        for (const auto severity : Alerts::severities)
            wanted.filter.add_severities(std::string(severity));
        const auto take = [this](const wire::DeliverView& given) -> Result<bool> {
            alerts_.add(delivered_record(given));
            return true;
        };
        if (done_.value == 0) {  // what is the newest?
            AMOSKYS_TRY(seen, subscribe(wanted, take));
            done_.value = looked_back(seen.newest).value - 1;
        }
        wanted.from.value = done_.value + 1;
        AMOSKYS_TRY(seen, subscribe(wanted, take));
        done_ = std::max(done_, seen.done);
        return {};
    }
    Result<wire::Frame> call(wire::Frame request) {
        io::asio::io_context loop;
        io::TaskGroup group(loop);
        Result<wire::Frame> out = make_error(ErrorKind::internal, "no_answer", "no answer");
        group.spawn("call", ask(options_, std::move(request), &out));
        loop.run();
        return out;
    }

    link::ClientOptions options_;
    WalOffset done_;
    Alerts alerts_;
};

// The 99th percentile of the buckets, in ms, as PromQL's histogram_quantile() has it.
std::optional<double> p99_ms(const std::map<double, double>& buckets) {
    if (buckets.empty() || buckets.rbegin()->second == 0)
        return std::nullopt;
    const double wanted = 0.99 * buckets.rbegin()->second;
    double low = 0, below = 0;
    for (const auto& [bound, count] : buckets) {
        if (count >= wanted)
            return 1000 * (std::isinf(bound) ? low
                                             : low + (bound - low) * (wanted - below) /
                                                         std::max(count - below, 1.0));
        low = bound;
        below = count;
    }
    return std::nullopt;
}

}  // namespace

void read_metrics(const messaging::MetricsResponse& answer, TopSample& out) {
    out.time_ns = answer.collection_timestamp_ns();
    std::map<double, double> ack;
    for (const auto& series : answer.metrics()) {
        std::string_view name = series.metric_name();
        if (!name.starts_with(bus_metric) || series.data_points().empty())
            continue;
        name.remove_prefix(bus_metric.size());
        const double value = series.data_points(0).value();
        const auto label = [&](const char* key) {
            const auto found = series.labels().find(key);
            return found == series.labels().end() ? std::string() : found->second;
        };
        if (name == "accepted_events_total")
            out.events = value;
        else if (name == "accepted_envelopes_total")
            out.envelopes = value;
        else if (name == "received_bytes_total")
            out.bytes = value;
        else if (name == "log_records")
            out.records = value;
        else if (name == "log_bytes")
            out.log_bytes = value;
        else if (name == "log_segments")
            out.segments = value;
        else if (name == "log_damaged_segments")
            out.damaged = value;
        else if (name == "log_oldest_record_seconds")
            out.oldest_seconds = value;
        else if (name == "disk_free_bytes")
            out.free_bytes = value;
        else if (name == "log_queue_bytes")
            out.queue_bytes = value;
        else if (name == "sessions")
            out.sessions = value;
        else if (name == "agent_lag_envelopes")
            out.lag[label("agent")] = value;
        else if (name == "cursor_lag_records")
            out.cursors[label("cursor")] = value;
        else if (name == "rejected_envelopes_total")
            out.rejected[label("reason")] = value;
        else if (name == "publish_ack_seconds_bucket")
            ack[label("le") == "+Inf" ? INFINITY : std::strtod(label("le").c_str(), nullptr)] =
                value;
    }
    out.ack_p99_ms = p99_ms(ack);
}

std::unique_ptr<TopSource> top_of_log(std::shared_ptr<wal::Log> log, std::string name) {
    return std::make_unique<LogSource>(std::move(log), std::move(name));
}

std::unique_ptr<TopSource> top_of_bus(BusIdentity identity) {
    return std::make_unique<BusSource>(std::move(identity));
}

}  // namespace amoskys::modules::inspect
