// `inspect verify --proof FILE`: what `inspect prove` printed, checked with the log's public key
// and a checkpoint alone.
#include <algorithm>

#include "core/base/file.h"
#include "core/wal/merkle.h"
#include "core/wal/record.h"
#include "modules/tools/inspect/checkpoints.h"
#include "modules/tools/inspect/inspect_verbs.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::uint64_t proof_file_max = 1 << 20;
constexpr std::size_t proof_hashes_max = 64;  // of a tree of 2^64 leaves

struct ProofFile {
    std::uint64_t offset = 0, tree_size = 0;
    Digest leaf{}, root{};
    wal::Proof path;
    Bytes header, signature;  // empty header: the record was pruned
    std::string checkpoint;
};

Error bad_field(std::string_view key) {
    return make_error(ErrorKind::bad_data, "proof_form",
                      "not a proof of `amoskys inspect prove -o json`: '" + std::string(key) +
                          "' is missing or of another form");
}

Result<std::uint64_t> number_of(const Json& from, const char* key) {
    if (!from.contains(key) || !from[key].is_number_unsigned())
        return bad_field(key);
    return from[key].get<std::uint64_t>();
}

Result<Bytes> octets_of(const Json& value, std::string_view key, std::size_t wanted) {
    Bytes out;
    if (!value.is_string() || !from_hex(value.get_ref<const std::string&>(), out) ||
        out.size() != wanted)
        return bad_field(key);
    return out;
}

Result<Digest> digest_of(const Json& value, std::string_view key) {
    Digest out{};
    AMOSKYS_TRY(raw, octets_of(value, key, out.size()));
    std::ranges::copy(raw, out.begin());
    return out;
}

Result<> read_record(const Json& record, ProofFile& out) {
    if (record.is_null())
        return {};
    if (!record.is_object())
        return bad_field("record");
    AMOSKYS_TRY(header,
                octets_of(record.value("header", Json()), "record.header", wal::header_bytes));
    const Json signature = record.value("signature", Json());
    if (!signature.is_null()) {
        AMOSKYS_TRY(raw, octets_of(signature, "record.signature", sizeof(Signature)));
        out.signature = std::move(raw);
    }
    out.header = std::move(header);
    return {};
}

Result<ProofFile> read_proof(const std::string& file) {
    AMOSKYS_TRY(text, read_file(file, proof_file_max));
    AMOSKYS_TRY(from, json::parse(text, "proof " + file));
    if (!from.is_object())
        return bad_field("schema");
    ProofFile out;
    AMOSKYS_TRY(offset, number_of(from, "offset"));
    AMOSKYS_TRY(size, number_of(from, "tree_size"));
    AMOSKYS_TRY(leaf, digest_of(from.value("leaf_hash", Json()), "leaf_hash"));
    AMOSKYS_TRY(root, digest_of(from.value("root", Json()), "root"));
    out.offset = offset;
    out.tree_size = size;
    out.leaf = leaf;
    out.root = root;
    const Json path = from.value("proof", Json());
    if (!path.is_array() || path.size() > proof_hashes_max)
        return bad_field("proof");
    for (const Json& each : path) {
        AMOSKYS_TRY(hash, digest_of(each, "proof"));
        out.path.push_back(hash);
    }
    AMOSKYS_TRY_VOID(read_record(from.value("record", Json()), out));
    const Json note = from.value("checkpoint", Json());
    if (note.is_string())
        out.checkpoint = note.get<std::string>();
    return out;
}

// What is wrong with it; empty = nothing.
std::string trouble_of(const ProofFile& proof, const wal::Checkpoint& signed_head) {
    if (proof.offset == 0 || proof.offset > proof.tree_size)
        return "record " + std::to_string(proof.offset) + " is not one of a tree of " +
               std::to_string(proof.tree_size);
    if (signed_head.size != proof.tree_size || signed_head.root != proof.root)
        return "the proof is for the root " + to_hex(proof.root) + " of " +
               std::to_string(proof.tree_size) + " records, the checkpoint has " +
               to_hex(signed_head.root) + " of " + std::to_string(signed_head.size);
    if (!proof.header.empty()) {
        const auto header = wal::decode_header(proof.header);
        if (!header)
            return "the record's header: " + header.error().message;
        if (header->offset.value != proof.offset)
            return "the header is that of record " + std::to_string(header->offset.value) +
                   ", the proof names record " + std::to_string(proof.offset);
        if (wal::merkle_leaf(proof.header, proof.signature) != proof.leaf)
            return "the record's header and signature do not give the leaf hash";
    }
    if (!wal::verify_inclusion(proof.offset - 1, proof.tree_size, proof.leaf, proof.path,
                               proof.root))
        return "the leaf and the hashes of the proof do not give the root";
    return {};
}

Result<wal::Checkpoint> checkpoint_for(const ProofFile& proof, const VerifyOptions& options,
                                       const PublicKey& key) {
    if (!options.since.empty()) {
        AMOSKYS_TRY(note, read_file(options.since, wal::checkpoint_bytes_max));
        return wal::open_checkpoint(note, key);
    }
    if (proof.checkpoint.empty())
        return make_error(ErrorKind::no_input, "proof_without_checkpoint",
                          "the proof holds no checkpoint, so that nobody signed its root",
                          "--since names one of the same tree size");
    return wal::open_checkpoint(proof.checkpoint, key);
}

}  // namespace

Result<> verify_proof(module::ToolContext& context) {
    const auto& options = *static_cast<const VerifyOptions*>(context.config.get());
    AMOSKYS_TRY(key, load_log_key(context, options.log_key));
    AMOSKYS_TRY(proof, read_proof(options.proof));
    auto signed_head = checkpoint_for(proof, options, key);
    if (!signed_head && signed_head.error().code != "checkpoint_signature")
        return signed_head.error();
    const std::string trouble =
        signed_head ? trouble_of(proof, *signed_head) : signed_head.error().message;
    Json out = Json::object();
    out["offset"] = proof.offset;
    out["tree_size"] = proof.tree_size;
    out["root"] = to_hex(proof.root);
    out["origin"] = signed_head ? Json(signed_head->origin) : Json();
    out["checkpoint_time"] = signed_head ? json::time(signed_head->time_ns) : Json();
    out["record_checked"] = !proof.header.empty();
    out["holds"] = trouble.empty();
    out["trouble"] = trouble;
    AMOSKYS_TRY_VOID(write_object(context.out, context.output, "proof_check", out));
    if (trouble.empty())
        return {};
    return make_error(ErrorKind::finding, "proof_broken", trouble);
}

}  // namespace amoskys::modules::inspect
