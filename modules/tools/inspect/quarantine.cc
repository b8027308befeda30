// `inspect quarantine`: envelopes that a bus refused for good, as the agent's spools keep them.
#include <array>

#include "core/module/quarantine.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/receipts.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::array<Column, 10> quarantined_columns{{
    {"agent"},
    {"lane"},
    {"epoch", "", false, true},
    {"sequence", "", true, true},
    {"time"},
    {"reason"},
    {"events", "", true, true},
    {"bytes", "", true, true},
    {"file", "", false},
    {"envelope", "", false},
}};
constexpr Noun quarantined_noun{"quarantined", quarantined_columns};

}  // namespace

Result<> quarantine(module::ToolContext& context) {
    const auto& options = *static_cast<const SpoolVerbOptions*>(context.config.get());
    const std::filesystem::path folder =
        options.spool.empty() ? context.state_dir / "spool" : std::filesystem::path(options.spool);
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, quarantined_noun));
    AMOSKYS_TRY(spools, spools_in(folder));
    bool damaged = false;
    for (const auto& spool : spools) {
        AMOSKYS_TRY(files, module::quarantined(spool));
        for (const auto& each : files) {
            Json row = Json::object();
            for (const Column& column : quarantined_columns)
                row[std::string(column.name)] =
                    each.content.is_object() ? each.content.value(std::string(column.name), Json())
                                             : Json();
            row["file"] = each.file.string();
            damaged = damaged || !each.content.is_object();
            if (!output->row(row))
                return output->finish();
        }
    }
    AMOSKYS_TRY_VOID(output->finish());
    if (damaged)
        return make_error(ErrorKind::partial, "quarantine_damaged",
                          "a quarantined file cannot be read");
    return {};
}

}  // namespace amoskys::modules::inspect
