#include <array>

#include "core/module/module.h"
#include "modules/tools/pki/pki_verbs.h"

namespace amoskys::modules {
namespace {

using config::option;
using module::Verb;

constexpr config::Bounds lifetime_bounds{60, 3650.0 * 86400};
constexpr std::string_view lifetime_help =
    "how long the certificates are good, at most as long as the CA's";

constexpr std::array init_table{
    option<&pki::InitOptions::san>("san", "", "further DNS names or addresses of the bus"),
    option<&pki::InitOptions::agent>("agent", "",
                                     "name of this host's own agents (none: the host name)"),
    option<&pki::InitOptions::lifetime>("lifetime", "", lifetime_help, lifetime_bounds),
};
constexpr std::array issue_table{
    option<&pki::IssueOptions::what>("what", "", "what to issue: agent", {},
                                     {.required = true, .positional = true, .choices = "agent"}),
    option<&pki::IssueOptions::name>("name", "", "name of the new agent", {},
                                     {.required = true, .positional = true}),
    option<&pki::IssueOptions::lifetime>("lifetime", "", lifetime_help, lifetime_bounds),
};
constexpr std::array renew_table{
    option<&pki::RenewOptions::what>("what", "", "all that are due, the bus, or one agent", {},
                                     {.positional = true, .choices = "all|bus|agent"}),
    option<&pki::RenewOptions::name>("name", "", "name of the agent", {}, {.positional = true}),
    option<&pki::RenewOptions::lifetime>("lifetime", "", lifetime_help, lifetime_bounds),
};
constexpr std::array revoke_table{
    option<&pki::RevokeOptions::what>("what", "", "what to revoke: agent", {},
                                      {.required = true, .positional = true, .choices = "agent"}),
    option<&pki::RevokeOptions::name>("name", "", "name of the agent", {},
                                      {.required = true, .positional = true}),
};

constexpr std::array verb_table{
    Verb{"init", "makes CA, bus certificate, log key, and an identity for this host's own agents",
         init_table, config::make_config<pki::InitOptions>, pki::init,
         "amoskys pki init\namoskys pki init --san bus.example --san 192.0.2.7"},
    Verb{"issue", "makes the keys and certificate of an agent and trusts it", issue_table,
         config::make_config<pki::IssueOptions>, pki::issue, "amoskys pki issue agent web-2"},
    Verb{"renew", "makes new certificates for the same keys and names", renew_table,
         config::make_config<pki::RenewOptions>, pki::renew,
         "amoskys pki renew\namoskys pki renew agent web-2"},
    Verb{"revoke", "marks an agent as revoked in the trust map", revoke_table,
         config::make_config<pki::RevokeOptions>, pki::revoke, "amoskys pki revoke agent web-2"},
    Verb{"list",
         "the certificates and when they expire",
         {},
         config::make_config<pki::NoOptions>,
         pki::list,
         "amoskys pki list -o json"},
    Verb{"needs-renewal",
         "exit 0 where a certificate is past two thirds of its life, else 1",
         {},
         config::make_config<pki::NoOptions>,
         pki::needs_renewal,
         "amoskys pki needs-renewal --quiet && amoskys pki renew"},
    Verb{"trust",
         "the agents that the bus trusts",
         {},
         config::make_config<pki::NoOptions>,
         pki::trust,
         "amoskys pki trust"},
};

}  // namespace

extern const module::ModuleInfo pki_module;
constinit const module::ModuleInfo pki_module{
    .name = "pki",
    .kind = module::Kind::tool,
    .summary = "keys, certificates and the trust map",
    .details =
        "Everything lies in the folder pki of the state directory. Private files have mode 0600, "
        "and "
        "nothing is overwritten but certificates by renew and the trust map by issue and "
        "revoke.\n\n"
        "An agent on another machine needs ca.crt and its own .crt, .key and .ed25519 there.",
    .verbs = verb_table,
};

}  // namespace amoskys::modules
