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

Result<> run_verb(std::string_view module_name, std::string_view verb_name,
                  std::span<const std::string> arguments, const ToolContext& caller,
                  const OutputOptions& output, ByteSink& out) {
    const std::string words = std::string(module_name) + " " + std::string(verb_name);
    const ModuleInfo* info = find_module(module_name);
    const Verb* verb = nullptr;
    for (const Verb& candidate : info != nullptr ? info->verbs : std::span<const Verb>())
        if (candidate.name == verb_name)
            verb = &candidate;
    if (verb == nullptr)
        return make_error(ErrorKind::unavailable, "no_module",
                          "this executable was built without " + words);
    const OptionGroup groups[] = {{"", "", verb->options, verb->make_config}};
    AMOSKYS_TRY(settings, parse_arguments(arguments, groups));
    const std::shared_ptr<void> config =
        verb->make_config != nullptr ? verb->make_config() : nullptr;
    if (config != nullptr)
        AMOSKYS_TRY_VOID(apply_settings(groups[0], settings, config.get()));
    ToolContext context{.config = config,
                        .verb = std::string(verb_name),
                        .state_dir = caller.state_dir,
                        .loaded = caller.loaded,
                        .output = output,
                        .out = out,
                        .quiet = true,
                        .command = words};
    return verb->run(context);
}

}  // namespace amoskys::module
