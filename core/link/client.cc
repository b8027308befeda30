#include "core/link/client.h"

#include <boost/asio/this_coro.hpp>
#include <random>

#include "core/link/client_machine.h"
#include "core/link/connection.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

namespace asio = io::asio;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t write_bytes = 256 * 1024;
constexpr auto tick_interval = 1s;
// An operator has to act: no use in asking every second.
constexpr auto operator_wait = 30s;
constexpr auto return_wait_max = 1h;
constexpr unsigned refusals_until_fatal = 3;

// One connection: its tasks share it.
struct Link {
    Link(asio::io_context& io_, Source& source, const ClientOptions& options, ClientStats& stats,
         io::Endpoint bus)
        : io(io_),
          machine(source, options, stats, std::move(bus)),
          wake(io_),
          stall(options.stalled_write) {}
    asio::io_context& io;
    std::unique_ptr<TlsStream> stream;
    ClientMachine machine;
    io::Event wake;
    std::chrono::nanoseconds stall;
    bool welcomed = false;
    bool leaving = false;  // for the preferred bus
};

io::Task<Result<>> write_frames(std::shared_ptr<Link> link) {
    std::string out = link->machine.hello();
    while (true) {
        const auto now = Steady::now();
        auto filled = link->machine.fill(out, write_bytes, now);
        if (!filled)
            co_return filled.error();
        auto ticked = link->machine.tick(out, now);
        if (!ticked)
            co_return ticked.error();
        if (!out.empty()) {
            auto writing = write_out(link->io, link->stream.get(), &out, link->stall);
            const auto written = co_await std::move(writing);
            if (!written)
                co_return written;
            continue;
        }
        std::chrono::nanoseconds wait = tick_interval;
        if (const auto until = link->machine.not_before())
            wait = std::clamp<std::chrono::nanoseconds>(*until - now, 1ms, tick_interval);
        const bool going = co_await link->wake.wait_for(wait);
        if (!going)
            co_return Result<>();
    }
}

io::Task<Result<>> watch_source(std::shared_ptr<Link> link, Source& source) {
    while (true) {
        co_await source.wait_for_more();
        link->wake.notify();
        const bool stop = co_await io::cancelled();
        if (stop)
            co_return Result<>();
    }
}

// On another bus than the preferred one: tries that one now and then, and ends the session in good
// order once it answers.
io::Task<Result<>> watch_preferred(std::shared_ptr<Link> link, TlsContext context,
                                   ClientOptions options, std::chrono::nanoseconds interval) {
    while (true) {
        const bool slept = co_await io::sleep_for(interval);
        if (!slept)
            co_return Result<>();
        auto dialling = dial(link->io, options.buses.front(), context, options);
        auto stream = co_await std::move(dialling);
        if (stream) {
            (*stream)->close();
            link->leaving = true;
            link->machine.finish();
            link->wake.notify();
            co_return Result<>();
        }
    }
}

// The next connection to this bus would end the same way.
bool refuses_the_lane(const Error& error) {
    return error.code == "bus_security_violation" || error.code == "bus_log_key" ||
           error.code == "bus_takes_nothing";
}

bool identity_refused(const Error& error) {
    return error.code == "bus_identity_refused" || error.code == "bus_permission_denied";
}

}  // namespace

struct Client::Impl {
    Impl(asio::io_context& io_, ClientOptions options_, Source& source_)
        : io(io_), options(std::move(options_)), source(source_), returned(io_) {}

    asio::io_context& io;
    ClientOptions options;
    Source& source;
    ClientStats stats;
    std::shared_ptr<Link> link;  // of the session that is open
    // Doubled each time that the preferred bus took the connection and then refused the lane.
    std::chrono::nanoseconds return_wait{};
    bool finishing = false, running = false;
    io::Event returned;  // from run()

    struct Ended {
        Error why;
        bool welcomed = false, leaving = false;
    };
    io::Task<Ended> session(std::size_t at, TlsContext context);
    io::Task<Result<>> run();
};

Client::Client(asio::io_context& io, ClientOptions options, Source& source)
    : impl_(std::make_shared<Impl>(io, std::move(options), source)) {}
Client::~Client() = default;
const ClientStats& Client::stats() const {
    return impl_->stats;
}

