// --help texts from the module tables.
#include "core/app/builtin.h"
#include "core/base/text.h"

namespace amoskys::app {

namespace {

std::string padded(std::string_view name, std::size_t width) {
    std::string out = "  " + std::string(name);
    if (out.size() < width + 2)
        out.resize(width + 2, ' ');
    return out + " ";
}

std::string indented(std::string_view text) {
    std::string out;
    for (std::string_view line : split(trim(text), '\n'))
        out += line.empty() ? "\n" : "  " + std::string(line) + "\n";
    return out;
}

// The examples of a command's page; of a tool with verbs the first of each verb.
std::string examples_of(const Command& command) {
    if (command.builtin != nullptr)
        return std::string(command.builtin->examples);
    if (command.verb != nullptr)
        return std::string(command.verb->examples);
    if (command.kind == Command::Kind::all_collectors)
        return command.words == "agent" ? "amoskys agent proc --once --stdout -o ndjson\n"
                                          "amoskys agent run --bus 127.0.0.1:50051"
                                        : "amoskys agent run --bus 127.0.0.1:50051\n"
                                          "amoskys agent run --once --set agent.collectors=proc";
    if (command.kind != Command::Kind::tool)
        return "";  // in the details of the module
    std::string out;
    for (const module::Verb& verb : command.info->verbs)
        out += std::string(verb.examples.substr(0, verb.examples.find('\n'))) + "\n";
    return out;
}

std::string usage_line(const Command& command) {
    std::string line = "Usage: amoskys [GLOBAL] " + command.words;
    if (command.kind == Command::Kind::builtin)
        return std::string(trim(line + " " + std::string(command.builtin->usage))) + "\n";
    if (command.words == "agent")
        line += " NAME";
    if (command.kind == Command::Kind::tool && command.verb == nullptr)
        line += " VERB";
    line += " [OPTIONS]";
    for (const module::OptionGroup& group : option_groups(command))
        for (const config::Option& option : group.options)
            if (option.flags.positional) {
                const std::string name(option.name);
                const bool list = option.type == config::Type::text_list;
                line +=
                    option.flags.required ? " " + name : " [" + name + (list ? "..." : "") + "]";
            }
    return line + "\n";
}

std::string names_of(const Command& command) {
    std::string out;
    if (command.words == "agent") {
        out += "\nCollectors:\n" + padded("run", 12) + "all that the configuration enables\n";
        for (const module::ModuleInfo* info : module::all_modules())
            if (info->kind == module::Kind::collector)
                out += padded(info->name, 12) + std::string(info->summary) + "\n";
    } else if (const bool group =
                   command.kind == Command::Kind::tool
                       ? command.info->verbs.size() > 1
                       : command.kind == Command::Kind::service && !command.info->verbs.empty();
               group) {
        out += "\nVerbs:\n";
        for (const module::Verb& verb : command.info->verbs)
            if (!verb.name.empty())
                out += padded(verb.name, 14) + std::string(verb.summary) + "\n";
        for (const module::ModuleInfo* part : module::all_modules())
            if (part->part_of == command.info->name && command.verb == nullptr)
                out += padded(part->name, 14) + std::string(part->summary) + "\n";
    }
    return out;
}

}  // namespace

std::string general_help() {
    std::string out =
        "amoskys: telemetry collected, signed, acknowledged, stored, turned into features, scored "
        "and proved.\n\n"
        "Usage: amoskys [GLOBAL] SUBCOMMAND [ARGUMENTS]\n\nSubcommands:\n";
    for (const Entry& entry : entries())
        out += padded(entry.name, 14) + std::string(entry.summary) + "\n";
    const module::OptionGroup groups[] = {global_group()};
    out += module::help_options(groups);
    out +=
        "\nState directory: --state-dir, $STATE_DIRECTORY, /var/lib/amoskys for root, else\n"
        "$XDG_STATE_HOME/amoskys or ~/.local/state/amoskys.\n"
        "Exit codes: 0 ok, 1 failed, 3 partly done, 10 a finding, 64 usage, 65 bad data, 66 no "
        "input,\n"
        "69 unavailable, 70 internal, 73 cannot create, 74 I/O, 77 permission, 78 configuration,\n"
        "130/143 interrupted by SIGINT/SIGTERM; bus, agents and up end in order and with 0.\n";
    return out;
}

std::string command_help(const Command& command) {
    std::string out = usage_line(command) + "\n";
    if (command.builtin != nullptr)
        out += std::string(command.builtin->summary) + "\n";
    else if (command.verb != nullptr)
        out += std::string(command.verb->summary) + "\n";
    else if (command.info != nullptr)
        out += std::string(command.info->summary) + "\n";
    else if (command.kind == Command::Kind::all_collectors)
        out += std::string(agent_summary) + "\n";
    if (command.info != nullptr && !command.info->details.empty())
        out += "\n" + std::string(trim(command.info->details)) + "\n";
    if (const std::string examples = examples_of(command); !examples.empty())
        out += "\nExamples:\n" + indented(examples);
    out += names_of(command);
    if (command.info != nullptr && !command.info->privileges.empty()) {
        out += "\nPrivileges:\n";
        for (std::string_view privilege : command.info->privileges)
            out += "  " + std::string(privilege) + "\n";
    }
    if (command.builtin == nullptr)
        return out + module::help_options(option_groups(command));
    const module::OptionGroup global[] = {global_group()};  // the usage line has the arguments
    return out + module::help_options(global);
}

}  // namespace amoskys::app
