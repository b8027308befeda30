// The table of the API: what may be asked for, by whom, with which parameters, what comes back and
// which command line gives the same. Requests are matched by it and the OpenAPI document is made of
// it. Pure functions; any thread.
#pragma once

#include <span>

#include "modules/tools/dash/access.h"
#include "modules/tools/dash/message.h"
#include "modules/tools/dash/source.h"

namespace amoskys::modules::dash {

struct Parameter {
    std::string_view name, type;  // string integer boolean
    std::string_view help;
};

struct Call {
    const Request& request;
    const Caller& caller;
    const Pairs& path;  // values of the {names} in the route's path
    DataSource& source;
    UnixNanos now_ns = 0;
};

struct Route {
    std::string_view method, path;
    Role role = Role::viewer;  // the least that may ask
    std::string_view summary;
    std::string_view noun;     // "schema" of the answer, or of its rows
    std::string_view command;  // the same on the command line; "" = there is none
    std::span<const Parameter> parameters;
    // Null: answered by the server itself (session, stream).
    Result<Json> (*answer)(const Call& call) = nullptr;
};

std::span<const Route> routes();

struct Match {
    const Route* route = nullptr;
    Pairs path;
    std::string allowed;  // methods that the path has, where the asked one is not among them
};
Match find_route(std::string_view method, const std::vector<std::string>& segments);

// Role, parameters, answer, errors: all of a request but what Access refuses.
Response answer(const Route& route, const Call& call);
// 401 or 403, where the caller's role does not do.
std::optional<Response> refuse_role(const Route& route, const Caller& caller);

Json openapi_document();

}  // namespace amoskys::modules::dash
