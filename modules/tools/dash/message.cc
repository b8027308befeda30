#include "modules/tools/dash/message.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/crypto/hash.h"

namespace amoskys::modules::dash {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr std::uint64_t body_bytes_max = 64 * 1024;
constexpr std::size_t target_bytes_max = 4096, parameters_max = 64;

constexpr std::array<std::string_view, 4> role_names{"nobody", "viewer", "analyst", "admin"};

// Nothing but what this server gives runs or is loaded, no text becomes markup, and no other page
// may frame this one.
constexpr std::string_view security_headers =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n";

std::string_view reason_of(unsigned status) {
    const auto text = http::obsolete_reason(static_cast<http::status>(status));
    return {text.data(), text.size()};
}

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Error bad_target(std::string_view what) {
    return make_error(ErrorKind::bad_data, "bad_target",
                      "the request's target " + std::string(what));
}

}  // namespace

std::string_view role_name(Role role) {
    return role_names.at(static_cast<std::size_t>(role));
}

Result<Role> parse_role(std::string_view text) {
    for (std::size_t i = 1; i < role_names.size(); ++i)
        if (role_names.at(i) == text)
            return static_cast<Role>(i);
    return make_error(ErrorKind::config, "unknown_role",
                      "'" + printable(text) + "' is no role; allowed: viewer, analyst, admin");
}

const std::string* find(const Pairs& pairs, std::string_view name) {
    const auto at = std::ranges::find(pairs, name, [](const auto& pair) { return pair.first; });
    return at == pairs.end() ? nullptr : &at->second;
}

Response problem(unsigned status, std::string_view word, std::string detail,
                 std::string_view hint) {
    Json body = {{"type", "about:blank"},
                 {"title", reason_of(status)},
                 {"status", status},
                 {"code", word},
                 {"detail", printable(detail)}};
    if (!hint.empty())
        body["hint"] = printable(hint);
    return {status, "application/problem+json", json::dump(body) + "\n"};
}

Response problem_of(const Error& error) {
    unsigned status = 500;
    switch (error.kind) {
        case ErrorKind::usage:
        case ErrorKind::bad_data:
        case ErrorKind::config:
            status = 400;
            break;
        case ErrorKind::no_input:
            status = 404;
            break;
        case ErrorKind::finding:
            status = 409;
            break;
        case ErrorKind::unavailable:
            status = 503;
            break;
        default:
            break;
    }
    Response out = problem(status, error.code, error.message, error.hint);
    if (status == 503)
        out.headers.emplace_back("Retry-After", "2");
    return out;
}

std::string etag_of(std::string_view body) {
    const Digest digest = crypto::sha256(as_bytes(body));
    return "\"" + to_hex(ByteView(digest).first(12)) + "\"";
}

bool matches_etag(std::string_view if_none_match, std::string_view etag) {
    for (std::string_view each : split(if_none_match, ',')) {
        each = trim(each);
        if (each.starts_with("W/"))
            each.remove_prefix(2);
        if (each == etag || each == "*")
            return true;
    }
    return false;
}

Response json_response(const Request& request, const Json& body) {
    Response out;
    out.body = json::dump(body) + "\n";
    std::string etag = etag_of(out.body);
    if (matches_etag(request.if_none_match, etag)) {
        out.status = 304;
        out.body.clear();
    }
    out.headers.emplace_back("ETag", std::move(etag));
    return out;
}

std::string to_wire(const Request& request, Response&& response, bool keep_alive) {
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " +
                      std::string(reason_of(response.status)) + "\r\n";
    out += security_headers;
    bool cached = false;
    for (const auto& [name, value] : response.headers) {
        out += name + ": " + value + "\r\n";
        cached = cached || name == "Cache-Control";
    }
    if (!cached)
        out += "Cache-Control: no-store\r\n";
    out += keep_alive || response.stream ? "" : "Connection: close\r\n";
    if (response.stream)
        return out +
               "Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
               "Connection: close\r\n\r\n";
    if (response.status != 304 && response.status != 204)
        out += "Content-Type: " + response.content_type +
               "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
    out += "\r\n";
    if (request.method != "HEAD")
        out += response.body;
    return out;
}

Result<std::string> decode_component(std::string_view text, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
            const int low = high < 0 ? -1 : hex_value(text[i + 2]);
            if (low < 0)
                return bad_target("has a broken percent-encoding");
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += text[i] == '+' && plus_is_space ? ' ' : text[i];
        }
    }
    if (printable(out) != out)
        return bad_target("has control characters or is not UTF-8");
    return out;
}

