// `inspect verify`: the verb and its report.
#include <algorithm>
#include <iterator>

#include "core/crypto/pki.h"
#include "modules/tools/inspect/checkpoints.h"
#include "modules/tools/inspect/heads.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"
#include "modules/tools/inspect/receipts.h"
#include "modules/tools/inspect/verifier.h"

namespace amoskys::modules::inspect {

namespace {

// The one that was asked for, then those of the state directory; those only where its log is meant
// and its key is there.
Result<std::vector<HeldCheckpoint>> load_checkpoints(const module::ToolContext& context,
                                                     const VerifyOptions& options) {
    std::vector<HeldCheckpoint> out;
    const auto key = load_log_key(context, options.log_key);
    if (!key) {
        if (!options.since.empty() || !options.receipt.empty() || !options.log_key.empty() ||
            key.error().code != "log_key_missing")
            return key.error();
        return out;
    }
    if (!options.since.empty()) {
        AMOSKYS_TRY(kept, read_checkpoint(options.since, *key));
        if (kept.error && kept.error->code != "checkpoint_signature")
            return make_error(kept.error->kind, kept.error->code,
                              options.since + ": " + kept.error->message);
        kept.outside = true;
        out.push_back(std::move(kept));
    }
    if (!options.receipt.empty()) {
        AMOSKYS_TRY(held, read_receipts(options.receipt));
        if (held.empty())
            return make_error(ErrorKind::no_input, "no_receipt",
                              options.receipt + " holds no receipt of a bus");
        for (const HeldReceipt& each : held)
            out.push_back(as_checkpoint(each, *key));
    }
    if (!options.log.empty())
        return out;
    AMOSKYS_TRY(stored, stored_checkpoints(context, *key));
    std::ranges::move(stored, std::back_inserter(out));
    return out;
}

Json chains_json(const Verifier& verifier) {
    Json out = Json::array();
    for (const auto& [key, chain] : verifier.chains) {
        Json row = Json::object();
        row["agent"] = key.agent_id;
        row["lane"] = key.lane;
        row["epoch"] = chain.epoch;
        row["first_sequence"] = chain.first_sequence;
        row["last_sequence"] = chain.last_sequence;
        row["envelopes"] = chain.envelopes;
        row["events"] = chain.events;
        row["gap_markers"] = chain.gap_markers;
        row["epochs"] = chain.epochs;
        row["unlinked_resets"] = chain.unlinked_resets;
        out.push_back(std::move(row));
    }
    return out;
}

Json findings_json(const Verifier& verifier) {
    Json out = Json::array();
    for (const Finding& finding : verifier.findings) {
        Json row = Json::object();
        row["offset"] = finding.offset.value == 0 ? Json() : Json(finding.offset.value);
        row["agent"] = finding.agent;
        row["lane"] = finding.lane;
        row["what"] = finding.what;
        row["message"] = finding.message;
        out.push_back(std::move(row));
    }
    return out;
}

// Custody rule 10: with nothing from outside, a shortened log looks like a shorter one. What the
// bus left beside its log may have been put back together with it.
std::string statement(const Verifier& verifier) {
    if (verifier.tree.size == 0)
        return "the log is empty; nothing outside vouches for it";
    const wal::Checkpoint* newest = nullptr;
    const Verifier::Expected* outside = nullptr;
    for (const auto& each : verifier.expected_checkpoints) {
        const wal::Checkpoint& kept = *each.held.checkpoint;
        if (each.held.outside && (outside == nullptr || kept.size > outside->held.checkpoint->size))
            outside = &each;
        if (newest == nullptr || kept.size > newest->size)
            newest = &kept;
    }
    if (outside != nullptr)
        return "complete up to record " + std::to_string(verifier.tree.size) + " of time " +
               format_time(verifier.last_received_ns) + "; the " + std::string(outside->held.kind) +
               " " + outside->held.file + " vouches for records up to " +
               std::to_string(outside->held.checkpoint->size);
    if (newest == nullptr)
        return "complete up to record " + std::to_string(verifier.tree.size) + " of time " +
               format_time(verifier.last_received_ns) + "; nothing outside vouches for it";
    const std::uint64_t after = verifier.tree.size - newest->size;
    return "complete up to checkpoint " + std::to_string(newest->size) + " of time " +
           format_time(newest->time_ns) +
           (after == 0 ? ""
                       : " and " + std::to_string(after) + (after == 1 ? " record" : " records") +
                             " after it") +
           "; nothing outside vouches for it";
}

Json checkpoints_json(const Verifier& verifier) {
    Json out = Json::array();
    for (const auto& each : verifier.expected_checkpoints) {
        Json row = Json::object();
        row["kind"] = each.held.kind;
        row["file"] = each.held.file;
        row["size"] = each.held.checkpoint ? Json(each.held.checkpoint->size) : Json();
        row["time"] = each.held.checkpoint ? json::time(each.held.checkpoint->time_ns) : Json();
        row["holds"] = each.holds;
        out.push_back(std::move(row));
    }
    return out;
}

Json verification_json(const Verifier& verifier) {
    Json out = Json::object();
    out["clean"] = verifier.findings_total == 0;
    out["records"] = verifier.records;
    out["signatures_ok"] = verifier.signatures_ok;
    out["unsigned"] = verifier.unsigned_records;
    out["unchecked_signatures"] = verifier.unchecked_signatures;
    out["audit_records"] = verifier.audits;
    out["tree_size"] = verifier.tree.size;
    out["root"] = to_hex(verifier.tree.root);
    out["root_matches"] = verifier.root_matches;
    out["chains"] = chains_json(verifier);
    out["checkpoints"] = checkpoints_json(verifier);
    out["findings_total"] = verifier.findings_total;
    out["findings"] = findings_json(verifier);
    out["statement"] =
        verifier.findings_total == 0
            ? statement(verifier)
            : "not complete: " + std::to_string(verifier.findings_total) + " findings";
    return out;
}

}  // namespace

Result<> verify_log(wal::Log& log, Verifier& verifier, bool shown) {
    AMOSKYS_TRY_VOID(verifier.begin());
    module::Progress progress(shown, "verifying", "records", log.stats().records);
    Walk step;
    step.visit = [&](const wal::RecordView& record) {
        return verifier.record(record) ? Next::go_on : Next::stop;
    };
    step.between = [&]() -> Result<Next> {
        AMOSKYS_TRY_VOID(verifier.settle());
        return Next::go_on;
    };
    AMOSKYS_TRY_VOID(walk(log, progress, step));
    return verifier.finish();
}

Result<> verify(module::ToolContext& context) {
    const auto& options = *static_cast<const VerifyOptions*>(context.config.get());
    if (!options.proof.empty())
        return verify_proof(context);
    // Before the log is looked at: a bus that writes on makes newer ones.
    AMOSKYS_TRY(checkpoints, load_checkpoints(context, options));
    AMOSKYS_TRY(log, open_for_reading(context, options.log));
    AMOSKYS_TRY(trust, load_trust(context, options.trust));
    Verifier verifier(*log, std::move(trust));
    for (HeldCheckpoint& each : checkpoints)
        verifier.expect(std::move(each));
    AMOSKYS_TRY_VOID(verify_log(*log, verifier, context.progress));
    AMOSKYS_TRY_VOID(
        write_object(context.out, context.output, "verification", verification_json(verifier)));
    if (verifier.findings_total == 0)
        return {};
    return make_error(ErrorKind::finding, "verify_findings",
                      std::to_string(verifier.findings_total) +
                          " findings, the first: " + verifier.findings.front().message);
}

}  // namespace amoskys::modules::inspect
