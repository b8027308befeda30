// The command line of the executable: global options, the table of subcommands, dispatch, errors
// and exit codes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/json/output.h"
#include "core/module/run.h"

namespace amoskys::app {

struct GlobalOptions {
    std::vector<std::string> config;
    std::vector<std::string> set;
    std::string state_dir;
    std::string output;
    bool json = false;
    std::vector<std::string> fields;
    bool quiet = false;
    bool verbose = false;
    std::string log_level;
    std::string log_format;
    bool no_color = false;
    bool help = false;
    bool version = false;
};
module::OptionGroup global_group();

// What the words of a command line name: "bus"; "agent snmp"; "inspect events".
struct Command {
    enum class Kind { none, collector, all_collectors, service, tool, builtin };
    Kind kind = Kind::none;
    std::string words;
    const module::ModuleInfo* info = nullptr;
    const module::Verb* verb = nullptr;
    const struct Builtin* builtin = nullptr;
};

// Takes the words of the subcommand off `arguments`. usage error with the nearest name.
Result<Command> find_command(std::vector<std::string>& arguments);
std::vector<module::OptionGroup> option_groups(const Command& command);

// Whole run: prints errors itself; returns the exit code.
int run(std::vector<std::string> arguments);

}  // namespace amoskys::app
