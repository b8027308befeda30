#include "bench/bus/publish.h"

#include <algorithm>

#include "bench/bus/child.h"
#include "bench/bus/memory_source.h"
#include "bench/measure.h"

namespace amoskys::bench {

namespace {
constexpr auto memory_interval = std::chrono::milliseconds(20);
constexpr double limit_seconds = 30;
}  // namespace

Published publish(const std::filesystem::path& scratch, const crypto::PkiPaths& pki,
                  const std::vector<std::string>& envelopes, double rate_per_second) {
    const auto folder = scratch / "bus";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    Published out;
    {
        Child bus({"/proc/self/exe", "--serve", folder.string(), pki.root.string()},
                  Child::Errors::shown);
        link::ClientOptions options;
        options.buses = {need(io::parse_endpoint(bus.line(), 0))};
        options.agent_id = agent;
        options.lane = lane;
        options.tls = {pki.ca_cert(), pki.agent_cert(agent), pki.agent_key(agent)};
        io::asio::io_context io(1);
        MemorySource source(io, envelopes, rate_per_second);
        link::Client client(io, options, source);
        io::TaskGroup group(io);
        group.spawn("client", client.run());
        if (rate_per_second > 0)
            group.spawn("pace", source.pace());
        const Stopwatch watch;
        auto look = std::chrono::steady_clock::now();
        while (!source.done()) {
            io.run_one_for(memory_interval);
            if (std::chrono::steady_clock::now() >= look) {
                out.bus_rss_anon_mb = std::max(out.bus_rss_anon_mb, bus.rss_anon_mb());
                look = std::chrono::steady_clock::now() + memory_interval;
            }
            if (watch.seconds() > limit_seconds)
                fail(make_error(ErrorKind::failed, "bench_slow",
                                "the bus did not acknowledge everything in 30 s: " +
                                    client.stats().last_error));
        }
        out.bus_rss_anon_mb = std::max(out.bus_rss_anon_mb, bus.rss_anon_mb());
        group.cancel();
        while (group.size() > 0)
            io.run_one_for(memory_interval);
        out.seconds = source.seconds();
        out.latencies_ms = source.latencies_ms();
    }
    std::filesystem::remove_all(folder);
    return out;
}

}  // namespace amoskys::bench
