#include "core/app/cli.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/app/builtin.h"
#include "core/base/text.h"
#include "core/log/log.h"
#include "core/module/host_config.h"

extern char** environ;

namespace amoskys::app {

namespace {

using config::option;
using module::OptionGroup;
using module::Settings;

constexpr std::array global_table{
    option<&GlobalOptions::config>("config", "", "configuration file (YAML); may be repeated", {},
                                   {.repeat = true}),
    option<&GlobalOptions::set>("set", "", "one setting: key=value; may be repeated", {},
                                {.repeat = true}),
    option<&GlobalOptions::state_dir>("state_dir", "",
                                      "folder for keys, spools, the log, features and models"),
    option<&GlobalOptions::output>("output", "", "form of the output", {},
                                   {.short_flag = 'o', .choices = "table|json|ndjson|csv|yaml"}),
    option<&GlobalOptions::json>("json", "", "the same as -o json"),
    option<&GlobalOptions::fields>("fields", "", "only these columns, in this order"),
    option<&GlobalOptions::quiet>("quiet", "", "errors only on stderr", {}, {.short_flag = 'q'}),
    option<&GlobalOptions::verbose>("verbose", "", "more on stderr (the same as --log-level debug)",
                                    {}, {.short_flag = 'v'}),
    option<&GlobalOptions::log_level>("log_level", "", "least severe log line that is written", {},
                                      {.choices = "debug|info|warning|error|off"}),
    option<&GlobalOptions::log_format>("log_format", "", "form of log lines", {},
                                       {.choices = "text|json"}),
    option<&GlobalOptions::no_color>("no_color", "", "no colour (also by NO_COLOR)"),
    option<&GlobalOptions::help>("help", "", "this text", {}, {.short_flag = 'h'}),
    option<&GlobalOptions::version>("version", "", "version", {}, {.short_flag = 'V'}),
};

bool takes_value(const config::Option& option) {
    return option.type != config::Type::boolean;
}

// Splits off the leading global options ("--state-dir S bus ...") so that the first word is the
// subcommand.
std::vector<std::string> take_leading_options(std::vector<std::string>& arguments) {
    std::vector<std::string> leading;
    while (!arguments.empty() && arguments.front().size() > 1 && arguments.front()[0] == '-') {
        const std::string token = arguments.front();
        leading.push_back(token);
        arguments.erase(arguments.begin());
        for (const config::Option& option : global_table) {
            const bool is_long = token == module::flag_of(option);
            const bool is_short =
                option.flags.short_flag != 0 && token == std::string("-") + option.flags.short_flag;
            if ((is_long || is_short) && takes_value(option) && !arguments.empty()) {
                leading.push_back(arguments.front());
                arguments.erase(arguments.begin());
            }
        }
    }
    return leading;
}

Result<config::Sources> sources_of(const GlobalOptions& global, const Settings& settings,
                                   std::span<const OptionGroup> groups) {
    config::Sources sources;
    for (const std::string& file : global.config)
        sources.files.emplace_back(file);
    if (global.config.empty()) {
        std::vector<std::filesystem::path> usual = {"/etc/amoskys/amoskys.yaml"};
        if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && *xdg != 0)
            usual.push_back(std::filesystem::path(xdg) / "amoskys/amoskys.yaml");
        for (const auto& file : usual)
            if (std::error_code ec; std::filesystem::exists(file, ec))
                sources.files.push_back(file);
    }
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            sources.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    for (const std::string& item : global.set) {
        const std::size_t equals = item.find('=');
        if (equals == std::string::npos || equals == 0)
            return make_error(ErrorKind::usage, "usage",
                              "--set '" + printable(item) + "': key=value is wanted");
        sources.set.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    }
    // Only what belongs to the configuration; the command's own options are applied by its host.
    const std::vector<config::Section> sections = module::all_sections();
    for (const OptionGroup& group : groups)
        for (const config::Section& section : sections)
            if (section.root == group.root && section.options.data() == group.options.data())
                for (const config::Option& option : group.options) {
                    const std::string key =
                        std::string(group.root) + "." + std::string(option.name);
                    if (const auto found = settings.find(key); found != settings.end())
                        sources.flags[key] = found->second;
                }
    return sources;
}

Result<OutputOptions> output_options(const GlobalOptions& global, const Command& command) {
    OutputOptions output;
    std::string name = global.json ? "json" : global.output;
    if (name.empty())
        name = command.info != nullptr ? std::string(command.info->default_output) : "table";
    AMOSKYS_TRY(format, parse_output_format(name));
    output.format = format;
    for (const std::string& list : global.fields)
        for (std::string_view field : split(list, ','))
            if (!trim(field).empty())
                output.fields.emplace_back(trim(field));
    const char* no_color = std::getenv("NO_COLOR");
    output.color =
        !global.no_color && (no_color == nullptr || *no_color == 0) && ::isatty(STDOUT_FILENO) == 1;
    return output;
}

Result<> start_logging(const GlobalOptions& global, const config::Loaded& loaded) {
    const auto settings = loaded.get<module::LogConfig>("log");
    std::string level = global.log_level.empty() ? settings->level : global.log_level;
    if (global.verbose)
        level = "debug";
    if (global.quiet)
        level = "error";
    AMOSKYS_TRY(parsed, log::parse_level(level));
    log::set_level(parsed);
    const std::string format = global.log_format.empty() ? settings->format : global.log_format;
    log::set_format(format == "json" ? log::Format::json : log::Format::text);
    return {};
}

template <class Config>
Result<Config> own_options(std::span<const config::Option> table, const Settings& settings) {
    Config config;
    AMOSKYS_TRY_VOID(module::apply_settings({"", "", table}, settings, &config));
    return config;
}

Result<> run_module(const Command& command, const Settings& settings,
                    const module::RunRequest& request) {
    switch (command.kind) {
        case Command::Kind::tool:
            return module::run_tool(*command.info, *command.verb, settings, request);
        case Command::Kind::service: {
            AMOSKYS_TRY(own,
                        own_options<module::ServiceRun>(module::service_run_options(), settings));
            return module::run_service(*command.info, own, request);
        }
        case Command::Kind::collector:
        case Command::Kind::all_collectors: {
            AMOSKYS_TRY(
                own, own_options<module::CollectorRun>(module::collector_run_options(), settings));
            std::vector<const module::ModuleInfo*> infos;
            if (command.info != nullptr)
                infos.push_back(command.info);
            return module::run_collectors(infos, own, request);
        }
        case Command::Kind::builtin:
        case Command::Kind::none:
            break;
    }
    return make_error(ErrorKind::internal, "no_runner", "no way to run " + command.words);
}

struct Parsed {
    GlobalOptions global;
    Command command;
    Settings settings;
    std::vector<OptionGroup> groups;
};

Result<Parsed> parse(std::vector<std::string> arguments) {
    Parsed parsed;
    std::vector<std::string> options = take_leading_options(arguments);
    const OptionGroup global = global_group();
    if (!arguments.empty()) {
        AMOSKYS_TRY(command, find_command(arguments));
        parsed.command = command;
    }
    parsed.groups = option_groups(parsed.command);
    options.insert(options.end(), arguments.begin(), arguments.end());
    AMOSKYS_TRY(settings, module::parse_arguments(options, parsed.groups));
    parsed.settings = settings;
    AMOSKYS_TRY_VOID(module::apply_settings(global, parsed.settings, &parsed.global));
    return parsed;
}

Result<> execute(Parsed& parsed) {
    AMOSKYS_TRY(output, output_options(parsed.global, parsed.command));
    const std::unique_ptr<ByteSink> out = file_sink(stdout);
    if (parsed.command.kind == Command::Kind::builtin) {
        AMOSKYS_TRY(words, own_options<BuiltinWords>(builtin_options(), parsed.settings));
        if (parsed.command.builtin->usage.empty() && !words.words.empty())
            return make_error(ErrorKind::usage, "usage",
                              "unexpected argument '" + printable(words.words.front()) + "'",
                              parsed.command.words + " takes none");
        BuiltinContext context{output, *out, words.words};
        return parsed.command.builtin->run(context);
    }
    AMOSKYS_TRY(sources, sources_of(parsed.global, parsed.settings, parsed.groups));
    const auto load = [sources]() -> Result<config::Loaded> {
        const std::vector<config::Section> sections = module::all_sections();
        return config::load(sections, sources);
    };
    AMOSKYS_TRY(loaded, load());
    AMOSKYS_TRY_VOID(start_logging(parsed.global, loaded));
    const std::string configured = parsed.global.state_dir.empty()
                                       ? loaded.get<module::GeneralConfig>("")->state_dir
                                       : parsed.global.state_dir;
    AMOSKYS_TRY(state_dir, module::resolve_state_dir(configured));
    module::RunRequest request{
        .loaded = loaded,
        .state_dir = state_dir,
        .output = output,
        .output_chosen = !parsed.global.output.empty() || parsed.global.json,
        .quiet = parsed.global.quiet,
        .progress = !parsed.global.quiet && ::isatty(STDERR_FILENO) == 1,
        .command = parsed.command.words,
        .reload = load,
        .config_files = sources.files,
    };
    return run_module(parsed.command, parsed.settings, request);
}

// Whether an error should be a JSON object: decided from the words alone, since parsing may have
// failed.
bool wants_json(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        const std::string next = i + 1 < arguments.size() ? arguments[i + 1] : "";
        if (word == "--json" || word == "-ojson" || word == "-ondjson" || word == "--output=json" ||
            word == "--output=ndjson")
            return true;
        if ((word == "-o" || word == "--output") && (next == "json" || next == "ndjson"))
            return true;
    }
    return false;
}

