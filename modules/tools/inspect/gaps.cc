// `inspect gaps`: what is known to be missing: gap markers, epoch resets, damaged ranges.
#include <array>

#include "core/wire/envelope.h"
#include "core/wire/event.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::array<Column, 12> gap_columns{{
    {"kind"},
    {"agent"},
    {"lane"},
    {"first", "", true, true},
    {"last", "", true, true},
    {"envelopes", "", true, true},
    {"events", "", true, true},
    {"reason"},
    {"from", "", false},
    {"to", "", false},
    {"offset", "", true, true},
    {"file", "", false},
}};
constexpr Noun gap_noun{"gap", gap_columns};

// All keys in every row; first and last are sequences of the lane, or offsets of the log for a
// damage.
Json empty_row(std::string_view kind) {
    Json row = Json::object();
    row["kind"] = kind;
    for (const Column& column : gap_columns)
        if (column.name != "kind")
            row[std::string(column.name)] = Json();
    return row;
}

Json marker_row(const wal::RecordView& record, const wire::CutEnvelope& cut) {
    Json row = empty_row("marker");
    row["agent"] = cut.agent_id;
    row["lane"] = cut.lane;
    row["first"] = cut.gap.first.value;
    row["last"] = cut.gap.last.value;
    row["envelopes"] = cut.gap.envelopes;
    row["events"] = cut.gap.events;
    row["reason"] = cut.gap.reason;
    row["from"] = json::time(cut.gap.from_ns);
    row["to"] = json::time(cut.gap.to_ns);
    row["offset"] = record.header.offset.value;
    return row;
}

// The bus's audit record of a new epoch: object_id is "AGENT/LANE".
Json reset_row(const wire::Event& event) {
    const auto& audit = event.event->audit_event();
    const std::string& object = audit.object_id();
    const std::size_t slash = object.rfind('/');
    Json row = empty_row("reset");
    row["agent"] = object.substr(0, slash);
    row["lane"] = slash == std::string::npos ? "" : object.substr(slash + 1);
    std::string reason = audit.action_performed();
    for (const std::string& tag : event.event->tags())
        reason += ", " + tag;  // "linked" or "not linked"
    row["reason"] = reason + ": " + audit.before_value() + " -> " + audit.after_value();
    row["from"] = json::time(event.time_ns);
    row["offset"] = event.offset;
    return row;
}

Json damage_row(const wal::Damage& damage) {
    Json row = empty_row("damage");
    row["first"] = damage.first.value == 0 ? Json() : Json(damage.first.value);
    row["last"] = damage.last.value == 0 ? Json() : Json(damage.last.value);
    row["envelopes"] =
        damage.last.value == 0 ? Json() : Json(damage.last.value - damage.first.value + 1);
    row["reason"] = damage.what;
    row["file"] = damage.file;
    return row;
}

void add_rows(const wal::RecordView& record, wire::EventDecoder& decoder, std::vector<Json>& rows) {
    if (record.header.kind == RecordKind::gap) {
        const auto cut = wire::cut_envelope(record.stored, nullptr, nullptr, wal::stored_bytes_max);
        if (cut)
            rows.push_back(marker_row(record, *cut));
    }
    if (record.header.kind != RecordKind::audit)
        return;
    decoder.decode(record.header.kind, record.stored, record.header.offset.value,
                   [&rows](const wire::Event& event) {
                       if (event.kind == wire::EventKind::audit && event.event != nullptr &&
                           event.event->audit_event().audit_category() == "epoch")
                           rows.push_back(reset_row(event));
                       return true;
                   });
}

}  // namespace

Result<> gaps(module::ToolContext& context) {
    const auto& options = *static_cast<const GapsOptions*>(context.config.get());
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, gap_noun));
    AMOSKYS_TRY(log, open_any_for_reading(context, options.log));
    module::Progress progress(context.progress, "reading", "records", log->stats().records);
    wire::EventDecoder decoder;
    std::vector<Json> pending;
    Walk step;
    step.visit = [&](const wal::RecordView& record) {
        add_rows(record, decoder, pending);
        return Next::go_on;
    };
    step.between = [&]() -> Result<Next> {
        for (const Json& row : pending)
            if (!output->row(row))
                return Next::stop;
        pending.clear();
        return Next::go_on;
    };
    AMOSKYS_TRY_VOID(walk(*log, progress, step));
    for (const wal::Damage& damage : log->damages())
        if (!output->row(damage_row(damage)))
            break;
    return output->finish();
}

}  // namespace amoskys::modules::inspect
