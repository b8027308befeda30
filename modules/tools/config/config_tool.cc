// `amoskys config`: the configuration as the executable sees it.
#include <array>
#include <map>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/module/metric_list.h"
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

struct DumpOptions {
    std::string folder;
};
constexpr std::array dump_table{
    option<&DumpOptions::folder>("folder", "", "where to write; made where it is not there", {},
                                 {.required = true, .positional = true}),
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

// A document of its own form; -o that asks for another is refused rather than ignored.
Result<> print(ToolContext& context, const std::string& text, OutputFormat own) {
    const bool plain = context.output.format == OutputFormat::table;
    if (!plain && context.output.format != own)
        return make_error(ErrorKind::usage, "usage",
                          std::string(context.command) + " writes " +
                              (own == OutputFormat::json ? "JSON" : "YAML") + " and nothing else");
    return write_text(context.out, text);
}

constexpr Column data_file_columns[] = {{"file"}, {"bytes", "", true, true}};
constexpr Noun data_file_noun{"data_file", data_file_columns};

constexpr Column metric_columns[] = {{"metric"}, {"kind"},  {"unit", "", false},
                                     {"labels"}, {"owner"}, {"help"}};
constexpr Noun metric_noun{"metric", metric_columns};

constexpr std::array setting_columns{Column{"key"}, Column{"value"}, Column{"origin"}};

struct Setting {
    std::string key, value, origin;
};

std::string full_key(const config::Section& section, const config::Option& entry) {
    return section.root.empty() ? std::string(entry.name)
                                : std::string(section.root) + "." + std::string(entry.name);
}

// Every option with its value as it is in force; secrets as ***.
std::vector<Setting> settings_of(const config::Loaded& loaded, bool effective) {
    std::vector<Setting> out;
    for (const config::Section& section : module::all_sections()) {
        const std::shared_ptr<const void> values = loaded.section(section.root);
        for (const config::Option& entry : section.options) {
            if (entry.flags.command_line_only)
                continue;
            const std::string key = full_key(section, entry);
            if (effective || loaded.was_set(key))
                out.push_back({key, entry.show(values.get()), loaded.origin(key)});
        }
    }
    return out;
}

Result<> init(ToolContext& context) {
    const auto& options = *static_cast<const InitOptions*>(context.config.get());
    AMOSKYS_TRY_VOID(
        write_new_file(options.file, config::defaults_yaml(module::all_sections()), 0644));
    return write_text(context.out, options.file + "\n");
}

Result<> defaults(ToolContext& context) {
    return print(context, config::defaults_yaml(module::all_sections()), OutputFormat::yaml);
}

Result<> schema(ToolContext& context) {
    return print(context, config::schema_json(module::all_sections()) + "\n", OutputFormat::json);
}

Result<> metrics(ToolContext& context) {
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, metric_noun));
    constexpr std::string_view kinds[] = {"counter", "gauge", "histogram"};
    for (const module::ListedMetric& each : module::all_metrics())
        if (!rows->row({{"metric", each.info.name},
                        {"kind", kinds[static_cast<std::size_t>(each.info.kind)]},
                        {"unit", each.info.unit},
                        {"labels", each.info.label},
                        {"owner", each.owner},
                        {"help", each.info.help}}))
            return {};
    return rows->finish();
}

// Only what was set, or with --effective everything; as YAML with comments for people, as rows for
// machines.
Result<> show(ToolContext& context) {
    const auto& options = *static_cast<const ShowOptions*>(context.config.get());
    if (context.output.format != OutputFormat::table) {
        AMOSKYS_TRY(rows,
                    RowOutput::open(context.out, context.output, {"setting", setting_columns}));
        for (const Setting& setting : settings_of(context.loaded, options.effective))
            if (!rows->row(
                    {{"key", setting.key}, {"value", setting.value}, {"origin", setting.origin}}))
                return {};
        return rows->finish();
    }
    if (options.effective)
        return write_text(context.out, config::effective_yaml(module::all_sections(),
                                                              context.loaded, options.origin));
    std::string text;
    for (const Setting& setting : settings_of(context.loaded, false))
        text += setting.key + ": " + setting.value +
                (options.origin ? "  # " + setting.origin + "\n" : "\n");
    return write_text(context.out, text);
}

