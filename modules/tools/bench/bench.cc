// `amoskys bench`: load for a running bus, and what came of it.
#include <algorithm>
#include <deque>

#include "core/base/text.h"
#include "core/crypto/pki.h"
#include "core/module/pipeline.h"
#include "core/module/progress.h"
#include "modules/tools/bench/bench_options.h"
#include "modules/tools/bench/report.h"

namespace amoskys::modules::bench {

namespace {

constexpr auto look_interval = std::chrono::milliseconds(100);

Result<Job> make_job(const module::ToolContext& context, const BenchOptions& options) {
    Job job;
    job.clock = &system_clock();
    job.duration = options.duration;
    job.load = make_load(options.batch, options.size.bytes, job.clock->now_ns());
    const auto most = wire::max_envelope_bytes - wire::envelope_overhead_bytes;
    if (job.load.payload.size() > most)
        return make_error(ErrorKind::usage, "bench_too_large",
                          "--batch " + std::to_string(options.batch) + " records of " +
                              std::to_string(job.load.record_bytes) + " bytes make " +
                              std::to_string(job.load.payload.size()) +
                              " bytes; an envelope holds " + std::to_string(most));
    if (options.rate > 0)
        job.envelopes_per_second = static_cast<double>(options.rate) /
                                   static_cast<double>(options.batch * options.publishers);
    if (const std::string last = options.lane + "-" + std::to_string(options.publishers);
        !valid_lane(last))
        return make_error(ErrorKind::usage, "bench_lane",
                          "--lane " + printable(options.lane) + " gives lane " + printable(last) +
                              "; allowed: [a-z0-9_-]{1,32}");
    const crypto::PkiPaths pki{context.state_dir / "pki"};
    AMOSKYS_TRY(identity, module::choose_identity(pki, options.id));
    AMOSKYS_TRY(key, crypto::SigningKey::load(pki.agent_signing_key(identity)));
    AMOSKYS_TRY(endpoint, io::parse_endpoint(options.bus, 50051));
    job.key = std::make_shared<const crypto::SigningKey>(std::move(key));
    job.client.buses = {endpoint};
    job.client.agent_id = identity;
    job.client.tls = {pki.ca_cert(), pki.agent_cert(identity), pki.agent_key(identity)};
    return job;
}

// All publishers at once, until they have ended; a signal ends them early.
std::vector<Outcome> run_all(const module::ToolContext& context, const BenchOptions& options,
                             const Job& job, std::atomic<bool>& stop) {
    io::asio::io_context io(1);
    io::Signals signals(io);
    signals.on_stop([&stop](int) { stop = true; });
    std::deque<Publisher> publishers;
    for (std::uint64_t i = 1; i <= options.publishers; ++i)
        publishers.emplace_back(job, options.lane + "-" + std::to_string(i), stop);
    module::Progress progress(context.progress, "publishing", "envelopes", 0);
    const auto ended = [&] {
        return std::ranges::all_of(publishers, [](const auto& each) { return each.ended(); });
    };
    while (!ended()) {
        io.run_one_for(look_interval);
        std::uint64_t done = 0;
        for (const auto& each : publishers)
            done += each.acknowledged();
        progress.update(done);
    }
    std::vector<Outcome> out;
    for (auto& each : publishers)
        out.push_back(each.outcome());
    return out;
}

}  // namespace

Result<> bench(module::ToolContext& context) {
    const auto& options = *static_cast<const BenchOptions*>(context.config.get());
    AMOSKYS_TRY(job, make_job(context, options));
    std::atomic<bool> stop{false};
    const auto outcomes = run_all(context, options, job, stop);
    const auto acknowledged =
        std::ranges::any_of(outcomes, [](const Outcome& each) { return each.sent.envelopes > 0; });
    const auto failed =
        std::ranges::find_if(outcomes, [](const Outcome& each) { return each.error.has_value(); });
    if (!acknowledged && failed != outcomes.end())
        return *failed->error;
    const Setup setup{options.bus, options.publishers, options.batch, options.rate};
    AMOSKYS_TRY_VOID(
        write_object(context.out, context.output, "bench", report(setup, job.load, outcomes)));
    if (stop)
        return make_error(ErrorKind::interrupted, "stopped", "stopped before its time");
    if (failed != outcomes.end())
        return make_error(ErrorKind::partial, failed->error->code, failed->error->message,
                          failed->error->hint);
    for (const Outcome& each : outcomes)
        if (each.unacknowledged > 0)
            return make_error(
                ErrorKind::partial, "bench_unacknowledged",
                std::to_string(each.unacknowledged) +
                    " envelopes were not acknowledged in time: " + each.client.last_error);
    return {};
}

}  // namespace amoskys::modules::bench
