#include "core/app/builtin.h"

#include <unistd.h>

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

Result<> show_man(BuiltinContext& context) {
    std::vector<std::string> words = context.arguments;
    std::string title = "amoskys";
    std::string summary = "telemetry pipeline in one executable";
    std::string body = general_help();
    if (!words.empty()) {
        words.emplace_back("--help");  // allows a group name without a verb
        AMOSKYS_TRY(command, find_command(words));
        title += "\\-" + command.words;
        summary = command.verb != nullptr      ? std::string(command.verb->summary)
                  : command.info != nullptr    ? std::string(command.info->summary)
                  : command.builtin != nullptr ? std::string(command.builtin->summary)
                                               : std::string(agent_summary);
        body = command_help(command);
    }
    return write_text(context.out, ".TH \"" + title +
                                       "\" 1 \"\" \"amoskys " AMOSKYS_VERSION "\"\n.SH NAME\n" +
                                       title + " \\- " + roff(summary) + ".SH DESCRIPTION\n.nf\n" +
                                       roff(body) + ".fi\n");
}

constexpr std::array builtin_table{
    Builtin{"modules", "the modules of this executable", "", show_modules},
    Builtin{"completion", "completion for a shell: bash, zsh, fish", "SHELL", show_completion,
            "bash|zsh|fish"},
    Builtin{"man", "manual page (roff) of a subcommand", "[SUBCOMMAND [NAME]]", show_man},
    Builtin{"install-links", "links for amoskys-bus, amoskys-inspect... in a folder", "DIR",
            install_links},
    Builtin{"version", "version, and every library in this executable", "", show_version},
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
