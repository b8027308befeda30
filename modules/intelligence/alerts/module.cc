// The module's entry in the table: data only.
#include "core/module/module.h"

#include "modules/intelligence/alerts/tool.h"

namespace amoskys::modules {
namespace {

using alerts::AlertConfig;
using alerts::ChangeConfig;
using alerts::DevicesConfig;
using alerts::LabelConfig;
using alerts::ListConfig;
using config::option;

constexpr std::string_view levels = "informational|low|medium|high|critical";

constexpr config::Option list_options[] = {
    option<&ListConfig::state>("state", "", "only those in this state", {},
                               {.choices = "open|acknowledged|resolved"}),
    option<&ListConfig::level>("level", "", "only this level and above", {}, {.choices = levels}),
    option<&ListConfig::device>("device", "", "only those of devices like this (* and ?)"),
    option<&ListConfig::incident>("incident", "", "only those of this incident; 0 = all"),
    option<&ListConfig::fail_on>("fail-on", "",
                                 "exit 10 where an open one of this level or above is listed", {},
                                 {.choices = levels}),
};
constexpr config::Option alert_options[] = {
    option<&AlertConfig::id>("id", "", "A-000042", {}, {.required = true, .positional = true}),
};
constexpr config::Option change_options[] = {
    option<&ChangeConfig::id>("id", "", "A-000042, or several", {},
                              {.required = true, .positional = true}),
    option<&ChangeConfig::note>("note", "", "what to remember of it"),
};
constexpr config::Option label_options[] = {
    option<&LabelConfig::id>("id", "", "A-000042", {}, {.required = true, .positional = true}),
    option<&LabelConfig::label>(
        "label", "", "what it turned out to be", {},
        {.required = true, .positional = true, .choices = "normal|suspicious|critical"}),
};
constexpr config::Option devices_options[] = {
    option<&DevicesConfig::device>("device", "", "only devices like this (* and ?)"),
};

constexpr module::Verb verbs[] = {
    {.name = "list",
     .summary = "the alerts that are kept",
     .options = list_options,
     .make_config = &config::make_config<ListConfig>,
     .run = &alerts::list_verb,
     .examples = "amoskys score alerts list --state open --fail-on critical"},
    {.name = "show",
     .summary = "one alert with all that is known of it",
     .options = alert_options,
     .make_config = &config::make_config<AlertConfig>,
     .run = &alerts::show_verb,
     .examples = "amoskys score alerts show A-000042 -o json"},
    {.name = "ack",
     .summary = "marks alerts as seen by a person",
     .options = change_options,
     .make_config = &config::make_config<ChangeConfig>,
     .run = &alerts::ack_verb,
     .examples = "amoskys score alerts ack A-000042"},
    {.name = "resolve",
     .summary = "marks alerts as dealt with",
     .options = change_options,
     .make_config = &config::make_config<ChangeConfig>,
     .run = &alerts::resolve_verb,
     .examples = "amoskys score alerts resolve A-000042 --note 'planned test'"},
    {.name = "label",
     .summary = "says what an alert was: normal, suspicious or critical",
     .options = label_options,
     .make_config = &config::make_config<LabelConfig>,
     .run = &alerts::label_verb,
     .examples = "amoskys score alerts label A-000042 normal"},
    {.name = "devices",
     .summary = "how far each device with alerts is to be trusted",
     .options = devices_options,
     .make_config = &config::make_config<DevicesConfig>,
     .run = &alerts::devices_verb,
     .examples = "amoskys score alerts devices"},
};

}  // namespace

extern const module::ModuleInfo alerts_module;
const module::ModuleInfo alerts_module = {
    .name = "alerts",
    .kind = module::Kind::tool,
    .summary = "the alerts: list, show, acknowledge, resolve, label",
    .details =
        "Alerts are in <state_dir>/alerts/alerts.json. Their evidence are records of the log: "
        "amoskys inspect prove SEQUENCE\n"
        "proves one. What is suggested as a response is text; nothing is executed.",
    .config_root = "",
    .default_output = "table",
    .verbs = verbs,
    .part_of = "score",
};

}  // namespace amoskys::modules
