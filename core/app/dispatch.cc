// Words to commands, and the option tables of each command.
#include <algorithm>
#include <filesystem>

#include "core/app/builtin.h"
#include "core/app/cli.h"
#include "core/base/text.h"
#include "core/module/host_config.h"

namespace amoskys::app {

namespace {

using module::Kind;
using module::ModuleInfo;
using module::OptionGroup;
using module::Verb;

Error unknown(std::string_view what, const std::string& word,
              const std::vector<std::string_view>& known) {
    const std::string_view near = nearest(word, known);
    std::string names;
    for (std::string_view name : known)
        names += (names.empty() ? "" : ", ") + std::string(name);
    return make_error(
        ErrorKind::usage, "unknown_command",
        "unknown " + std::string(what) + " '" + printable(word) + "'",
        near.empty() ? "one of: " + names : "did you mean " + std::string(near) + "?");
}

// The next word that is no option; taken off the arguments.
std::string take_word(std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front().empty() || arguments.front()[0] == '-')
        return "";
    std::string word = arguments.front();
    arguments.erase(arguments.begin());
    return word;
}

bool asks_for_help(const std::vector<std::string>& arguments) {
    return std::any_of(arguments.begin(), arguments.end(),
                       [](const std::string& word) { return word == "--help" || word == "-h"; });
}

Result<Command> find_agent(std::vector<std::string>& arguments) {
    std::vector<std::string_view> names = {"run"};
    for (const ModuleInfo* info : module::all_modules())
        if (info->kind == Kind::collector)
            names.push_back(info->name);
    const std::string name = take_word(arguments);
    if (name.empty() && asks_for_help(arguments))
        return Command{Command::Kind::all_collectors, "agent"};
    if (name.empty()) {
        Error error = unknown("collector", "", names);
        error.message = "agent: the name of a collector is missing";
        return error;
    }
    if (name == "run")
        return Command{Command::Kind::all_collectors, "agent run"};
    const ModuleInfo* info = module::find_module(name);
    if (info == nullptr || info->kind != Kind::collector)
        return unknown("collector", name, names);
    return Command{Command::Kind::collector, "agent " + name, info};
}

Result<Command> find_verb(const ModuleInfo& info, std::vector<std::string>& arguments) {
    const auto named = [&info](std::string_view name) -> const Verb* {
        for (const Verb& verb : info.verbs)
            if (verb.name == name)
                return &verb;
        return nullptr;
    };
    Command command{Command::Kind::tool, std::string(info.part_of), &info};
    command.words += (command.words.empty() ? "" : " ") + std::string(info.name);
    for (const ModuleInfo* part : module::all_modules())
        if (part->part_of == info.name && !arguments.empty() && arguments.front() == part->name) {
            arguments.erase(arguments.begin());
            return find_verb(*part, arguments);
        }
    const Verb* plain = named("");
    const bool next_is_verb =
        !arguments.empty() && named(arguments.front()) != nullptr && !arguments.front().empty();
    if (plain != nullptr && !next_is_verb) {
        command.verb = plain;
        return command;
    }
    std::vector<std::string_view> names;
    for (const Verb& verb : info.verbs)
        names.push_back(verb.name);
    for (const ModuleInfo* part : module::all_modules())
        if (part->part_of == info.name)
            names.push_back(part->name);
    const std::string word = take_word(arguments);
    if (word.empty() && asks_for_help(arguments))
        return command;
    if (word.empty()) {
        Error error = unknown("verb", "", names);
        error.message = command.words + ": a verb is missing";
        return error;
    }
    command.verb = named(word);
    if (command.verb == nullptr)
        return unknown("verb of " + command.words, word, names);
    command.words += " " + word;
    return command;
}

std::string_view own_title(const Command& command) {
    return command.kind == Command::Kind::collector ? "Collector options" : "Options";
}

}  // namespace

Result<Command> find_command(std::vector<std::string>& arguments) {
    std::string word = take_word(arguments);
    if (word == "help") {
        arguments.emplace_back("--help");
        word = take_word(arguments);
        if (word.empty())
            return Command{};
    }
    if (word.empty())
        return make_error(ErrorKind::usage, "usage", "the name of a subcommand is missing",
                          "see amoskys --help");
    if (word == "agent")
        return find_agent(arguments);
    for (const Builtin& builtin : builtins())
        if (builtin.name == word)
            return Command{Command::Kind::builtin, word, nullptr, nullptr, &builtin};
    const ModuleInfo* info = module::find_module(word);
    const bool names_verb = info != nullptr && !arguments.empty() &&
                            std::ranges::any_of(info->verbs, [&](const Verb& verb) {
                                return verb.name == arguments.front();
                            });
    if (info != nullptr && info->kind == Kind::service && !names_verb)
        return Command{Command::Kind::service, word, info};
    if (info != nullptr && !info->verbs.empty() && info->part_of.empty())
        return find_verb(*info, arguments);
    std::vector<std::string_view> names;
    for (const Entry& entry : entries())
        names.push_back(entry.name);
    names.emplace_back("help");
    return unknown("subcommand", word, names);
}

std::vector<OptionGroup> option_groups(const Command& command) {
    std::vector<OptionGroup> groups;
    const auto add_module = [&] {
        groups.push_back({command.info->config_root, own_title(command), command.info->options,
                          command.info->make_config});
    };
    switch (command.kind) {
        case Command::Kind::collector:
        case Command::Kind::all_collectors:
            if (command.info != nullptr)
                add_module();
            groups.push_back({"", "How it runs", module::collector_run_options(),
                              config::make_config<module::CollectorRun>});
            groups.push_back({"agent", "Pipeline", module::agent_options(),
                              config::make_config<module::AgentConfig>});
            break;
        case Command::Kind::service:
            add_module();
            groups.push_back({"", "How it runs", module::service_run_options(),
                              config::make_config<module::ServiceRun>});
            break;
        case Command::Kind::tool:
            if (command.verb != nullptr)
                groups.push_back({"", "Options", command.verb->options, command.verb->make_config});
            if (!command.info->config_root.empty())
                add_module();
            break;
        case Command::Kind::builtin:
            groups.push_back(
                {"", "Arguments", builtin_options(), config::make_config<BuiltinWords>});
            break;
        case Command::Kind::none:
            break;
    }
    groups.push_back(global_group());
    return groups;
}

std::vector<Applet> applets() {
    std::vector<Applet> names;
    for (const Entry& entry : entries())
        names.push_back({"amoskys-" + std::string(entry.name), {std::string(entry.name)}});
    for (const ModuleInfo* info : module::all_modules())
        if (info->kind == Kind::collector)
            names.push_back({"amoskys-" + std::string(info->name) + "-agent",
                             {"agent", std::string(info->name)}});
    if (module::find_module("bus") != nullptr)
        names.push_back({"amoskys-eventbus", {"bus"}});  // the earlier system's name
    return names;
}

std::vector<Entry> entries() {
    std::vector<Entry> out;
    bool agent_named = false;
    for (const ModuleInfo* info : module::all_modules()) {
        if (info->kind == Kind::collector && !agent_named) {
            out.push_back({"agent", agent_summary});
            agent_named = true;
        }
        if (info->kind == Kind::service || (!info->verbs.empty() && info->part_of.empty()))
            out.push_back({info->name, info->summary});
    }
    for (const Builtin& builtin : builtins())
        out.push_back({builtin.name, builtin.summary});
    return out;
}

}  // namespace amoskys::app
