#include "modules/tools/inspect/verifier.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/wire/legacy.h"
#include "core/wire/statement.h"
#include "core/wire/stored_form.h"
#include "modules/tools/inspect/heads.h"
#include "modules/tools/inspect/state_check.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::string_view spool_writer_state = "writer";

// By its id, revoked ones too: what they signed while they were good still counts. With an empty id
// the agent's only key.
const crypto::TrustedKey* key_of(const crypto::TrustedAgent& agent, std::string_view key_id) {
    if (key_id.empty())
        return agent.keys.size() == 1 ? &agent.keys.front() : nullptr;
    const auto at = std::ranges::find(agent.keys, key_id, &crypto::TrustedKey::id);
    return at == agent.keys.end() ? nullptr : &*at;
}

Signature to_signature(ByteView bytes) {
    Signature out{};
    std::ranges::copy(bytes, out.begin());
    return out;
}

}  // namespace

Verifier::Verifier(wal::Log& log, std::shared_ptr<const crypto::TrustMap> trust)
    : log_(log), trust_(std::move(trust)), zones_(log, [this](WalOffset at, std::string message) {
          find(at, "zone", std::move(message));
      }) {}

void Verifier::find(WalOffset offset, std::string_view what, std::string message, LaneKey lane) {
    ++findings_total;
    if (findings.size() < findings_max)
        findings.push_back(
            {offset, printable(lane.agent_id), printable(lane.lane), what, std::move(message)});
}

void Verifier::expect(HeldCheckpoint checkpoint) {
    if (checkpoint.checkpoint)
        wanted_roots_[checkpoint.checkpoint->size];
    expected_checkpoints.push_back({std::move(checkpoint)});
}

void Verifier::append_leaf(const Digest& leaf) {
    frontier_.append(leaf);
    if (const auto wanted = wanted_roots_.find(frontier_.size());
        root_known_ && wanted != wanted_roots_.end())
        wanted->second = frontier_.root();
}

void Verifier::check_checkpoints() {
    for (Expected& each : expected_checkpoints) {
        const std::string kind(each.held.kind);
        if (!each.held.checkpoint) {
            find({}, "checkpoint",
                 (each.held.outside && kind == "receipt" ? "receipt " : "") + each.held.file +
                     ": " + (each.held.error ? each.held.error->message : "not a checkpoint"));
            continue;
        }
        const wal::Checkpoint& kept = *each.held.checkpoint;
        const std::string name =
            each.held.file + (kept.time_ns == 0 ? "" : " of time " + format_time(kept.time_ns));
        const auto& root = wanted_roots_[kept.size];
        each.holds = root && *root == kept.root;
        if (kept.size > tree.size)
            find(WalOffset{tree.size + 1}, "truncated",
                 "the log was cut or replaced by an older one: the " + kind + " " + name + " has " +
                     std::to_string(kept.size) + " records, the log " + std::to_string(tree.size) +
                     "; " + range_text(WalOffset{tree.size + 1}, WalOffset{kept.size}) +
                     (kept.size == tree.size + 1 ? " is gone" : " are gone"));
        else if (!root)
            find({}, "checkpoint",
                 kind + " " + name +
                     " cannot be compared: leaf hashes of pruned records are not there");
        else if (!each.holds)
            find({}, "replaced",
                 "the first " + std::to_string(kept.size) + " records are not those of the " +
                     kind + " " + name + ": their root is " + to_hex(*root) + ", it has " +
                     to_hex(kept.root));
    }
}

// The leaves of pruned records carry the tree on.
Result<> Verifier::begin() {
    AMOSKYS_TRY(head, log_.tree_head());
    tree = head;
    AMOSKYS_TRY(writer, log_.state(spool_writer_state));
    spool_ = writer.has_value();
    AMOSKYS_TRY(segments, log_.claims());
    segments_ = std::move(segments);
    seen_.resize(segments_.size());
    for (const wal::SegmentClaims& each : segments_)
        for (const std::uint64_t size : {each.first.value - 1, each.last.value})
            wanted_roots_[size];
    if (!spool_)
        zones_.begin(segments_, WalOffset{tree.size});
    if (const auto empty = wanted_roots_.find(0); empty != wanted_roots_.end())
        empty->second = frontier_.root();
    const wal::LogStats stats = log_.stats();
    const std::uint64_t first = stats.records == 0 ? tree.size + 1 : stats.oldest.value;
    for (std::uint64_t at = 1; at < first; ++at) {
        AMOSKYS_TRY(leaf, log_.leaf_hash({at}));
        if (!leaf) {
            root_known_ = false;
            find({at}, "leaf_missing",
                 "the leaf hash of pruned record " + std::to_string(at) +
                     " is not there: the root cannot be recomputed");
            break;
        }
        append_leaf(*leaf);
    }
    expected_ = first_ = WalOffset{first};
    all_before_seen_ = first == 1;
    return load_heads();
}

