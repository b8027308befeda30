// The module's entry in the table: data only, and the verb that makes tokens.
#include "core/module/module.h"

#include "core/io/runtime.h"
#include "modules/tools/dash/access.h"
#include "modules/tools/dash/dash_service.h"
#include "modules/tools/dash/log_site.h"

namespace amoskys::modules {
namespace {

using config::option;
using dash::DashConfig;

constexpr config::Option options[] = {
    option<&DashConfig::listen>("listen", "",
                                "address to serve on: HOST:PORT; any but a loopback one needs "
                                "dash.tls and tokens or client certificates",
                                {}, {.check = &io::check_endpoint}),
    option<&DashConfig::hosts>("hosts", "",
                               "names that a browser may call this server by, besides localhost, "
                               "the address and those of the certificate"),
    option<&DashConfig::tls>("tls", "", "serve over TLS 1.3"),
    option<&DashConfig::tls_cert>("tls_cert", "",
                                  "certificate, ECDSA or RSA; empty = the bus's, pki/bus.crt", {},
                                  {.path = true}),
    option<&DashConfig::tls_key>("tls_key", "", "its key; empty = pki/bus.key", {}, {.path = true}),
    option<&DashConfig::client_ca>("client_ca", "",
                                   "CA of client certificates; empty = none are asked for", {},
                                   {.path = true}),
    option<&DashConfig::clients>("clients", "",
                                 "NAME=ROLE: what the holder of a client certificate of that name "
                                 "may do; roles: viewer, analyst, admin",
                                 {}, {.check = &dash::check_client}),
    option<&DashConfig::tokens>("tokens", "",
                                "file of token hashes; empty = <state_dir>/dash-tokens; once it "
                                "has a token, everybody needs one"),
    option<&DashConfig::open_role>("open_role", "",
                                   "role of everybody while there are no tokens: viewer, analyst, "
                                   "admin",
                                   {}, {.check = &dash::check_open_role}),
    option<&DashConfig::session>("session", "", "how long a browser stays signed in",
                                 {60, 2'592'000}),
    option<&DashConfig::rate_limit>("rate_limit", "requests/s",
                                    "answered for one address, five seconds' worth at once",
                                    {1, 100'000}),
    option<&DashConfig::max_connections>("max_connections", "connections", "in all", {1, 100'000}),
    option<&DashConfig::look_back>(
        "look_back", "", "how far back devices and rates are read at the start", {60, 315'360'000}),
};

struct TokenOptions {
    std::string name;
    std::string role = "viewer";
};
constexpr config::Option token_options[] = {
    option<&TokenOptions::name>("name", "", "whose token it is", {},
                                {.required = true, .positional = true}),
    option<&TokenOptions::role>("role", "", "what its holder may do", {},
                                {.choices = "viewer|analyst|admin"}),
};

Result<> make_token(module::ToolContext& context) {
    const auto& wanted = *static_cast<const TokenOptions*>(context.config.get());
    const auto config = context.loaded.get<DashConfig>("dash");
    const std::filesystem::path file = dash::token_file(*config, context.state_dir);
    AMOSKYS_TRY(role, dash::parse_role(wanted.role));
    AMOSKYS_TRY(token, dash::add_token(file, wanted.name, role));
    return write_object(
        context.out, context.output, "dash_token",
        {{"name", wanted.name}, {"role", wanted.role}, {"token", token}, {"file", file.string()}});
}

constexpr module::Verb verbs[] = {
    {.name = "token",
     .summary = "makes a token, prints it once and keeps its hash; a running dash takes it up",
     .options = token_options,
     .make_config = &config::make_config<TokenOptions>,
     .run = &make_token,
     .examples = "amoskys dash token alice --role analyst"},
};

}  // namespace

extern const module::ModuleInfo dash_module;
const module::ModuleInfo dash_module = {
    .name = "dash",
    .kind = module::Kind::service,
    .summary = "page and API of a log: live, read-only, in the browser",
    .details =
        "Serves a page and a JSON API (/api/v1, described by /api/v1/openapi.json) over the log of "
        "the state\n"
        "directory; the bus may be running. On a loopback address anybody on this machine may "
        "look; any other\n"
        "address is refused without TLS and without tokens or client certificates.\n\n"
        "`amoskys dash token NAME --role viewer|analyst|admin` makes a token. With it: the page "
        "asks for it once,\n"
        "a program sends it as `Authorization: Bearer TOKEN`.\n\n"
        "Examples:\n"
        "  amoskys dash\n"
        "  amoskys dash token anna --role viewer\n",
    .config_root = "dash",
    .options = options,
    .make_config = &config::make_config<DashConfig>,
    .metrics = dash::dash_metrics(),
    .make_service = &dash::make_dash_service,
    .verbs = verbs,
};

}  // namespace amoskys::modules
