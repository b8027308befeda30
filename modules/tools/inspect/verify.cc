// `inspect verify`: the verb and its report.
#include "core/crypto/pki.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"
#include "modules/tools/inspect/verifier.h"

namespace amoskys::modules::inspect {

namespace {

using Trust = std::shared_ptr<const crypto::TrustMap>;

// The default file may be missing (a log of imported records needs none); a named one may not.
Result<Trust> load_trust(const module::ToolContext& context, const VerifyOptions& options) {
    const std::filesystem::path file = options.trust.empty()
                                           ? crypto::PkiPaths{context.state_dir / "pki"}.trust_map()
                                           : std::filesystem::path(options.trust);
    std::error_code failed;
    if (!std::filesystem::exists(file, failed)) {
        if (options.trust.empty())
            return Trust();
        return make_error(ErrorKind::no_input, "trust_map_missing",
                          "no trust map at " + file.string());
    }
    return crypto::TrustMap::load(file);
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

// Custody rule 10: with nothing from outside, a shortened log looks like a shorter one.
std::string statement(const Verifier& verifier) {
    if (verifier.tree.size == 0)
        return "the log is empty; nothing outside vouches for it";
    return "complete up to record " + std::to_string(verifier.tree.size) + " of time " +
           format_time(verifier.last_received_ns) + "; nothing outside vouches for it";
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
    out["findings_total"] = verifier.findings_total;
    out["findings"] = findings_json(verifier);
    out["statement"] =
        verifier.findings_total == 0
            ? statement(verifier)
            : "not complete: " + std::to_string(verifier.findings_total) + " findings";
    return out;
}

}  // namespace

Result<> verify(module::ToolContext& context) {
    const auto& options = *static_cast<const VerifyOptions*>(context.config.get());
    AMOSKYS_TRY(log, open_for_reading(context, options.log));
    AMOSKYS_TRY(trust, load_trust(context, options));
    Verifier verifier(*log, std::move(trust));
    AMOSKYS_TRY_VOID(verifier.begin());
    module::Progress progress(context.progress, "verifying", "records", log->stats().records);
    Walk step;
    step.visit = [&](const wal::RecordView& record) {
        return verifier.record(record) ? Next::go_on : Next::stop;
    };
    step.between = [&]() -> Result<Next> {
        AMOSKYS_TRY_VOID(verifier.settle());
        return Next::go_on;
    };
    AMOSKYS_TRY_VOID(walk(*log, progress, step));
    AMOSKYS_TRY_VOID(verifier.finish());
    AMOSKYS_TRY_VOID(
        write_object(context.out, context.output, "verification", verification_json(verifier)));
    if (verifier.findings_total == 0)
        return {};
    return make_error(ErrorKind::finding, "verify_findings",
                      std::to_string(verifier.findings_total) +
                          " findings, the first: " + verifier.findings.front().message);
}

}  // namespace amoskys::modules::inspect
