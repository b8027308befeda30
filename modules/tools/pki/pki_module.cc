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
constexpr std::array rotate_table{
    option<&pki::RotateOptions::what>(
        "what", "", "an agent's signing key, the bus's TLS key, or the CA", {},
        {.required = true, .positional = true, .choices = "agent|bus|ca"}),
    option<&pki::RotateOptions::name>("name", "", "name of the agent", {}, {.positional = true}),
    option<&pki::RotateOptions::overlap>(
        "overlap", "", "agent: how long the old signing key stays good", {0, 3650.0 * 86400}),
    option<&pki::RotateOptions::lifetime>("lifetime", "", lifetime_help, lifetime_bounds),
    option<&pki::RotateOptions::finish>("finish", "",
                                        "ends the overlap: the old key or CA is no longer trusted"),
    option<&pki::RotateOptions::dry_run>("dry_run", "", "says what would be done"),
};
constexpr std::array revoke_table{
    option<&pki::RevokeOptions::what>("what", "", "what to revoke: agent", {},
                                      {.required = true, .positional = true, .choices = "agent"}),
    option<&pki::RevokeOptions::name>("name", "", "name of the agent", {},
                                      {.required = true, .positional = true}),
    option<&pki::RevokeOptions::key>("key", "", "only this key of the agent, by its key id"),
};
constexpr std::array trust_table{
    option<&pki::TrustOptions::action>(
        "action", "", "what to do", {},
        {.positional = true, .choices = "show|add|remove|export|accept-reset"}),
    option<&pki::TrustOptions::subject>("subject", "",
                                        "show, add, remove: the agent; accept-reset: AGENT/LANE; "
                                        "export: a new folder",
                                        {}, {.positional = true}),
    option<&pki::TrustOptions::public_key>("public_key", "", "add: file with the public key"),
    option<&pki::TrustOptions::algorithm>("algorithm", "", "add: how the agent signs", {},
                                          {.choices = "Ed25519-SHA256|Ed25519"}),
    option<&pki::TrustOptions::permissions>(
        "permissions", "", "add: of publish, subscribe, register, admin, publish_unsequenced"),
    option<&pki::TrustOptions::devices>("devices", "",
                                        "add: patterns of its device ids (none: any)"),
    option<&pki::TrustOptions::rate_limit>("rate_limit", "events/s", "add: 0 = unlimited",
                                           {0, 1e9}),
    option<&pki::TrustOptions::inline_keys>("inline", "",
                                            "export: keys in the trust map itself, no files"),
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
    Verb{"rotate", "replaces a key, with a time in which the old and the new one are good",
         rotate_table, config::make_config<pki::RotateOptions>, pki::rotate,
         "amoskys pki rotate agent web-2 --dry-run\namoskys pki rotate agent web-2 --overlap 7d\n"
         "amoskys pki rotate agent web-2 --finish\n"
         "amoskys pki rotate ca && amoskys pki renew && amoskys pki rotate ca --finish"},
    Verb{"revoke", "marks an agent, or one of its keys, as revoked in the trust map", revoke_table,
         config::make_config<pki::RevokeOptions>, pki::revoke,
         "amoskys pki revoke agent web-2\namoskys pki revoke agent web-2 --key 0123456789abcdef"},
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
    Verb{
        "trust", "the agents that the bus trusts: shows, adds, removes, exports them", trust_table,
        config::make_config<pki::TrustOptions>, pki::trust,
        "amoskys pki trust\namoskys pki trust add web-3 --public-key web-3.pub --devices '10.0.*'\n"
        "amoskys pki trust accept-reset web-2/snmp\namoskys pki trust export /tmp/for-the-auditor\n"
        "amoskys pki trust export /tmp/for-a-secret --inline"},
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
        "nothing is overwritten but certificates by renew, keys by rotate (the old one is kept "
        "until --finish) and the trust map by issue, rotate, revoke and trust. A running bus reads "
        "the new files within seconds, or at once on SIGHUP; so do agents.\n\n"
        "An agent on another machine needs ca.crt and its own .crt, .key and .ed25519 there. "
        "rotate: copy those again (ca.crt to every agent before `renew`). The log's key is not "
        "rotated: agents pin it, and old checkpoints are checked with it.",
    .verbs = verb_table,
};

}  // namespace amoskys::modules
