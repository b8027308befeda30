#include "core/app/builtin.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "core/app/completion.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "generated_version.h"

namespace amoskys::app {

const std::string_view version_text = AMOSKYS_VERSION;

namespace {

std::string_view kind_name(module::Kind kind) {
    switch (kind) {
        case module::Kind::collector:
            return "collector";
        case module::Kind::service:
            return "service";
        case module::Kind::extractor:
            return "extractor";
        case module::Kind::model:
            return "model";
        case module::Kind::sink:
            return "sink";
        case module::Kind::tool:
            return "tool";
    }
    return "";
}

Result<> show_version(BuiltinContext& context) {
    Json libraries = Json::array();
    for (const Library& library : libraries_of_build)
        libraries.push_back(
            {{"name", library.name}, {"version", library.version}, {"license", library.license}});
    Json modules = Json::array();
    for (const module::ModuleInfo* info : module::all_modules())
        modules.push_back(info->name);
    Json object = {{"version", AMOSKYS_VERSION},
                   {"commit", AMOSKYS_COMMIT},
                   {"compiler", AMOSKYS_COMPILER},
                   {"modules", modules},
                   {"libraries", libraries}};
    if (context.output.format == OutputFormat::table) {
        std::string text = "amoskys " AMOSKYS_VERSION " (" AMOSKYS_COMMIT ")\n";
        for (const Library& library : libraries_of_build)
            text += "  " + std::string(library.name) + " " + std::string(library.version) + "\n";
        return write_text(context.out, text);
    }
    return write_object(context.out, context.output, "version", object);
}

constexpr std::array module_columns{
    Column{"name"},
    Column{"kind"},
    Column{"config"},
    Column{"summary"},
    Column{"privileges", "", false},
};

Result<> show_modules(BuiltinContext& context) {
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, {"module", module_columns}));
    for (const module::ModuleInfo* info : module::all_modules()) {
        Json privileges = Json::array();
        for (std::string_view privilege : info->privileges)
            privileges.push_back(privilege);
        if (!rows->row({{"name", info->name},
                        {"kind", kind_name(info->kind)},
                        {"config", info->config_root},
                        {"summary", info->summary},
                        {"privileges", privileges}}))
            return {};
    }
    return rows->finish();
}

Result<> install_links(BuiltinContext& context) {
    if (context.arguments.size() != 1)
        return make_error(ErrorKind::usage, "usage", "install-links: one folder is wanted",
                          "amoskys install-links /usr/local/bin");
    const fs::path folder = context.arguments[0];
    std::error_code ec;
    const fs::path self = fs::read_symlink("/proc/self/exe", ec);
    if (ec || !fs::is_directory(folder, ec))
        return make_error(ErrorKind::cannot_create, "no_folder",
                          "install-links: " + folder.string() + " is not a folder");
    for (const Applet& applet : applets()) {
        const fs::path link = folder / applet.name;
        if (::symlink(self.c_str(), link.c_str()) == 0)
            continue;
        const int e = errno;
        if (e == EEXIST && fs::read_symlink(link, ec) == self)
            continue;
        if (e == EEXIST)
            return make_error(ErrorKind::cannot_create, "link_exists",
                              "install-links: " + link.string() +
                                  " is there already and is not a link to this executable");
        Error error = errno_error("link", "install-links: " + link.string(), e);
        return error;
    }
    return {};
}

// Roff text: a leading dot or quote would be a request, a backslash an escape.
std::string roff(std::string_view text) {
    std::string out;
    for (std::string_view line : split(text, '\n')) {
        if (line.empty())
            continue;
        if (line[0] == '.' || line[0] == '\'')
            out += "\\&";
        for (char c : line)
            out += c == '\\'  ? std::string("\\e")
                   : c == '-' ? std::string("\\-")
                              : std::string(1, c);
        out += '\n';
    }
    return out;
}

std::string page_name(const Command& command) {
    std::string name = command.words.empty() ? "amoskys" : "amoskys-" + command.words;
    std::replace(name.begin(), name.end(), ' ', '-');
    return name;
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return out;
}

