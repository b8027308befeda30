// The module's entry in the table: data only.
#include "core/module/module.h"

#include "modules/intelligence/rules/tool.h"

namespace amoskys::modules {
namespace {

using config::option;
using rules::ExplainConfig;
using rules::ListConfig;
using rules::PathsConfig;
using rules::RunConfig;
using rules::TestConfig;

constexpr std::string_view levels = "informational|low|medium|high|critical";
constexpr std::string_view more_rules_help =
    "file or folder with further rules, not kept; repeatable";
constexpr std::string_view own_help = "without the rules that this executable carries";

constexpr config::Option list_options[] = {
    option<&ListConfig::path>("path", "", "file or folder with further rules, not kept", {},
                              {.positional = true, .path = true}),
    option<&ListConfig::own>("own", "", own_help),
    option<&ListConfig::state>("state", "", "only those in this state", {},
                               {.choices = "ready|partial|unsupported|invalid|no_source"}),
};

constexpr config::Option path_options[] = {
    option<&PathsConfig::path>("path", "", "file or folder with rules", {},
                               {.required = true, .positional = true, .path = true}),
};

constexpr config::Option explain_options[] = {
    option<&ExplainConfig::rule>("rule", "", "id, name or title of the rule", {},
                                 {.required = true, .positional = true}),
    option<&ExplainConfig::rules>("rules", "", more_rules_help, {}, {.repeat = true, .path = true}),
};

constexpr config::Option run_options[] = {
    option<&RunConfig::rules>("rules", "", more_rules_help, {}, {.repeat = true, .path = true}),
    option<&RunConfig::own>("own", "", own_help),
    option<&RunConfig::min_level>("min-level", "", "rules below it raise no alert", {},
                                  {.choices = levels}),
    option<&RunConfig::fail_on>("fail-on", "",
                                "exit 10 where an alert of this level or above was raised", {},
                                {.choices = levels}),
    option<&RunConfig::follow>("follow", "",
                               "goes on with what comes (ndjson unless -o says another form)"),
};

constexpr config::Option test_options[] = {
    option<&TestConfig::path>("path", "", "file or folder with the rules to try", {},
                              {.required = true, .positional = true, .path = true}),
    option<&TestConfig::limit>("limit", "rows", "stop after so many matches; 0 = all"),
};

constexpr module::Verb verbs[] = {
    {.name = "run",
     .summary = "runs the rules over what is new in the log and raises alerts",
     .options = run_options,
     .make_config = &config::make_config<RunConfig>,
     .run = &rules::run_rules_verb,
     .examples = "amoskys score rules run --fail-on critical"},
    {.name = "list",
     .summary = "the rules, and which of them cannot work here, with the reason",
     .options = list_options,
     .make_config = &config::make_config<ListConfig>,
     .run = &rules::list_verb,
     .examples = "amoskys score rules list --state unsupported"},
    {.name = "add",
     .summary = "checks rules and copies their files to <state_dir>/rules",
     .options = path_options,
     .make_config = &config::make_config<PathsConfig>,
     .run = &rules::add_verb,
     .examples = "amoskys score rules add sigma/rules/linux"},
    {.name = "lint",
     .summary = "what is wrong with rules; exit 10 where one cannot be used",
     .options = path_options,
     .make_config = &config::make_config<PathsConfig>,
     .run = &rules::lint_verb,
     .examples = "amoskys score rules lint my_rule.yml"},
    {.name = "test",
     .summary = "what rules find in the whole log; nothing is raised or kept",
     .options = test_options,
     .make_config = &config::make_config<TestConfig>,
     .run = &rules::test_verb,
     .examples = "amoskys score rules test my_rule.yml -o ndjson"},
    {.name = "explain",
     .summary = "one rule in words: what it looks for, in which events and fields",
     .options = explain_options,
     .make_config = &config::make_config<ExplainConfig>,
     .run = &rules::explain_verb,
     .examples = "amoskys score rules explain lateral_movement"},
};

}  // namespace

extern const module::ModuleInfo rules_module;
const module::ModuleInfo rules_module = {
    .name = "rules",
    .kind = module::Kind::tool,
    .summary = "Sigma rules and correlations over the events of the log",
    .details =
        "Rules are in Sigma form (specification 2.1). This executable carries some; "
        "<state_dir>/rules and --rules have more.\n"
        "A rule of the same id replaces the one before it. Alerts: amoskys score alerts list.",
    .config_root = "",
    .default_output = "table",
    .verbs = verbs,
    .part_of = "score",
    .data_files = &rules::data_files,
};

}  // namespace amoskys::modules
