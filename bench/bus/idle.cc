#include "bench/bus/idle.h"

#include <sys/resource.h>

#include <deque>

#include "bench/bus/child.h"
#include "bench/bus/publish.h"
#include "bench/measure.h"
#include "core/link/connection.h"
#include "core/wire/frame.h"

namespace amoskys::bench {
namespace {

constexpr std::size_t dialling_at_once = 32;
// Longer than a tick of the bus, in which it gives buffers back.
constexpr auto settle = std::chrono::seconds(3);

using Streams = std::deque<std::unique_ptr<link::TlsStream>>;

io::Task<Result<>> connect(io::asio::io_context* io, io::Endpoint bus, link::TlsContext context,
                           link::ClientOptions options, Streams* out) {
    auto dialling = link::dial(*io, bus, context, options);
    auto stream = co_await std::move(dialling);
    if (!stream)
        co_return stream.error();
    wire::Frame hello;
    hello.mutable_hello()->add_protocol_versions(1);
    hello.mutable_hello()->set_agent_id(options.agent_id);
    const std::string bytes = wire::encode_frame(hello);
    auto writing = (*stream)->write(bytes);
    co_await std::move(writing);
    Bytes space(4096);
    auto reading = (*stream)->read_some(space);
    const auto [ec, size] = co_await std::move(reading);  // WELCOME
    if (ec)
        co_return link::read_error(ec, **stream);
    out->push_back(std::move(*stream));
    co_return Result<>();
}

void raise_descriptors() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < idle_sessions + 100 || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail(make_error(ErrorKind::failed, "bench_descriptors",
                        "the limit of open files is below what the idle sessions need"));
}

}  // namespace

double idle_memory_mb(const std::filesystem::path& scratch, const crypto::PkiPaths& pki) {
    raise_descriptors();
    const auto folder = scratch / "idle";
    std::filesystem::create_directories(folder);
    double grown = 0;
    {
        Child bus({"/proc/self/exe", "--serve", folder.string(), pki.root.string()},
                  Child::Errors::dropped);  // a line for each session
        const io::Endpoint to = need(io::parse_endpoint(bus.line(), 0));
        const double before = bus.rss_anon_mb();
        link::ClientOptions options;
        options.agent_id = agent;
        options.tls = {pki.ca_cert(), pki.agent_cert(agent), pki.agent_key(agent)};
        const auto context = need(io::make_client_context(options.tls));
        io::asio::io_context io(1);
        Streams streams;
        io::TaskGroup group(io);
        for (std::size_t begun = 0; begun < idle_sessions || group.size() > 0;) {
            for (; group.size() < dialling_at_once && begun < idle_sessions; ++begun)
                group.spawn("connect", connect(&io, to, context, options, &streams));
            io.restart();
            io.run_one();
        }
        if (streams.size() < idle_sessions)
            fail(make_error(ErrorKind::failed, "bench_connect",
                            "the bus took " + std::to_string(streams.size()) + " sessions of " +
                                std::to_string(idle_sessions)));
        io.restart();
        io.run_for(settle);
        grown = bus.rss_anon_mb() - before;
        streams.clear();
    }
    std::filesystem::remove_all(folder);
    return grown;
}

}  // namespace amoskys::bench