// What the agents have signed about their lanes must be what the log has there.
Result<> Verifier::load_heads() {
    AMOSKYS_TRY(states, log_.states(wire::kept_head_prefix));
    for (const auto& each : states) {
        const auto kept = wire::decode_kept_head(each.value);
        if (!kept) {
            find({}, "head", "the state '" + printable(each.key) + "' cannot be read");
            continue;
        }
        const LaneKey lane{kept->head.agent_id(), kept->head.lane()};
        if (each.key != wire::kept_head_key(lane))
            find({}, "head", "the state '" + printable(each.key) + "' holds the head of this lane",
                 lane);
        const auto signature = head_signature(kept->head, trust_.get());
        if (trust_ != nullptr && signature != "ok")
            find({}, "head",
                 "the signed head of " + format_time(kept->head.time_ns()) + ": " +
                     (signature == "wrong" ? "the signature is wrong"
                                           : "the trust map has no such key"),
                 lane);
        heads_[lane] = kept->head;
    }
    return {};
}

void Verifier::check_head(const wal::RecordView& record, const wire::CutEnvelope& cut,
                          const LaneKey& lane) {
    const auto head = heads_.find(lane);
    if (cut.payload_kind == wire::PayloadKind::gap)
        return;  // it may stand for the envelope that the head named
    if (head == heads_.end() || head->second.epoch() != cut.epoch.value ||
        head->second.last_sequence() != cut.sequence.value ||
        as_text(record.header.digest) == head->second.head_digest())
        return;
    find(record.header.offset, "head",
         "sequence " + std::to_string(cut.sequence.value) +
             " is not the envelope that the agent's signed head of " +
             format_time(head->second.time_ns()) + " names",
         lane);
}

void Verifier::skip_to(WalOffset offset) {
    if (offset <= expected_)
        return;
    all_before_seen_ = false;
    for (auto& [key, chain] : chains)
        chain.forgive_break();
    not_seen_.emplace_back(expected_, WalOffset{offset.value - 1});
    for (; expected_ < offset; expected_ = expected_.next())
        leaves_.push_back({expected_, std::nullopt});
}

bool Verifier::record(const wal::RecordView& record) {
    const WalOffset offset = record.header.offset;
    if (offset.value > tree.size)
        return false;
    skip_to(offset);
    ++records;
    if (record.header.received_ns < last_received_ns)
        find(offset, "received_time",
             "received " + format_time(record.header.received_ns) +
                 ", before the record ahead of it");
    last_received_ns = std::max(last_received_ns, record.header.received_ns);
    note_segment(record);
    facts_.reset();
    ByteView signature;
    switch (record.header.kind) {
        case RecordKind::universal:
        case RecordKind::gap:
            signature = (record.header.flags & wal::flag_imported) != 0 ? imported(record)
                                                                        : envelope(record);
            break;
        case RecordKind::legacy:
            signature = legacy(record);
            break;
        case RecordKind::audit:
            ++audits;
            facts_ = link::record_facts(record);
            if (const auto lane = trail_.add(record))
                if (const auto chain = chains.find(*lane); chain != chains.end())
                    chain->second.accept_reset();
            break;
    }
    if (!spool_)
        zones_.add(record, facts_);
    leaves_.push_back({offset, wal::merkle_leaf(record.header_raw, signature)});
    expected_ = offset.next();
    return true;
}

