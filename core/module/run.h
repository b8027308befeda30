// Running a module from the command line: what the app needs besides the module's own description.
#pragma once

#include <filesystem>

#include "core/module/command_line.h"
#include "core/module/module.h"

namespace amoskys::module {

struct RunRequest {
    const config::Loaded& loaded;
    std::filesystem::path state_dir;
    OutputOptions output;
    bool output_chosen = false;  // -o or --json was given
    bool quiet = false;
    bool progress = false;
    std::string command;  // "agent snmp", for messages
    // Loads the configuration again, for SIGHUP.
    std::function<Result<config::Loaded>()> reload;
    std::vector<std::filesystem::path> config_files = {};  // a change of one does the same
};

// Options of the command line that are in no file.
struct CollectorRun {
    bool once = false;
    bool to_stdout = false;
};
struct ServiceRun {
    std::string ready_file;
};
std::span<const config::Option> collector_run_options();
std::span<const config::Option> service_run_options();

Result<> run_tool(const ModuleInfo& info, const Verb& verb, const Settings& settings,
                  const RunRequest& request);
// A verb from inside the process, with the words a user would type after it; output goes to `out`.
Result<> run_verb(std::string_view module_name, std::string_view verb_name,
                  std::span<const std::string> arguments, const ToolContext& caller,
                  const OutputOptions& output, ByteSink& out);
Result<> run_collectors(std::span<const ModuleInfo* const> infos, const CollectorRun& run,
                        const RunRequest& request);
Result<> run_service(const ModuleInfo& info, const ServiceRun& run, const RunRequest& request);

}  // namespace amoskys::module
