#include "bench/bus/spooled.h"

#include "bench/bus/child.h"
#include "bench/bus/publish.h"
#include "bench/measure.h"
#include "core/module/spool.h"

namespace amoskys::bench {

namespace {

constexpr auto look_interval = std::chrono::milliseconds(20);
constexpr double limit_seconds = 60;

// As a collector does: waits for room, hands over, goes on.
io::Task<Result<>> append_all(module::Spool& spool, const std::vector<Batch>& batches) {
    for (const Batch& each : batches) {
        auto waiting = spool.wait_room();
        const Result<> room = co_await std::move(waiting);
        if (!room)
            co_return room.error();
        const module::Spool::Payload payload{.kind = wire::PayloadKind::batch,
                                             .bytes = each.payload,
                                             .events = each.records * record_metrics};
        const Result<SeqNo> appended = spool.append(payload);
        if (!appended)
            co_return appended.error();
    }
    co_return Result<>();
}

}  // namespace

double publish_through_spool(const std::filesystem::path& scratch, const crypto::PkiPaths& pki,
                             const std::vector<Batch>& batches) {
    const auto folder = scratch / "spooled";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder / "bus");
    double seconds = 0;
    {
        Child bus({"/proc/self/exe", "--serve", (folder / "bus").string(), pki.root.string()},
                  Child::Errors::shown);
        link::ClientOptions options;
        options.buses = {need(io::parse_endpoint(bus.line(), 0))};
        options.agent_id = agent;
        options.lane = lane;
        options.tls = {pki.ca_cert(), pki.agent_cert(agent), pki.agent_key(agent)};
        io::asio::io_context io(1);
        auto spool = need(module::Spool::open(
            io, {.folder = folder / "spool",
                 .agent_id = agent,
                 .lane = lane,
                 .key = std::make_shared<const crypto::SigningKey>(
                     need(crypto::SigningKey::load(pki.agent_signing_key(agent)))),
                 .when_full = module::WhenFull::stop}));
        link::Client client(io, options, *spool);
        io::TaskGroup group(io);
        group.spawn("client", client.run());
        group.spawn("collector", append_all(*spool, batches));
        const Stopwatch watch;
        while (spool->position().acked.value < batches.size()) {
            io.run_one_for(look_interval);
            if (watch.seconds() > limit_seconds)
                fail(make_error(ErrorKind::failed, "bench_slow",
                                "the bus did not acknowledge everything in 60 s: " +
                                    client.stats().last_error));
        }
        seconds = watch.seconds();
        group.cancel();
        while (group.size() > 0)
            io.run_one_for(look_interval);
        need(spool->close());
    }
    std::filesystem::remove_all(folder);
    return seconds;
}

}  // namespace amoskys::bench
