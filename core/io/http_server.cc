#include "core/io/http_server.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <set>

#include "core/io/listener.h"

namespace amoskys::io {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint32_t max_request_bytes = 16 * 1024;
constexpr std::size_t max_connections = 64;
constexpr auto patience = std::chrono::seconds(5);

using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

std::string text_of(beast::string_view view) {
    return {view.data(), view.size()};
}

// Nobody is left to be answered: closed, cancelled or timed out.
bool connection_ended(const beast::error_code& ec) {
    return ec && (ec == http::error::end_of_stream || ec == http::error::partial_message ||
                  ec.category() != http::make_error_code(http::error::bad_method).category());
}

HttpResponse refusal(const beast::error_code& ec) {
    constexpr auto plain = "text/plain; charset=utf-8";
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
        return {431, plain, "request over 16384 bytes\n"};
    if (ec == http::error::body_limit)
        return {413, plain, "a request has no body here\n"};
    return {400, plain, "not an HTTP/1.1 request\n"};
}

}  // namespace

struct HttpServer::Impl {
    Impl(asio::io_context& io_, std::map<std::string, HttpHandler> handlers_)
        : io(io_), handlers(std::move(handlers_)), listener(io_), group(io_) {}

    HttpResponse answer(const Request& request) const {
        const auto target = text_of(request.target());
        const auto question = target.find('?');
        HttpRequest in;
        in.method = text_of(request.method_string());
        in.path = target.substr(0, question);
        if (question != std::string::npos)
            in.query = target.substr(question + 1);
        in.accept = text_of(request[http::field::accept]);
        if (request.method() != http::verb::get && request.method() != http::verb::head)
            return {405, "text/plain; charset=utf-8", "method not allowed; allowed: GET, HEAD\n"};
        const auto handler = handlers.find(in.path);
        if (handler == handlers.end())
            return {404, "text/plain; charset=utf-8", "no such page\n"};
        return handler->second(in);
    }

    static Response to_wire(HttpResponse&& out, const Request& request, bool keep_alive) {
        Response response(static_cast<http::status>(out.status), request.version());
        response.set(http::field::content_type, out.content_type);
        response.set(http::field::cache_control, "no-store");
        response.set("X-Content-Type-Options", "nosniff");
        if (out.status == 405)
            response.set(http::field::allow, "GET, HEAD");
        response.keep_alive(keep_alive);
        const auto size = out.body.size();
        if (request.method() != http::verb::head)
            response.body() = std::move(out.body);
        response.content_length(size);
        return response;
    }

    static Task<Result<>> serve(std::shared_ptr<Impl> impl, asio::ip::tcp::socket socket);

    asio::io_context& io;
    const std::map<std::string, HttpHandler> handlers;
    Listener listener;
    TaskGroup group;
    std::set<beast::tcp_stream*> streams;
};

Task<Result<>> HttpServer::Impl::serve(std::shared_ptr<Impl> impl, asio::ip::tcp::socket socket) {
    beast::tcp_stream stream(std::move(socket));
    impl->streams.insert(&stream);
    beast::flat_buffer buffer(max_request_bytes * 2);
    bool keep_alive = true;
    while (keep_alive) {
        http::request_parser<http::empty_body> parser;
        parser.header_limit(max_request_bytes);
        parser.body_limit(0);
        stream.expires_after(patience);
        auto [read_error, read_bytes] =
            co_await http::async_read(stream, buffer, parser, use_tuple);
        if (connection_ended(read_error))
            break;
        keep_alive = !read_error && parser.get().keep_alive();
        auto out = read_error ? refusal(read_error) : impl->answer(parser.get());
        auto response = to_wire(std::move(out), parser.get(), keep_alive);
        stream.expires_after(patience);
        auto [write_error, written] = co_await http::async_write(stream, response, use_tuple);
        if (write_error)
            break;
    }
    beast::error_code ignored;
    stream.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    impl->streams.erase(&stream);
    co_return Result<>();
}

HttpServer::HttpServer(asio::io_context& io, std::map<std::string, HttpHandler> handlers)
    : impl_(std::make_shared<Impl>(io, std::move(handlers))) {}
HttpServer::~HttpServer() = default;

Result<std::string> HttpServer::listen(const Endpoint& endpoint) {
    return impl_->listener.open(endpoint);
}

Task<Result<>> HttpServer::run() {
    auto impl = impl_;
    while (true) {
        auto accepted = co_await impl->listener.accept();
        if (!accepted)
            break;
        if (impl->group.size() >= max_connections)
            continue;  // closed by its destructor
        auto task = Impl::serve(impl, std::move(*accepted));
        impl->group.spawn("http connection", std::move(task));
    }
    impl->listener.close();
    for (auto* stream : impl->streams)
        stream->close();
    auto joined = co_await impl->group.join();
    co_return joined;
}

}  // namespace amoskys::io
