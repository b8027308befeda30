// Recomputes what a log claims: digests, signatures, chains, leaves and the root of its tree,
// zones, states and what its segments say of themselves. Record headers and the digests of legacy
// and audit records are checked by the log as it reads; what it could not read are its damages.
// Findings are kept up to findings_max, and all are counted.
//
// Use: record() for each record in order, settle() now and then with no read transaction open,
// finish() once. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/crypto/trust_map.h"
#include "core/link/record_facts.h"
#include "core/wal/log.h"
#include "core/wal/merkle.h"
#include "modules/tools/inspect/audit_trail.h"
#include "modules/tools/inspect/chain_check.h"
#include "modules/tools/inspect/checkpoints.h"
#include "modules/tools/inspect/signature_batch.h"
#include "modules/tools/inspect/zone_check.h"
#include "proto/bus.pb.h"

namespace amoskys::modules::inspect {

inline constexpr std::size_t findings_max = 1000;

struct Finding {
    WalOffset offset;  // 0 = of no single record
    std::string agent, lane;
    std::string_view what;  // small fixed set: README.md
    std::string message;
};

std::string range_text(WalOffset first, WalOffset last);  // "records 3 to 5"

class Verifier {
  public:
    // `trust` may be null: then a published record is one finding.
    Verifier(wal::Log& log, std::shared_ptr<const crypto::TrustMap> trust);

    // Before begin(): finish() says whether the log still begins with what was signed. One whose
    // signature or form is wrong is a finding too.
    void expect(HeldCheckpoint checkpoint);
    Result<> begin();
    bool record(const wal::RecordView& record);  // false: behind the tree that is checked
    Result<> settle();
    Result<> finish();

    std::uint64_t records = 0, unsigned_records = 0, unchecked_signatures = 0, audits = 0;
    std::uint64_t signatures_ok = 0, findings_total = 0;
    UnixNanos last_received_ns = 0;
    std::vector<Finding> findings;
    std::map<LaneKey, LaneChain> chains;
    wal::Log::TreeHead tree;  // what the log says
    bool root_matches = false;
    struct Expected {
        HeldCheckpoint held;
        bool holds = false;
    };
    std::vector<Expected> expected_checkpoints;

  private:
    struct Leaf {
        WalOffset offset;
        std::optional<Digest> computed;  // nothing: the record could not be read
    };
    void find(WalOffset offset, std::string_view what, std::string message, LaneKey lane = {});
    void skip_to(WalOffset offset);
    // These three: the signature for the leaf; facts, where they can be told, for the zone.
    ByteView envelope(const wal::RecordView& record);
    ByteView imported(const wal::RecordView& record);
    ByteView legacy(const wal::RecordView& record);
    void check_signature(const wal::RecordView& record, const wire::CutEnvelope& cut,
                         const Digest& digest);
    void check_chain(const wal::RecordView& record, const wire::CutEnvelope& cut,
                     const Digest& digest);
    void note_segment(const wal::RecordView& record);
    void check_segment(std::size_t index);
    void check_missing();
    const crypto::TrustedAgent* agent_by_source(const wal::SourceHash& source) const;
    Result<> load_heads();
    void check_head(const wal::RecordView& record, const wire::CutEnvelope& cut,
                    const LaneKey& lane);
    Result<> settle_leaves();
    void append_leaf(const Digest& leaf);
    void check_checkpoints();
    Result<> compare_states();

    wal::Log& log_;
    std::shared_ptr<const crypto::TrustMap> trust_;
    WalOffset expected_;
    bool all_before_seen_ = true;  // no record before this one is pruned or unreadable
    bool trust_wanted_ = false;    // a published record's signature could not be checked
    wal::Frontier frontier_;
    bool root_known_ = true;                                       // every leaf before is there
    std::map<std::uint64_t, std::optional<Digest>> wanted_roots_;  // by size, of checkpoints
    std::vector<Leaf> leaves_;
    bool spool_ = false;  // an agent's: it has no zones by device, and trims records
    std::vector<wal::SegmentClaims> segments_;
    struct SegmentSeen {
        std::uint64_t records = 0, bytes = 0;
        UnixNanos last_received_ns = 0;
    };
    std::vector<SegmentSeen> seen_;  // of each of segments_
    std::size_t segment_ = 0;        // that the last record was in
    WalOffset first_;                // record that the log begins with
    std::vector<std::pair<WalOffset, WalOffset>> not_seen_;
    ZoneCheck zones_;
    link::DeviceNotes devices_;
    std::optional<wal::RecordFacts> facts_;  // of the record at hand
    AuditTrail trail_;
    SignatureBatch signatures_;
    std::unordered_map<std::uint64_t, LaneKey> lane_of_job_;
    std::map<LaneKey, amoskys::bus::Head> heads_;
};

// begin() to finish() over the whole log.
Result<> verify_log(wal::Log& log, Verifier& verifier, bool progress);

}  // namespace amoskys::modules::inspect
