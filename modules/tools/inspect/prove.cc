// `inspect prove`: that one record stands in the log's tree, as anybody can check it without the
// log (RFC 6962 section 2.1.1).
#include "core/link/record_facts.h"
#include "core/wal/merkle.h"
#include "modules/tools/inspect/checkpoints.h"
#include "modules/tools/inspect/envelope_text.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

Result<Digest> leaf_at(wal::Log& log, std::uint64_t index) {
    AMOSKYS_TRY(leaf, log.leaf_hash({index + 1}));
    if (leaf)
        return *leaf;
    return make_error(ErrorKind::bad_data, "leaf_missing",
                      "the leaf hash of record " + std::to_string(index + 1) + " is not there",
                      "`amoskys inspect gaps` says what was lost");
}

// What of the record itself is still there; null where it is pruned.
Result<Json> record_json(wal::Log& log, std::uint64_t offset) {
    Json out;
    AMOSKYS_TRY_VOID(log.read({offset}, 1, [&](const wal::RecordView& record) {
        if (record.header.offset.value != offset)
            return false;
        out = Json::object();
        out["kind"] = record_kind_name(record.header.kind);
        out["received"] = json::time(record.header.received_ns);
        out["digest"] = to_hex(record.header.digest);
        out["header"] = to_hex(record.header_raw);
        const Bytes signature = link::record_facts(record).signature;
        out["signature"] = signature.empty() ? Json() : Json(to_hex(signature));
        return false;
    }));
    return {boost::system::in_place_value, std::move(out)};
}

// The tree that the proof is for: the one of a checkpoint, so that it can be checked elsewhere;
// with none that is long enough, the log's present one.
struct Against {
    std::string note;
    wal::Log::TreeHead tree;
};
Result<Against> tree_to_prove(module::ToolContext& context, const ProveOptions& options,
                              const wal::Log::TreeHead& now) {
    Against out{{}, now};
    const bool named = !options.checkpoint.empty();
    if (!named && !options.log.empty())
        return out;
    const auto file = named ? std::filesystem::path(options.checkpoint)
                            : context.state_dir / "checkpoints/latest";
    std::error_code failed;
    if (!named && !std::filesystem::exists(file, failed))
        return out;
    const auto key = load_log_key(context, options.log_key);
    if (!key && !named && key.error().code == "log_key_missing" && options.log_key.empty())
        return out;
    if (!key)
        return key.error();
    AMOSKYS_TRY(held, read_checkpoint(file, *key));
    if (!held.checkpoint)
        return *held.error;
    if (held.checkpoint->size < options.offset && !named)
        return out;
    if (held.checkpoint->size < options.offset || held.checkpoint->size > now.size)
        return make_error(ErrorKind::finding, "prove_checkpoint",
                          "record " + std::to_string(options.offset) + ", a checkpoint of " +
                              std::to_string(held.checkpoint->size) + " records, a log of " +
                              std::to_string(now.size) + ": there is no such proof",
                          "`amoskys inspect verify --since` says what is missing");
    return Against{std::move(held.note), {held.checkpoint->size, held.checkpoint->root}};
}

}  // namespace

Result<> prove(module::ToolContext& context) {
    const auto& options = *static_cast<const ProveOptions*>(context.config.get());
    AMOSKYS_TRY(log, open_for_reading(context, options.log));
    AMOSKYS_TRY(now, log->tree_head());
    if (options.offset == 0 || options.offset > now.size)
        return make_error(ErrorKind::usage, "prove_range",
                          "record " + std::to_string(options.offset) + ": the log has 1 to " +
                              std::to_string(now.size));
    AMOSKYS_TRY(against, tree_to_prove(context, options, now));
    const wal::Log::TreeHead& tree = against.tree;
    const auto leaf = [&log](std::uint64_t index) { return leaf_at(*log, index); };
    const std::uint64_t index = options.offset - 1;
    AMOSKYS_TRY(own, leaf(index));
    AMOSKYS_TRY(path, wal::inclusion_proof(index, tree.size, leaf));
    AMOSKYS_TRY(record, record_json(*log, options.offset));
    Json out = Json::object();
    out["offset"] = options.offset;
    out["leaf_index"] = index;
    out["leaf_hash"] = to_hex(own);
    out["tree_size"] = tree.size;
    out["root"] = to_hex(tree.root);
    out["proof"] = Json::array();
    for (const Digest& each : path)
        out["proof"].push_back(to_hex(each));
    out["record"] = std::move(record);
    out["checkpoint"] = against.note.empty() ? Json() : Json(against.note);
    const bool holds = wal::verify_inclusion(index, tree.size, own, path, tree.root);
    out["holds"] = holds;
    AMOSKYS_TRY_VOID(write_object(context.out, context.output, "proof", out));
    if (holds)
        return {};
    return make_error(ErrorKind::finding, "proof_broken",
                      "the leaves of the log do not give the root of " +
                          std::string(against.note.empty() ? "its tree" : "the checkpoint"));
}

}  // namespace amoskys::modules::inspect
