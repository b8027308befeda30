#include "modules/collectors/snmp/trap_receiver.h"

#include <boost/asio/ip/v6_only.hpp>

#include "core/log/log.h"
#include "modules/collectors/snmp/metrics.h"

namespace amoskys::snmp {
namespace {

constexpr std::string_view component = "snmp";
constexpr std::size_t max_datagram = 65'536;

}  // namespace

TrapReceiver::TrapReceiver(const module::CollectorContext& context,
                           std::shared_ptr<const Credentials> credentials, double per_second,
                           NameOf name_of)
    : context_(context),
      decoder_(std::move(credentials), context.host_name,
               static_cast<std::int64_t>(context.clock.now_ns() / 1'000'000'000)),
      limit_(per_second),
      name_of_(std::move(name_of)) {}

Result<> TrapReceiver::open(const std::vector<std::string>& listen) {
    for (const std::string& text : listen) {
        AMOSKYS_TRY(endpoint, io::parse_endpoint(text, 162));
        boost::system::error_code failed;
        const auto address = io::asio::ip::make_address(endpoint.host, failed);
        if (failed)
            return make_error(ErrorKind::config, "snmp_trap_listen",
                              "agent.snmp.trap_listen: " + text + ": a numeric address is wanted");
        const io::asio::ip::udp::endpoint at(address, endpoint.port);
        Socket& socket = sockets_.emplace_back(context_.io);
        static_cast<void>(socket.open(at.protocol(), failed));
        if (!failed && at.protocol() == io::asio::ip::udp::v6())
            static_cast<void>(socket.set_option(io::asio::ip::v6_only(true), failed));
        if (!failed)
            static_cast<void>(socket.bind(at, failed));
        if (failed)
            return make_error(
                failed == boost::system::errc::permission_denied ? ErrorKind::permission
                                                                 : ErrorKind::unavailable,
                "snmp_trap_listen", "agent.snmp.trap_listen: " + text + ": " + failed.message(),
                "ports below 1024 need CAP_NET_BIND_SERVICE");
        // A burst of a whole network's traps waits here; a smaller buffer loses the rest unseen.
        static_cast<void>(
            socket.set_option(io::asio::socket_base::receive_buffer_size(4 << 20), failed));
    }
    for (const std::string& address : addresses())
        log::info(component, "trap_listening", "traps and informs", {{"address", address}});
    return {};
}

std::vector<std::string> TrapReceiver::addresses() const {
    std::vector<std::string> out;
    for (const Socket& socket : sockets_) {
        boost::system::error_code failed;
        const auto at = socket.local_endpoint(failed);
        out.push_back(io::format_endpoint(at.address().to_string(), at.port()));
    }
    return out;
}

std::vector<io::Task<Result<>>> TrapReceiver::tasks(module::Emitter& emitter) {
    std::vector<io::Task<Result<>>> out;
    for (Socket& socket : sockets_)
        out.push_back(receive(socket, emitter));
    return out;
}

std::optional<messaging::DeviceTelemetry> TrapReceiver::take(
    Socket& socket, ByteView datagram, const io::asio::ip::udp::endpoint& from) {
    const auto drop = [this](std::string_view why) {
        context_.metrics.counter(traps_dropped_metric, why).add();
        return std::nullopt;
    };
    const std::string address = from.address().to_string();
    const UnixNanos now_ns = context_.clock.now_ns();
    if (!limit_.allow(address, static_cast<double>(now_ns) / 1e9)) {
        if (log::allow("snmp.trap_rate." + address, 1))
            log::warning(component, "trap_rate", "more traps than agent.snmp.trap_rate",
                         {{"source", address}});
        return drop("rate");
    }
    const auto got = decoder_.take(datagram, static_cast<std::int64_t>(now_ns / 1'000'000'000));
    if (!got.reply.empty()) {
        // Lost answers are asked for again by the sender.
        boost::system::error_code ignored;
        socket.send_to(io::asio::buffer(got.reply), from, 0, ignored);
    }
    if (got.drop != TrapDrop::none) {
        if (log::allow("snmp.trap_drop." + address, 1))
            log::warning(component, "trap_refused", "a trap was not taken",
                         {{"source", address}, {"reason", std::string(trap_drop_name(got.drop))}});
        return drop(trap_drop_name(got.drop));
    }
    if (!got.notification)
        return std::nullopt;
    context_.metrics.counter(traps_metric, got.notification->inform ? "inform" : "trap").add();
    return trap_record(*got.notification, name_of_(address), address, now_ns);
}

io::Task<Result<>> TrapReceiver::receive(Socket& socket, module::Emitter& emitter) {
    std::vector<std::uint8_t> buffer(max_datagram);
    for (;;) {
        io::asio::ip::udp::endpoint from;
        const auto [failed, size] =
            co_await socket.async_receive_from(io::asio::buffer(buffer), from, io::use_tuple);
        if (failed == boost::asio::error::operation_aborted)
            co_return Result<>();
        if (failed) {
            const bool waited = co_await io::sleep_for(std::chrono::milliseconds(100));
            if (!waited)
                co_return Result<>();
            continue;
        }
        auto record = take(socket, ByteView(buffer).first(size), from);
        if (!record)
            continue;
        auto emitted = co_await emitter.emit(std::move(*record));
        if (!emitted)
            co_return emitted;
    }
}

}  // namespace amoskys::snmp
