// One cycle of the collector with --once, and what it emitted.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "core/log/log.h"
#include "modules/collectors/snmp/collector.h"
#include "modules/collectors/snmp/metrics.h"

namespace amoskys::snmp {

struct Collected final : module::Emitter {
    std::vector<messaging::DeviceTelemetry> records;
    int flushes = 0;

    io::Task<Result<>> emit(messaging::DeviceTelemetry record) override {
        records.push_back(std::move(record));
        co_return Result<>();
    }
    io::Task<Result<>> emit(std::string, std::vector<messaging::ProcessEvent>) override {
        co_return Result<>();
    }
    io::Task<Result<>> emit(std::string, std::vector<messaging::FlowEvent>) override {
        co_return Result<>();
    }
    io::Task<Result<>> flush() override {
        ++flushes;
        co_return Result<>();
    }

    using Metrics = std::map<std::pair<std::string, std::string>, messaging::MetricData>;
    Metrics metrics() const {
        Metrics out;
        for (const auto& record : records)
            for (const auto& event : record.events())
                if (event.event_type() == "METRIC")
                    out[{event.metric_data().metric_name(), event.metric_data().index()}] =
                        event.metric_data();
        return out;
    }
};

inline io::Task<Result<>> keep_result(module::Collector& collector, module::Emitter& emitter,
                                      Result<>& result) {
    result = co_await collector.run(emitter);
    co_return Result<>();
}

// One cycle with --once.
struct Run {
    explicit Run(SnmpConfig config) {
        log::set_level(log::Level::off);
        module::CollectorContext context{
            loop, system_clock(), registry, std::make_shared<const SnmpConfig>(std::move(config)),
            true, "here"};
        auto collector = make_snmp_collector(context);
        INFO((collector ? "" : collector.error().message));
        REQUIRE(collector.has_value());
        io::TaskGroup tasks(loop);
        tasks.spawn("collector", keep_result(**collector, emitter, result));
        loop.run();
    }
    std::uint64_t polls(std::string_view how) {
        return registry.counter(polls_metric, how).value();
    }

    io::asio::io_context loop;
    metrics::Registry registry;
    Collected emitter;
    Result<> result;
};

inline SnmpConfig config_for(std::vector<std::string> targets) {
    SnmpConfig config;
    config.target = std::move(targets);
    config.timeout = std::chrono::milliseconds(300);
    return config;
}

inline constexpr std::string_view full_view =
    "view all included .1\nrocommunity public default -V all\n";
inline constexpr std::string_view debian_view =
    "view systemonly included .1.3.6.1.2.1.1\nview systemonly included .1.3.6.1.2.1.25.1\n"
    "rocommunity public default -V systemonly\n";

}  // namespace amoskys::snmp
