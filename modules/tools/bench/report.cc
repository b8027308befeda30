#include "modules/tools/bench/report.h"

#include <cmath>

namespace amoskys::modules::bench {

namespace {

double rounded(double value) {
    return std::round(value * 1000) / 1000;
}

}  // namespace

Json report(const Setup& setup, const Load& load, std::span<const Outcome> outcomes) {
    Sent all;
    double seconds = 0;
    std::uint64_t sent = 0, retried = 0, connects = 0, unacknowledged = 0;
    for (const Outcome& each : outcomes) {
        all.envelopes += each.sent.envelopes;
        all.bytes += each.sent.bytes;
        all.latencies.add(each.sent.latencies);
        seconds = std::max(seconds, each.seconds);
        sent += each.client.sent;
        retried += each.client.retried;
        connects += each.client.connects;
        unacknowledged += each.unacknowledged;
    }
    const auto per_second = [&](std::uint64_t amount) {
        return seconds > 0 ? std::round(static_cast<double>(amount) / seconds) : 0;
    };
    Json out = Json::object();
    out["bus"] = setup.bus;
    out["publishers"] = setup.publishers;
    out["batch"] = setup.batch;
    out["rate"] = setup.rate;
    out["record_bytes"] = load.record_bytes;
    out["envelope_bytes"] = all.envelopes == 0 ? 0 : all.bytes / all.envelopes;
    out["seconds"] = rounded(seconds);
    out["envelopes"] = all.envelopes;
    out["records"] = all.envelopes * load.records;
    out["events"] = all.envelopes * load.events;
    out["bytes"] = all.bytes;
    out["envelopes_per_second"] = per_second(all.envelopes);
    out["records_per_second"] = per_second(all.envelopes * load.records);
    out["events_per_second"] = per_second(all.envelopes * load.events);
    out["bytes_per_second"] = per_second(all.bytes);
    out["sent"] = sent;
    out["retried"] = retried;
    out["connects"] = connects;
    out["unacknowledged"] = unacknowledged;
    Json latency = Json::object();
    latency["p50"] = rounded(all.latencies.percentile_ms(0.5));
    latency["p90"] = rounded(all.latencies.percentile_ms(0.9));
    latency["p99"] = rounded(all.latencies.percentile_ms(0.99));
    latency["p99_9"] = rounded(all.latencies.percentile_ms(0.999));
    latency["max"] = rounded(all.latencies.max_ms());
    out["latency_ms"] = std::move(latency);
    return out;
}

}  // namespace amoskys::modules::bench
