#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/io/runtime.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace amoskys::io {
namespace {

Error endpoint_error(std::string_view text, std::string_view what) {
    return make_error(ErrorKind::usage, "endpoint_invalid",
                      "address \"" + printable(text) + "\": " + std::string(what) +
                          "; allowed: HOST:PORT, [IPV6]:PORT, :PORT");
}

bool parse_port(std::string_view text, std::uint16_t& out) {
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
    return ec == std::errc() && end == text.data() + text.size();
}

bool same_name(std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    Endpoint out{{}, default_port};
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos)
            return endpoint_error(text, "\"]\" is missing");
        out.host = text.substr(1, end - 1);
        boost::system::error_code ec;
        asio::ip::make_address_v6(out.host, ec);
        if (ec)
            return endpoint_error(text, "not an IPv6 address in brackets");
        const auto rest = text.substr(end + 1);
        if (!rest.empty() && rest.front() != ':')
            return endpoint_error(text, "text after \"]\"");
        has_port = !rest.empty();
        if (has_port)
            port = rest.substr(1);
    } else {
        const auto colon = text.rfind(':');
        has_port = colon != std::string_view::npos;
        if (has_port && text.find(':') != colon)
            return endpoint_error(text, "an IPv6 address stands in brackets");
        out.host = text.substr(0, colon);
        if (has_port)
            port = text.substr(colon + 1);
    }
    if (has_port && !parse_port(port, out.port))
        return endpoint_error(text, "the port is not a number from 0 to 65535");
    if (out.host.empty()) {
        if (!has_port)
            return endpoint_error(text, "it is empty");
        out.host = "127.0.0.1";
    }
    if (out.host.size() > 253 || out.host.find_first_of(" \t\r\n/@") != std::string::npos)
        return endpoint_error(text, "not a host name or address");
    return out;
}

Result<> check_endpoint(std::string_view text) {
    if (const auto parsed = parse_endpoint(text, 1); !parsed)
        return make_error(ErrorKind::config, "config_bad_value", parsed.error().message);
    return {};
}

std::string format_endpoint(const std::string& host, std::uint16_t port) {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::vector<asio::ip::address> find_in_hosts(std::string_view hosts_text, std::string_view name) {
    std::vector<asio::ip::address> found;
    for (auto line : split(hosts_text, '\n')) {
        line = line.substr(0, line.find('#'));
        asio::ip::address address;
        bool first = true, usable = true;
        for (std::size_t at = 0; usable && at < line.size();) {
            const auto begin = line.find_first_not_of(" \t\r", at);
            if (begin == std::string_view::npos)
                break;
            const auto end = std::min(line.find_first_of(" \t\r", begin), line.size());
            const auto word = line.substr(begin, end - begin);
            at = end;
            if (first) {
                boost::system::error_code ec;
                address = asio::ip::make_address(word, ec);
                usable = !ec;
                first = false;
            } else if (same_name(word, name)) {
                found.push_back(address);
                break;
            }
        }
    }
    return found;
}

Task<Result<std::vector<asio::ip::address>>> resolve(std::string host) {
    std::vector<asio::ip::address> found;
    boost::system::error_code ec;
    const auto numeric = asio::ip::make_address(host, ec);
    if (!ec) {
        found.push_back(numeric);
        co_return found;
    }
    if (same_name(host, "localhost") || same_name(host, "localhost.")) {  // RFC 6761
        found.emplace_back(asio::ip::address_v4::loopback());
        found.emplace_back(asio::ip::address_v6::loopback());
        co_return found;
    }
    if (auto hosts = read_file("/etc/hosts", 1 << 20))
        found = find_in_hosts(*hosts, host);
    if (!found.empty())
        co_return found;

    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    const std::string service;
    auto [error, results] = co_await resolver.async_resolve(host, service, use_tuple);
    if (!error)
        for (const auto& entry : results)
            found.push_back(entry.endpoint().address());
    if (found.empty())
        co_return make_error(ErrorKind::unavailable, "name_not_found",
                             "cannot resolve \"" + printable(host) +
                                 "\": " + (error ? error.message() : "no address"));
    co_return found;
}

}  // namespace amoskys::io
