// Subcommands that speak of the executable itself: version, modules, install-links, completion,
// man, help.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/cli.h"

namespace amoskys::app {

struct BuiltinContext {
    const OutputOptions& output;
    ByteSink& out;
    std::vector<std::string> arguments;
};

// The words after a builtin's name.
struct BuiltinWords {
    std::vector<std::string> words;
};
std::span<const config::Option> builtin_options();

struct Builtin {
    std::string_view name, summary, usage;
    Result<> (*run)(BuiltinContext& context);
    std::string_view choices = {};  // of its first word, for completion
    std::string_view examples = {};
};
std::span<const Builtin> builtins();

// Names under which the executable can be linked: "amoskys-bus", "amoskys-snmp-agent"...
struct Applet {
    std::string name;
    std::vector<std::string> words;  // "agent", "snmp"
};
std::vector<Applet> applets();

// All first words of the command line with their summaries, in the order of the data flow.
struct Entry {
    std::string_view name, summary;
};
std::vector<Entry> entries();

std::string general_help();
std::string command_help(const Command& command);

inline constexpr std::string_view agent_summary =
    "collect: agent NAME runs one collector, agent run all that are enabled";
extern const std::string_view version_text;

}  // namespace amoskys::app
