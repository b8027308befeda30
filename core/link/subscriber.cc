#include "core/link/subscriber.h"

#include <boost/asio/this_coro.hpp>
#include <random>

#include "core/link/connection.h"
#include "core/link/subscriber_machine.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

namespace asio = io::asio;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
constexpr auto tick_interval = 500ms;

// One connection: its tasks share it.
struct Reading {
    Reading(asio::io_context& io_, const SubscriberOptions& options_, SubscriberStats& stats,
            const DeliverHandler& handler)
        : io(io_), options(options_), machine(options_, stats, handler), wake(io_) {}
    asio::io_context& io;
    const SubscriberOptions& options;
    std::unique_ptr<TlsStream> stream;
    SubscriberMachine machine;
    io::Event wake;
};

// Ends with an error of kind "finished" that the caller knows, so that the group stops.
Error finished_error() {
    return make_error(ErrorKind::unavailable, "subscription_finished", "nothing more is wanted");
}

io::Task<Result<>> write_frames(std::shared_ptr<Reading> reading) {
    std::string out = reading->machine.hello();
    while (true) {
        auto filled = reading->machine.fill(out, Steady::now());
        if (!filled)
            co_return filled.error();
        if (!out.empty()) {
            auto writing =
                write_out(reading->io, reading->stream.get(), &out, reading->options.stalled_write);
            const auto written = co_await std::move(writing);
            if (!written)
                co_return written;
            continue;
        }
        if (reading->machine.finished())
            co_return finished_error();
        const bool going = co_await reading->wake.wait_for(tick_interval);
        if (!going)
            co_return Result<>();
    }
}

// The bus does not change its mind: asking again would give the same answer.
bool is_final(const Error& error) {
    return error.kind != ErrorKind::unavailable || error.code == "bus_version";
}

}  // namespace

struct Subscriber::Impl {
    Impl(asio::io_context& io_, SubscriberOptions options_, DeliverHandler handler_)
        : io(io_), options(std::move(options_)), handler(std::move(handler_)) {}

    io::Task<Result<>> session(TlsContext context, bool* accepted);

    asio::io_context& io;
    SubscriberOptions options;
    DeliverHandler handler;
    SubscriberStats stats;
};

Subscriber::Subscriber(asio::io_context& io, SubscriberOptions options, DeliverHandler handler)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(handler))) {}
Subscriber::~Subscriber() = default;
const SubscriberStats& Subscriber::stats() const {
    return impl_->stats;
}

io::Task<Result<>> Subscriber::Impl::session(TlsContext context, bool* accepted) {
    auto reading = std::make_shared<Reading>(io, options, stats, handler);
    ClientOptions dial_options;
    dial_options.connect_timeout = options.connect_timeout;
    dial_options.handshake_timeout = options.handshake_timeout;
    auto dialling = dial(io, options.bus, context, std::move(dial_options));
    auto stream = co_await std::move(dialling);
    if (!stream)
        co_return stream.error();
    reading->stream = std::move(*stream);
    ++stats.connects;
    io::TaskGroup group(io);
    group.spawn("subscriber reader", read_frames(
                                         reading->stream.get(),
                                         [reading](ByteView body) {
                                             return reading->machine.on_frame(body, Steady::now());
                                         },
                                         [reading] { reading->wake.notify(); }));
    group.spawn("subscriber writer", write_frames(reading));
    auto result = co_await group.join();
    reading->stream->close();
    *accepted = reading->machine.accepted();
    co_return result;
}

io::Task<Result<>> Subscriber::run() {
    auto impl = impl_;
    auto& stats = impl->stats;
    auto context = io::make_client_context(impl->options.tls);
    if (!context)
        co_return context.error();
    io::Backoff backoff(std::random_device{}());
    const auto address = io::format_endpoint(impl->options.bus.host, impl->options.bus.port);
    bool began = false;
    while (true) {
        bool accepted = false;
        auto task = impl->session(*context, &accepted);
        auto ended = co_await std::move(task);
        const bool stop = co_await io::cancelled();
        if (stop)
            co_return Result<>();
        const Error error =
            ended ? make_error(ErrorKind::unavailable, "bus_closed", "the connection ended")
                  : ended.error();
        if (error.code == "subscription_finished")
            co_return Result<>();
        ++stats.failures;
        stats.last_error = error.message;
        began = began || accepted;
        const auto mode = impl->options.reconnect;
        const bool again = mode == Reconnect::always || (mode == Reconnect::after_success && began);
        if (!again || is_final(error))
            co_return error;
        if (accepted)
            backoff.reset();
        if (log::allow("subscriber " + address))
            log::warning("link", "subscription_lost", error.message + "; connecting again",
                         {{"bus", address}, {"done", stats.done.value}});
        const bool slept = co_await io::sleep_for(backoff.next());
        if (!slept)
            co_return Result<>();
    }
}

}  // namespace amoskys::link
