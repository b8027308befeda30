// Requests and responses of the page and its API as plain values, and the reader that makes the
// former of bytes (Boost.Beast's parser, named in message.cc only). Sans-io: fed with bytes, no
// clock. One thread per reader.
//
// Limits: start line and headers 16 KiB, body 64 KiB, target 4 KiB, 64 query parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/json/json.h"

namespace amoskys::modules::dash {

enum class Role : std::uint8_t { nobody, viewer, analyst, admin };
std::string_view role_name(Role role);
Result<Role> parse_role(std::string_view text);

using Pairs = std::vector<std::pair<std::string, std::string>>;
const std::string* find(const Pairs& pairs, std::string_view name);

struct Request {
    std::string method, path;           // path: decoded, begins with '/'; "" where it was none
    std::vector<std::string> segments;  // of the path, each decoded: a device's name may hold '/'
    Pairs query;                        // decoded, in order
    std::string host, origin, fetch_site, cookie, authorization, accept_encoding, if_none_match,
        last_event_id, content_type;
    std::string body;
    bool keep_alive = true;
    // Of the connection:
    std::string peer;       // numeric address
    std::string client_cn;  // of a client certificate that holds; "" = none
};

struct Response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    Pairs headers = {};
    bool stream = false;  // server-sent events follow (stream.h); no body
};

// RFC 9457. `problem` is a stable word: "not_found".
Response problem(unsigned status, std::string_view problem, std::string detail,
                 std::string_view hint = {});
// The problem that an Error of the data source is; what kind of Error gives which status stands in
// message.cc.
Response problem_of(const Error& error);
// 200, with an ETag of the body; 304 without a body where the client has it already.
Response json_response(const Request& request, const Json& body);
std::string etag_of(std::string_view body);
bool matches_etag(std::string_view if_none_match, std::string_view etag);

// Status line, headers and body. Security headers are in every one of them (message.cc).
std::string to_wire(const Request& request, Response&& response, bool keep_alive);

// What percent-encoding and '+' stand for. bad_data where it is broken, not UTF-8 or has controls.
Result<std::string> decode_component(std::string_view text, bool plus_is_space);
// Target of a request line: path without "." and ".." segments or "//", and query.
Result<> parse_target(std::string_view target, Request& out);

class RequestReader {
  public:
    enum class State { more, whole, refused };
    RequestReader();
    ~RequestReader();
    RequestReader(RequestReader&&) noexcept;
    // Takes bytes as they come; "" goes on with what is left of the bytes before. After `refused`
    // the connection is to be closed.
    State feed(std::string_view bytes);
    Request take();      // after `whole`; the next request may follow in the same bytes
    Response refusal();  // after `refused`
    bool begun() const;  // part of a request is here

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace amoskys::modules::dash