// One connection, until it ends.
io::Task<Client::Impl::Ended> Client::Impl::session(std::size_t at, TlsContext context) {
    const io::Endpoint bus = options.buses[at];
    link = std::make_shared<Link>(io, source, options, stats, bus);
    if (finishing)
        link->machine.finish();
    auto dialling = dial(io, bus, context, options);
    auto stream = co_await std::move(dialling);
    if (!stream)
        co_return Ended{stream.error()};
    link->stream = std::move(*stream);
    ++stats.connects;
    stats.connected = true;
    stats.bus = io::format_endpoint(bus.host, bus.port);
    log::info("link", "bus_connected", "connected to the bus",
              {{"bus", stats.bus}, {"lane", options.lane}});
    io::TaskGroup group(io);
    group.spawn("link reader", read_frames(
                                   link->stream.get(),
                                   [link = link](ByteView body) {
                                       return link->machine.on_frame(body, Steady::now());
                                   },
                                   [link = link] {
                                       link->welcomed = link->machine.welcomed();
                                       link->wake.notify();
                                   }));
    group.spawn("link writer", write_frames(link));
    group.spawn("link source", watch_source(link, source));
    if (at != 0 && options.return_after > 0ns) {
        auto watching = watch_preferred(link, context, options, return_wait);
        group.spawn("link preferred", std::move(watching));
    }
    const auto joined = co_await group.join();
    link->stream->close();
    stats.connected = false;
    source.session_ended();
    Ended ended{joined ? make_error(ErrorKind::unavailable, "bus_closed", "the connection ended")
                       : joined.error(),
                link->welcomed, link->leaving};
    link.reset();
    co_return ended;
}

io::Task<> Client::finish(Duration patience) {
    auto impl = impl_;
    impl->finishing = true;
    if (impl->link) {
        impl->link->machine.finish();
        impl->link->wake.notify();
    }
    if (!impl->running || !impl->stats.connected)
        co_return;
    const bool waited = co_await impl->returned.wait_for(patience);
    static_cast<void>(waited);
}

io::Task<Result<>> Client::run() {
    auto impl = impl_;
    impl->running = true;
    auto running = impl->run();
    auto result = co_await std::move(running);
    impl->running = false;
    impl->returned.notify();
    co_return result;
}

io::Task<Result<>> Client::Impl::run() {
    const auto& buses = options.buses;
    if (buses.empty())
        co_return make_error(ErrorKind::usage, "no_bus", "no bus address is configured");
    auto context = io::make_client_context(options.tls);
    if (!context)
        co_return context.error();

    return_wait = options.return_after;
    io::Backoff backoff(std::random_device{}());
    std::vector<unsigned> refusals(buses.size(), 0);
    for (std::size_t at = 0;; at = (at + 1) % buses.size()) {
        // A renewed certificate is used from the next connection on; a bad one changes nothing.
        if (auto renewed = io::make_client_context(options.tls); renewed)
            context = std::move(renewed);
        else if (log::allow("link certificates"))
            log::warning("link", "certificates_refused",
                         "the former ones stay: " + renewed.error().message);
        auto task = session(at, *context);
        const Ended ended = co_await std::move(task);
        const bool stop = co_await io::cancelled();
        if (stop || finishing)
            co_return Result<>();
        // The source's own failures cannot be healed by another connection.
        const Error& error = ended.why;
        if (error.kind == ErrorKind::io || error.kind == ErrorKind::internal)
            co_return error;
        // Two processes with one identity would else take the lane from each other without end.
        const bool taken = error.code == "bus_lane_busy";
        if (ended.welcomed && !taken)
            backoff.reset();
        const auto address = io::format_endpoint(buses[at].host, buses[at].port);
        if (ended.leaving) {
            ++stats.returns;
            log::info("link", "bus_preferred_back", "the preferred bus is back: leaving the other",
                      {{"bus", address}, {"lane", options.lane}});
            at = buses.size() - 1;
            continue;
        }
        ++stats.failures;
        stats.last_error = error.message;
        refusals[at] = identity_refused(error) ? refusals[at] + 1 : 0;
        if (std::ranges::all_of(refusals, [](unsigned n) { return n >= refusals_until_fatal; }))
            co_return error;
        if (taken && log::allow("link identity " + options.lane, 1))
            log::error("link", "identity_shared",
                       error.message +
                           "; if this is another host, its state directory is a copy: "
                           "give that host an identity of its own (`amoskys pki issue "
                           "agent`, then its files instead of the copied ones)",
                       {{"bus", address}, {"agent", options.agent_id}, {"lane", options.lane}});
        else if (!taken && log::allow("link " + address))
            log::warning("link", "bus_lost", error.message,
                         {{"bus", address}, {"lane", options.lane}});
        std::chrono::nanoseconds wait = backoff.next();
        if (refuses_the_lane(error)) {
            if (buses.size() == 1)
                wait = operator_wait;
            if (at == 0)
                return_wait = std::min<std::chrono::nanoseconds>(return_wait * 2, return_wait_max);
        } else if (ended.welcomed && at == 0) {
            return_wait = options.return_after;
        }
        const bool slept = co_await io::sleep_for(wait);
        if (!slept)
            co_return Result<>();
    }
}

}  // namespace amoskys::link