Result<> parse_target(std::string_view target, Request& out) {
    if (target.size() > target_bytes_max)
        return bad_target("is over " + std::to_string(target_bytes_max) + " bytes");
    const std::size_t question = target.find('?');
    const std::string_view path = target.substr(0, question);
    if (!path.starts_with('/'))
        return bad_target("is no path");
    for (const std::string_view raw : split(path.substr(1), '/')) {
        AMOSKYS_TRY(segment, decode_component(raw, false));
        if (segment == "." || segment == ".." || (segment.empty() && path.size() > 1))
            return bad_target("has empty or dot segments");
        out.path += "/" + segment;
        out.segments.push_back(std::move(segment));
    }
    if (question == std::string_view::npos)
        return {};
    for (const std::string_view part : split(target.substr(question + 1), '&')) {
        if (part.empty())
            continue;
        if (out.query.size() == parameters_max)
            return bad_target("has over " + std::to_string(parameters_max) + " parameters");
        const std::size_t equals = part.find('=');
        AMOSKYS_TRY(name, decode_component(part.substr(0, equals), true));
        AMOSKYS_TRY(value,
                    decode_component(equals == std::string_view::npos ? std::string_view()
                                                                      : part.substr(equals + 1),
                                     true));
        out.query.emplace_back(std::move(name), std::move(value));
    }
    return {};
}

struct RequestReader::Impl {
    using Parser = http::request_parser<http::string_body>;

    Impl() { renew(); }
    void renew() {
        parser.emplace();
        parser->header_limit(header_bytes_max);
        parser->body_limit(body_bytes_max);
        parser->eager(true);
    }
    Response refused(boost::beast::error_code ec) const {
        if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
            return problem(431, "headers_too_large", "start line and headers are over 16384 bytes");
        if (ec == http::error::body_limit)
            return problem(413, "body_too_large", "the body is over 65536 bytes");
        return problem(400, "bad_request", "not an HTTP/1.1 request: " + ec.message());
    }

    std::optional<Parser> parser;
    std::string buffer;
    Response refusal;
};

RequestReader::RequestReader() : impl_(std::make_unique<Impl>()) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;

bool RequestReader::begun() const {
    return !impl_->buffer.empty() || impl_->parser->got_some();
}

RequestReader::State RequestReader::feed(std::string_view bytes) {
    Impl& impl = *impl_;
    impl.buffer += bytes;
    while (!impl.parser->is_done() && !impl.buffer.empty()) {
        boost::beast::error_code ec;
        const std::size_t used =
            impl.parser->put(boost::asio::buffer(impl.buffer.data(), impl.buffer.size()), ec);
        impl.buffer.erase(0, used);
        if (ec == http::error::need_more)
            break;
        if (ec) {
            impl.refusal = impl.refused(ec);
            return State::refused;
        }
        if (used == 0)
            break;
    }
    return impl.parser->is_done() ? State::whole : State::more;
}

Response RequestReader::refusal() {
    return std::move(impl_->refusal);
}

Request RequestReader::take() {
    auto& message = impl_->parser->get();
    const auto text = [&message](auto field) {
        const auto value = message[field];
        return std::string(value.data(), value.size());
    };
    Request out;
    out.method.assign(message.method_string().data(), message.method_string().size());
    const std::string_view target(message.target().data(), message.target().size());
    // "" is no path: routes.cc answers it.
    if (const auto parsed = parse_target(target, out); !parsed) {
        out.path.clear();
        out.segments.clear();
        out.query.clear();
    }
    // Two Host fields could be understood in two ways: none is believed.
    out.host = message.count(http::field::host) == 1 ? text(http::field::host) : std::string();
    out.origin = text(http::field::origin);
    out.fetch_site = text("Sec-Fetch-Site");
    out.cookie = text(http::field::cookie);
    out.authorization = text(http::field::authorization);
    out.accept_encoding = text(http::field::accept_encoding);
    out.if_none_match = text(http::field::if_none_match);
    out.last_event_id = text("Last-Event-ID");
    out.content_type = text(http::field::content_type);
    out.body = std::move(message.body());
    out.keep_alive = message.keep_alive();
    impl_->renew();
    return out;
}

}  // namespace amoskys::modules::dash