ByteView Verifier::envelope(const wal::RecordView& record) {
    const WalOffset offset = record.header.offset;
    const auto cut = wire::cut_envelope(record.stored, &link::DeviceNotes::visit, &devices_,
                                        wal::stored_bytes_max);
    if (!cut) {
        devices_.take();
        find(offset, "form", cut.error().message);
        const auto parts = wire::universal_parts(record.stored);
        return parts ? parts->signature : ByteView();
    }
    facts_ = link::envelope_facts(*cut, devices_);
    const LaneKey lane{std::string(cut->agent_id), std::string(cut->lane)};
    const Digest digest = wire::canonical_digest(*cut);
    if (digest != record.header.digest)
        find(offset, "digest", "the stored bytes are not those that the header names", lane);
    if ((cut->payload_kind == wire::PayloadKind::gap) != (record.header.kind == RecordKind::gap))
        find(offset, "kind", "the record's kind is not that of its payload", lane);
    if (wal::source_hash(cut->agent_id, cut->lane, cut->key_id) != record.header.source_hash)
        find(offset, "source", "the header attributes the record to another writer", lane);
    check_head(record, *cut, lane);
    check_signature(record, *cut, digest);
    check_chain(record, *cut, digest);
    return cut->signature;
}

void Verifier::check_signature(const wal::RecordView& record, const wire::CutEnvelope& cut,
                               const Digest& digest) {
    const LaneKey lane{std::string(cut.agent_id), std::string(cut.lane)};
    if (trust_ == nullptr) {
        ++unchecked_signatures;
        trust_wanted_ = true;
        return;
    }
    const auto* agent = trust_->find(cut.agent_id);
    const auto* key = agent == nullptr ? nullptr : key_of(*agent, cut.key_id);
    if (key == nullptr) {
        find(record.header.offset, "unknown_key",
             "the trust map has no key '" + printable(cut.key_id) + "' of agent '" +
                 printable(cut.agent_id) + "'",
             lane);
        return;
    }
    if (cut.algorithm != crypto::algorithm_name(key->algorithm)) {
        find(record.header.offset, "algorithm",
             "algorithm '" + printable(cut.algorithm) + "', the trust map pins " +
                 std::string(crypto::algorithm_name(key->algorithm)),
             lane);
        return;
    }
    SignatureBatch::Job job{record.header.offset, key, digest, {}, to_signature(cut.signature)};
    if (key->algorithm == crypto::Algorithm::ed25519)
        job.body = wire::canonical_bytes(cut);
    signatures_.add(std::move(job));
    lane_of_job_.emplace(record.header.offset.value, lane);
}

void Verifier::check_chain(const wal::RecordView& record, const wire::CutEnvelope& cut,
                           const Digest& digest) {
    if (cut.sequence.value == 0)
        return;
    const LaneKey key{std::string(cut.agent_id), std::string(cut.lane)};
    const auto start = all_before_seen_ ? ChainStart::known : ChainStart::pruned;
    LaneChain& chain = chains.try_emplace(key, start).first->second;
    const auto taken = trail_.epochs.find(key);
    const bool begins = cut.epoch.value > chain.epoch && taken != trail_.epochs.end();
    std::string wrong = chain.next(cut, digest, begins ? taken->second : record.header.received_ns);
    if (!wrong.empty())
        find(record.header.offset, "chain", std::move(wrong), key);
}

// Nobody vouched for an imported record when it was taken over: its digest must hold, its signature
// is counted as unchecked.
ByteView Verifier::imported(const wal::RecordView& record) {
    facts_ = link::record_facts(record);
    const auto parts = wire::universal_parts(record.stored);
    if (!parts || parts->digest != record.header.digest)
        find(record.header.offset, "digest",
             "the stored bytes are not those that the header names");
    const ByteView signature = parts ? parts->signature : ByteView();
    ++(signature.empty() ? unsigned_records : unchecked_signatures);
    return signature;
}

const crypto::TrustedAgent* Verifier::agent_by_source(const wal::SourceHash& source) const {
    if (trust_ == nullptr)
        return nullptr;
    for (const auto& [name, agent] : trust_->agents())
        if (wal::source_hash(name, "", "") == source)
            return &agent;
    return nullptr;
}

