// Tools: parse the verb's own options, run, and nothing else.
#include "core/module/run.h"

namespace amoskys::module {

Result<> run_tool(const ModuleInfo& info, const Verb& verb, const Settings& settings,
                  const RunRequest& request) {
    std::shared_ptr<void> config = verb.make_config != nullptr ? verb.make_config() : nullptr;
    if (config != nullptr)
        AMOSKYS_TRY_VOID(apply_settings({"", "", verb.options}, settings, config.get()));
    const std::unique_ptr<ByteSink> out = file_sink(stdout);
    OutputOptions output = request.output;
    ToolContext context{.config = config,
                        .verb = std::string(verb.name),
                        .state_dir = request.state_dir,
                        .loaded = request.loaded,
                        .output = output,
                        .out = *out,
                        .progress = request.progress,
                        .quiet = request.quiet,
                        .command = request.command};
    static_cast<void>(info);
    return verb.run(context);
}

}  // namespace amoskys::module
