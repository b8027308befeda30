#include <boost/asio/this_coro.hpp>

#include "core/link/client_machine.h"
#include "core/link/connection.h"

namespace amoskys::link {
namespace {

namespace asio = io::asio;
constexpr std::uint64_t call_request_id = 2;  // HELLO has 1

// The next frame that is not a greeting or a sign of life.
io::Task<Result<wire::Frame>> read_answer(TlsStream& stream, wire::FrameReader& reader,
                                          wire::Frame::BodyCase wanted) {
    while (true) {
        auto body = reader.next();
        if (!body)
            co_return body.error();
        if (*body) {
            auto frame = wire::decode_frame(**body);
            if (!frame)
                co_return frame.error();
            if (frame->body_case() == wire::Frame::kError)
                co_return bus_error(frame->error());
            const bool welcome = wanted == wire::Frame::kWelcome;
            if (welcome ? frame->body_case() == wanted : frame->request_id() == call_request_id)
                co_return std::move(*frame);
            continue;
        }
        auto reading = stream.read_some(reader.prepare());
        auto [ec, size] = co_await std::move(reading);
        if (ec)
            co_return read_error(ec, stream);
        reader.commit(size);
    }
}

io::Task<Result<wire::Frame>> exchange(asio::io_context& io, io::Endpoint bus, TlsContext context,
                                       ClientOptions options, wire::Frame request) {
    auto dialling = dial(io, bus, context, options);
    auto dialled = co_await std::move(dialling);
    if (!dialled)
        co_return dialled.error();
    auto& stream = **dialled;
    io::Deadline deadline(io, options.handshake_timeout + options.stalled_write,
                          [&stream] { stream.close(); });
    wire::Frame hello;
    hello.set_request_id(1);
    hello.mutable_hello()->add_protocol_versions(1);
    hello.mutable_hello()->set_agent_id(options.agent_id);
    request.set_request_id(call_request_id);
    const std::string out = wire::encode_frame(hello) + wire::encode_frame(request);
    wire::FrameReader reader;
    auto writing = stream.write(out);
    const auto ec = co_await std::move(writing);
    if (ec)
        co_return read_error(ec, stream);
    auto greeting = read_answer(stream, reader, wire::Frame::kWelcome);
    auto welcome = co_await std::move(greeting);
    if (!welcome)
        co_return welcome.error();
    auto answering = read_answer(stream, reader, wire::Frame::BODY_NOT_SET);
    auto answer = co_await std::move(answering);
    if (deadline.expired())
        co_return make_error(ErrorKind::unavailable, "bus_silent",
                             "the bus has not answered in time");
    stream.close();
    co_return answer;
}

}  // namespace

io::Task<Result<wire::Frame>> call(ClientOptions options, wire::Frame request) {
    auto executor = co_await asio::this_coro::executor;
    auto& io = static_cast<asio::io_context&>(executor.context());
    auto context = io::make_client_context(options.tls);
    if (!context)
        co_return context.error();
    Error last = make_error(ErrorKind::usage, "no_bus", "no bus address is configured");
    for (const auto& bus : options.buses) {
        auto task = exchange(io, bus, *context, options, request);
        auto answer = co_await std::move(task);
        if (answer)
            co_return answer;
        last = answer.error();
        // Another bus helps only where this one could not be asked.
        if (last.kind != ErrorKind::unavailable)
            break;
    }
    co_return last;
}

}  // namespace amoskys::link