int fail(const Error& error, bool as_json) {
    if (!as_json) {
        std::fprintf(stderr, "amoskys: %s\n", error.message.c_str());
        if (!error.hint.empty())
            std::fprintf(stderr, "hint: %s\n", error.hint.c_str());
    } else {
        std::fprintf(stderr, "%s\n", error_json(error).c_str());
    }
    return exit_code(error);
}

int print(const std::string& text, bool as_json) {
    const Result<> done = write_text(*file_sink(stdout), text);
    return done ? 0 : fail(done.error(), as_json);
}

}  // namespace

OptionGroup global_group() {
    return {"", "Global options", global_table, config::make_config<GlobalOptions>};
}

int run(std::vector<std::string> arguments) {
    std::signal(SIGPIPE, SIG_IGN);
    const std::string invoked =
        arguments.empty() ? "" : std::filesystem::path(arguments[0]).filename().string();
    if (!arguments.empty())
        arguments.erase(arguments.begin());
    for (const Applet& applet : applets())
        if (applet.name == invoked)
            arguments.insert(arguments.begin(), applet.words.begin(), applet.words.end());
    const bool as_json = wants_json(arguments);
    if (!arguments.empty() && arguments[0] == "--list") {
        std::string text;
        for (const Applet& applet : applets())
            text += applet.name + "\n";
        return print(text, as_json);
    }
    Result<Parsed> parsed = parse(std::move(arguments));
    if (!parsed)
        return fail(parsed.error(), as_json);
    if (parsed->global.version)
        return print("amoskys " + std::string(version_text) + "\n", as_json);
    if (parsed->global.help)
        return print(parsed->command.kind == Command::Kind::none ? general_help()
                                                                 : command_help(parsed->command),
                     as_json);
    if (parsed->command.kind == Command::Kind::none) {
        std::fputs(general_help().c_str(), stderr);
        return exit_code(make_error(ErrorKind::usage, "usage", ""));
    }
    const Result<> done = execute(*parsed);
    return done ? 0 : fail(done.error(), as_json);
}

}  // namespace amoskys::app