// Files and folders that were set and are not there, a line each.
std::string missing_paths(const config::Loaded& loaded) {
    std::string out;
    for (const config::Section& section : module::all_sections()) {
        const std::shared_ptr<const void> values = loaded.section(section.root);
        for (const config::Option& entry : section.options) {
            const std::string key = full_key(section, entry);
            const auto setting = loaded.settings.find(key);
            if (!entry.flags.path || setting == loaded.settings.end())
                continue;
            for (const std::string& path : setting->second.items)
                if (std::error_code ec; !path.empty() && !std::filesystem::exists(path, ec))
                    out += (out.empty() ? "" : "\n") + loaded.origin(key) + ": " + key + ": " +
                           printable(path) + " is not there";
        }
    }
    return out;
}

Result<> check_paths(const config::Loaded& loaded) {
    const std::string missing = missing_paths(loaded);
    return missing.empty() ? Result<>()
                           : make_error(ErrorKind::config, "config_missing_file", missing);
}

// The configuration in use was loaded before any tool runs; named files are checked each by itself.
Result<> validate(ToolContext& context) {
    const auto& options = *static_cast<const ValidateOptions*>(context.config.get());
    const std::vector<config::Section> sections = module::all_sections();
    if (options.files.empty())
        AMOSKYS_TRY_VOID(check_paths(context.loaded));
    for (const std::string& file : options.files) {
        config::Sources sources;
        sources.files.emplace_back(file);
        AMOSKYS_TRY(loaded, config::load(sections, sources));
        AMOSKYS_TRY_VOID(check_paths(loaded));
    }
    if (context.quiet)
        return {};
    return write_object(context.out, context.output, "validation",
                        {{"valid", true}, {"files", options.files}});
}

// What this executable carries in itself. A file that is there already with the same content counts
// as written; with another, nothing at all is written.
Result<> dump(ToolContext& context) {
    const auto& options = *static_cast<const DumpOptions*>(context.config.get());
    const std::filesystem::path folder = options.folder;
    std::map<std::string, std::string> files;
    files["amoskys.yaml"] = config::defaults_yaml(module::all_sections());
    for (const module::ModuleInfo* info : module::all_modules())
        if (info->data_files != nullptr)
            for (const module::DataFile& file : info->data_files())
                files[file.path] = file.text;
    std::vector<std::string> fresh;
    for (const auto& [name, text] : files) {
        const auto there = read_file(folder / name, text.size());
        if (there && *there == text)
            continue;
        if (there || there.error().kind != ErrorKind::no_input)
            return make_error(
                ErrorKind::cannot_create, "file_exists",
                (folder / name).string() + " is there with another content; nothing was written");
        fresh.push_back(name);
    }
    for (const std::string& name : fresh) {
        AMOSKYS_TRY_VOID(make_directories((folder / name).parent_path(), 0755));
        AMOSKYS_TRY_VOID(write_new_file(folder / name, files[name], 0644));
    }
    if (context.quiet)
        return {};
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, data_file_noun));
    for (const auto& [name, text] : files)
        if (!rows->row({{"file", (folder / name).string()}, {"bytes", text.size()}}))
            return {};
    return rows->finish();
}

constexpr std::array verb_table{
    Verb{"init", "writes a commented file with every option at its default", init_table,
         config::make_config<InitOptions>, init, "amoskys config init /etc/amoskys/amoskys.yaml"},
    Verb{"validate", "checks files; every error with file:line:col, exit 78", validate_table,
         config::make_config<ValidateOptions>, validate, "amoskys config validate amoskys.yaml"},
    Verb{"show", "the merged settings; --effective --origin for all and where they came from",
         show_table, config::make_config<ShowOptions>, show,
         "amoskys config show --effective --origin"},
    Verb{"dump", "writes out every data file that this executable carries (SNMP profiles...)",
         dump_table, config::make_config<DumpOptions>, dump, "amoskys config dump /tmp/amoskys"},
    Verb{"schema",
         "JSON Schema of the configuration file",
         {},
         config::make_config<NoOptions>,
         schema,
         "amoskys config schema"},
    Verb{"defaults",
         "every option with its default and help, as YAML",
         {},
         config::make_config<NoOptions>,
         defaults,
         "amoskys config defaults"},
    Verb{"metrics",
         "every metric that /metrics of a bus or an agent can show",
         {},
         config::make_config<NoOptions>,
         metrics,
         "amoskys config metrics\namoskys config metrics -o csv --fields metric,kind,help"},
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
