// `amoskys config`: the configuration as the executable sees it.
#include <array>

#include "core/base/file.h"
#include "core/config/config.h"
#include "core/module/module.h"

namespace amoskys::modules {

namespace {

using config::option;
using module::ToolContext;
using module::Verb;

struct NoOptions {};

struct InitOptions {
    std::string file = "amoskys.yaml";
};
constexpr std::array init_table{
    option<&InitOptions::file>("file", "", "file to write; never overwritten", {},
                               {.positional = true}),
};

struct ShowOptions {
    bool effective = false;
    bool origin = false;
};
constexpr std::array show_table{
    option<&ShowOptions::effective>("effective", "", "every setting, those at their default too"),
    option<&ShowOptions::origin>("origin", "", "say where each value came from"),
};

struct ValidateOptions {
    std::vector<std::string> files;
};
constexpr std::array validate_table{
    option<&ValidateOptions::files>("file", "", "files to check (none: the ones in use)", {},
                                    {.positional = true}),
};

Result<> print(ToolContext& context, const std::string& text) {
    context.out.write(text);
    context.out.flush();
    return {};
}

Result<> init(ToolContext& context) {
    const auto& options = *static_cast<const InitOptions*>(context.config.get());
    AMOSKYS_TRY_VOID(
        write_new_file(options.file, config::defaults_yaml(module::all_sections()), 0644));
    return print(context, options.file + "\n");
}

Result<> defaults(ToolContext& context) {
    return print(context, config::defaults_yaml(module::all_sections()));
}

Result<> schema(ToolContext& context) {
    return print(context, config::schema_json(module::all_sections()) + "\n");
}

// Only what was set, or with --effective everything; comments say the origins.
Result<> show(ToolContext& context) {
    const auto& options = *static_cast<const ShowOptions*>(context.config.get());
    const std::vector<config::Section> sections = module::all_sections();
    if (options.effective)
        return print(context, config::effective_yaml(sections, context.loaded, options.origin));
    std::string text;
    for (const auto& [key, setting] : context.loaded.settings) {
        std::string value;
        for (const std::string& item : setting.items)
            value += (value.empty() ? "" : ",") + item;
        bool secret = false;
        for (const config::Section& section : sections)
            for (const config::Option& entry : section.options)
                secret |= entry.secret &&
                          key == std::string(section.root) + "." + std::string(entry.name);
        text += key + ": " + (secret ? "***" : value);
        text += options.origin ? "  # " + setting.origin.text + "\n" : "\n";
    }
    return print(context, text);
}

// The configuration in use was checked before any tool runs; named files are checked each by
// itself.
Result<> validate(ToolContext& context) {
    const auto& options = *static_cast<const ValidateOptions*>(context.config.get());
    const std::vector<config::Section> sections = module::all_sections();
    for (const std::string& file : options.files) {
        config::Sources sources;
        sources.files.emplace_back(file);
        const Result<config::Loaded> loaded = config::load(sections, sources);
        if (!loaded)
            return loaded.error();
    }
    if (context.quiet)
        return {};
    return write_object(context.out, context.output, "validation",
                        {{"valid", true}, {"files", options.files}});
}

constexpr std::array verb_table{
    Verb{"init", "writes a commented file with every option at its default", init_table,
         config::make_config<InitOptions>, init, "amoskys config init /etc/amoskys/amoskys.yaml"},
    Verb{"validate", "checks files; every error with file:line:col, exit 78", validate_table,
         config::make_config<ValidateOptions>, validate, "amoskys config validate amoskys.yaml"},
    Verb{"show", "the merged settings; --effective --origin for all and where they came from",
         show_table, config::make_config<ShowOptions>, show,
         "amoskys config show --effective --origin"},
    Verb{"schema",
         "JSON Schema of the configuration file",
         {},
         config::make_config<NoOptions>,
         schema},
    Verb{"defaults",
         "every option with its default and help, as YAML",
         {},
         config::make_config<NoOptions>,
         defaults},
};

}  // namespace

extern const module::ModuleInfo config_module;
constinit const module::ModuleInfo config_module{
    .name = "config",
    .kind = module::Kind::tool,
    .summary = "write, check and show the configuration",
    .details =
        "Precedence: built-in, file, environment (AMOSKYS_BUS__LISTEN=...), --set and flags.",
    .verbs = verb_table,
};

}  // namespace amoskys::modules
