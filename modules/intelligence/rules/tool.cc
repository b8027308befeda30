#include "modules/intelligence/rules/tool.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>

#include "core/base/file.h"
#include "core/base/text.h"
#include "modules/intelligence/rules/embedded.h"
#include "modules/intelligence/rules/rule_files.h"
#include "modules/intelligence/rules/rule_text.h"

namespace amoskys::rules {
namespace {

constexpr std::array rule_columns{
    Column{"id", "ID", false},
    Column{"title"},
    Column{"level"},
    Column{"state"},
    Column{"logsource"},
    Column{"techniques", "", false},
    Column{"looks_at", "", false},
    Column{"reason"},
    Column{"file", "", false},
};
constexpr Noun rule_noun{"rule", rule_columns};

template <class Config>
const Config& config_of(const module::ToolContext& context) {
    return *std::static_pointer_cast<const Config>(context.config);
}

Result<> print_rules(module::ToolContext& context, const Engine& engine,
                     const std::function<bool(const Placement&)>& wanted) {
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, rule_noun));
    for (std::size_t i = 0; i < engine.rules().size(); ++i)
        if (wanted(engine.placement(i)) &&
            !rows->row(rule_row(engine.rules()[i].rule, engine.placement(i))))
            return {};
    return rows->finish();
}

std::size_t unusable(const Engine& engine) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < engine.rules().size(); ++i)
        count += engine.usable(i) ? 0 : 1;
    return count;
}

std::string count_text(const Engine& engine) {
    return std::to_string(unusable(engine)) + " of " + std::to_string(engine.rules().size()) +
           " rules cannot be used here";
}

}  // namespace

Result<> list_verb(module::ToolContext& context) {
    const auto& options = config_of<ListConfig>(context);
    AMOSKYS_TRY(engine, load_engine({!options.own, context.state_dir, options.path}));
    return print_rules(context, *engine, [&](const Placement& placement) {
        return options.state.empty() || state_name(placement.state) == options.state;
    });
}

Result<> lint_verb(module::ToolContext& context) {
    const auto& options = config_of<PathsConfig>(context);
    AMOSKYS_TRY(engine, load_engine({false, {}, options.path}));
    AMOSKYS_TRY_VOID(print_rules(context, *engine, [](const Placement& placement) {
        return placement.state != Placement::State::ready;
    }));
    if (unusable(*engine) > 0)
        return make_error(ErrorKind::finding, "rules_unusable", count_text(*engine));
    return {};
}

// All files are read before the first is written. A file with an invalid rule stays out.
Result<> add_verb(module::ToolContext& context) {
    const auto& options = config_of<PathsConfig>(context);
    struct Planned {
        fs::path target;
        std::string text;
    };
    std::vector<Planned> planned;
    for (const std::string& path : options.path) {
        AMOSKYS_TRY(files, rule_files_below(path));
        for (const fs::path& file : files) {
            const auto rules = rules_of_file(file);
            if (std::any_of(rules.begin(), rules.end(), [](const ParsedRule& rule) {
                    return rule.fault == ParsedRule::Fault::invalid;
                }))
                continue;
            AMOSKYS_TRY(text, read_file(file, max_rule_file_bytes));
            const fs::path below =
                file == fs::path(path) ? file.filename() : file.lexically_relative(path);
            planned.push_back({context.state_dir / "rules" / below, std::move(text)});
        }
    }
    AMOSKYS_TRY(engine, load_engine({false, {}, options.path}));
    for (const Planned& each : planned) {
        AMOSKYS_TRY_VOID(make_directories(each.target.parent_path(), 0700));
        AMOSKYS_TRY_VOID(write_file_atomic(each.target, each.text, 0600));
    }
    AMOSKYS_TRY_VOID(print_rules(context, *engine, [](const Placement&) { return true; }));
    if (!context.quiet)
        std::cerr << "rules: " << planned.size() << " files added to "
                  << (context.state_dir / "rules").string() << "\n";
    if (unusable(*engine) > 0)
        return make_error(ErrorKind::partial, "rules_unusable", count_text(*engine),
                          "score rules lint names them with the reason");
    return {};
}

Result<> explain_verb(module::ToolContext& context) {
    const auto& options = config_of<ExplainConfig>(context);
    AMOSKYS_TRY(engine, load_engine({true, context.state_dir, options.rules}));
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < engine->rules().size(); ++i) {
        const Rule& rule = engine->rules()[i].rule;
        if (is_named(rule, options.rule) || rule.title == options.rule ||
            rule.handling.pattern == options.rule)
            return write_object(context.out, context.output, "rule_explanation",
                                explanation(rule, engine->placement(i)));
        for (const std::string* name : {&rule.name, &rule.id, &rule.title})
            if (!name->empty())
                names.push_back(*name);
    }
    const std::string_view near = nearest(options.rule, names);
    return make_error(ErrorKind::usage, "unknown_rule",
                      "there is no rule '" + excerpt(options.rule) + "'",
                      near.empty() ? "amoskys score rules list shows all"
                                   : "did you mean " + std::string(near) + "?");
}

std::vector<module::DataFile> data_files() {
    std::vector<module::DataFile> out;
    for (const EmbeddedFile& file : embedded_files())
        out.push_back({"rules/" + std::string(file.name), file.content});
    return out;
}

}  // namespace amoskys::rules