ByteView Verifier::legacy(const wal::RecordView& record) {
    const WalOffset offset = record.header.offset;
    facts_ = link::record_facts(record);
    ByteView signature;
    if (const auto cut = wire::cut_legacy(record.stored, wal::stored_bytes_max))
        signature = cut->signature;
    if (signature.empty()) {
        ++unsigned_records;
        if ((record.header.flags & wal::flag_unsigned) == 0)
            find(offset, "unsigned", "a legacy envelope without a signature, not marked as such");
        return signature;
    }
    const bool was_imported = (record.header.flags & wal::flag_imported) != 0;
    if (was_imported || trust_ == nullptr) {
        ++unchecked_signatures;
        trust_wanted_ = trust_wanted_ || !was_imported;
        return signature;
    }
    const auto* agent = agent_by_source(record.header.source_hash);
    const auto envelope = wire::decode_legacy(record.stored);
    if (agent == nullptr || !envelope) {
        find(offset, "unknown_key", "no agent of the trust map published this legacy envelope");
        return signature;
    }
    const std::string body = wire::legacy_signed_bytes(*envelope);
    const bool good = std::ranges::any_of(agent->keys, [&](const crypto::TrustedKey& key) {
        return key.algorithm == crypto::Algorithm::ed25519 &&
               crypto::verify_bytes(key.key, as_bytes(body), signature);
    });
    if (good)
        ++signatures_ok;
    else
        find(offset, "signature", "the signature is wrong", {agent->agent_id, {}});
    return signature;
}

Result<> Verifier::settle() {
    const std::uint64_t before = signatures_.checked();
    const std::vector<WalOffset> wrong = signatures_.run();
    signatures_ok += signatures_.checked() - before - wrong.size();
    for (const WalOffset offset : wrong)
        find(offset, "signature", "the signature is wrong", lane_of_job_[offset.value]);
    lane_of_job_.clear();
    AMOSKYS_TRY_VOID(settle_leaves());
    return zones_.settle();
}

Result<> Verifier::settle_leaves() {
    if (leaves_.empty())
        return {};
    const WalOffset first = leaves_.front().offset;
    std::vector<std::optional<Digest>> kept(leaves_.size());
    AMOSKYS_TRY_VOID(log_.read_derived(
        wal::Derived::leaf, first, leaves_.back().offset, [&](std::uint64_t number, ByteView hash) {
            if (hash.size() == sizeof(Digest) && number - first.value < kept.size())
                std::ranges::copy(hash, kept[number - first.value].emplace().begin());
        }));
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
        const Leaf& leaf = leaves_[i];
        if (leaf.computed && !kept[i])
            find(leaf.offset, "leaf_missing",
                 "the leaf hash of record " + std::to_string(leaf.offset.value) + " is not there");
        else if (leaf.computed && *kept[i] != *leaf.computed)
            find(leaf.offset, "leaf",
                 "the record's header or signature is not the one that went into the tree");
        append_leaf(leaf.computed ? *leaf.computed : kept[i].value_or(wal::lost_leaf(leaf.offset)));
    }
    leaves_.clear();
    return {};
}

Result<> Verifier::finish() {
    skip_to(WalOffset{tree.size + 1});
    AMOSKYS_TRY_VOID(settle());
    AMOSKYS_TRY_VOID(zones_.finish());
    check_missing();
    for (std::size_t i = 0; i < segments_.size(); ++i)
        check_segment(i);
    if (trust_wanted_)
        find({}, "trust_map",
             "no trust map: " + std::to_string(unchecked_signatures) +
                 " signatures could not be checked");
    for (const wal::Damage& damage : log_.damages())
        find(damage.first, "damage",
             damage.first.value == 0 ? damage.file + ": " + damage.what
                                     : range_text(damage.first, damage.last) + " of " +
                                           damage.file + ": " + damage.what);
    root_matches = root_known_ && frontier_.size() == tree.size && frontier_.root() == tree.root;
    if (root_known_ && !root_matches)
        find({}, "root",
             "the root of the records is " + to_hex(frontier_.root()) + ", the log's tree has " +
                 to_hex(tree.root));
    check_checkpoints();
    AMOSKYS_TRY_VOID(compare_states());
    std::ranges::stable_sort(findings, {}, &Finding::offset);
    return {};
}

// Only while no bus writes on: its states would be ahead of what was read.
Result<> Verifier::compare_states() {
    AMOSKYS_TRY(now, log_.tree_head());
    if (now.size != tree.size || spool_)
        return {};
    const StateFacts facts{chains, trail_, all_before_seen_};
    return check_states(log_, facts,
                        [this](std::string_view what, std::string message, const LaneKey& lane) {
                            find({}, what, std::move(message), lane);
                        });
}

}  // namespace amoskys::modules::inspect