// Headlines of the help text become sections.
std::string roff_body(std::string_view help) {
    std::string out;
    for (std::string_view line : split(help, '\n')) {
        constexpr std::string_view usage = "Usage: ";
        const bool is_usage = line.starts_with(usage);
        const bool is_head = line.ends_with(':') && line.front() >= 'A' && line.front() <= 'Z';
        if (is_usage)
            out += ".fi\n.SH SYNOPSIS\n.nf\n" + roff(line.substr(usage.size())) +
                   ".fi\n.SH DESCRIPTION\n.nf\n";
        else if (is_head)
            out += ".fi\n.SH " + upper(line.substr(0, line.size() - 1)) + "\n.nf\n";
        else
            out += roff(line);
    }
    return out + ".fi\n";
}

std::string man_page(const Command& command) {
    std::string_view summary = "telemetry pipeline in one executable";
    if (command.verb != nullptr)
        summary = command.verb->summary;
    else if (command.info != nullptr)
        summary = command.info->summary;
    else if (command.builtin != nullptr)
        summary = command.builtin->summary;
    else if (command.kind == Command::Kind::all_collectors)
        summary = agent_summary;
    const std::string title = page_name(command);
    const std::string body =
        command.kind == Command::Kind::none ? general_help() : command_help(command);
    return ".TH \"" + title +
           "\" 1 \"" AMOSKYS_DATE "\" \"amoskys " AMOSKYS_VERSION "\"\n.SH NAME\n" +
           roff(title + " - " + std::string(summary)) + roff_body(body);
}

// Every command that has a page, the groups among them.
Result<std::vector<Command>> all_commands() {
    std::vector<Command> out{Command{}};
    const auto add = [&out](std::vector<std::string> words) -> Result<> {
        words.emplace_back("--help");  // allows a group's name without a verb
        AMOSKYS_TRY(command, find_command(words));
        out.push_back(command);
        return {};
    };
    for (const Entry& entry : entries())
        AMOSKYS_TRY_VOID(add({std::string(entry.name)}));
    AMOSKYS_TRY_VOID(add({"agent", "run"}));
    for (const module::ModuleInfo* info : module::all_modules()) {
        if (info->kind == module::Kind::collector)
            AMOSKYS_TRY_VOID(add({"agent", std::string(info->name)}));
        std::vector<std::string> words;
        if (!info->part_of.empty())
            words = {std::string(info->part_of)};
        words.emplace_back(info->name);
        if (!info->part_of.empty())
            AMOSKYS_TRY_VOID(add(words));
        for (const module::Verb& verb : info->verbs) {
            std::vector<std::string> whole = words;
            whole.emplace_back(verb.name);
            if (!verb.name.empty())
                AMOSKYS_TRY_VOID(add(whole));
        }
    }
    return out;
}

Result<> show_man(BuiltinContext& context) {
    std::vector<std::string> words = context.arguments;
    if (words.size() == 1 && words[0].find('/') != std::string::npos) {
        AMOSKYS_TRY_VOID(make_directories(words[0], 0755));
        AMOSKYS_TRY(commands, all_commands());
        for (const Command& command : commands)
            AMOSKYS_TRY_VOID(write_file_atomic(fs::path(words[0]) / (page_name(command) + ".1"),
                                               man_page(command), 0644));
        return {};
    }
    Command command;
    if (!words.empty()) {
        words.emplace_back("--help");
        AMOSKYS_TRY(found, find_command(words));
        command = found;
    }
    return write_text(context.out, man_page(command));
}

constexpr std::array builtin_table{
    Builtin{"modules", "the modules of this executable", "", show_modules, "",
            "amoskys modules\namoskys modules -o json"},
    Builtin{"completion", "completion for a shell: bash, zsh, fish", "SHELL", show_completion,
            "bash|zsh|fish",
            "amoskys completion bash > /usr/share/bash-completion/completions/amoskys"},
    Builtin{"man", "manual page (roff) of a subcommand; with a / in it: all pages into that folder",
            "[SUBCOMMAND [NAME] | FOLDER/]", show_man, "",
            "amoskys man agent snmp\namoskys man ./man1/"},
    Builtin{"install-links", "links for amoskys-bus, amoskys-inspect... in a folder", "DIR",
            install_links, "", "amoskys install-links /usr/local/bin"},
    Builtin{"version", "version, and every library in this executable", "", show_version, "",
            "amoskys version -o json"},
};

constexpr std::array word_table{
    config::option<&BuiltinWords::words>("words", "", "what the subcommand is about", {},
                                         {.positional = true}),
};

}  // namespace

std::span<const Builtin> builtins() {
    return builtin_table;
}
std::span<const config::Option> builtin_options() {
    return word_table;
}

}  // namespace amoskys::app
