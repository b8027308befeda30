#include "core/wire/custody.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/wire/builder.h"
#include "core/wire/state_codec.h"
#include "core/wire/test/test_key.h"
#include "proto/universal_telemetry.pb.h"

using namespace amoskys;
using namespace amoskys::wire;
using amoskys::wire::test::test_key;
using amoskys::wire::test::trusted;

namespace {

constexpr UnixNanos now = 1764821328902984000;
constexpr std::uint64_t epoch_1 = 1764821328000;

// One lane of a bus: what judge() accepts is stored.
struct Bus {
    LaneState lane;
    std::map<std::pair<std::uint64_t, std::uint64_t>, Digest> log;
    std::uint64_t pruned_to = 0;
    std::shared_ptr<const crypto::SigningKey> signer = test_key();
    crypto::TrustedKey key = trusted(*signer);
    UnixNanos now_ns = now;

    static StoredDigest lookup(void* context, Epoch epoch, SeqNo sequence) {
        const Bus& bus = *static_cast<Bus*>(context);
        StoredDigest out;
        out.pruned = sequence.value <= bus.pruned_to;
        const auto at = bus.log.find({epoch.value, sequence.value});
        out.found = at != bus.log.end();
        if (out.found)
            out.digest = at->second;
        return out;
    }
    Verdict take(const std::string& stored, bool known_key = true) {
        const auto cut = cut_envelope(as_bytes(stored));
        REQUIRE(cut.has_value());
        const CustodyInput input{*cut, lane, known_key ? &key : nullptr, {}, lookup, this, now_ns};
        Verdict out = judge(input);
        if (out.append && cut->sequence.value != 0)
            log[{cut->epoch.value, cut->sequence.value}] = out.digest;
        if (out.append || out.store_state)
            lane = out.after;
        return out;
    }
};

std::string payload(int n) {
    messaging::DeviceTelemetry record;
    record.set_device_id("d" + std::to_string(n));
    record.add_events();
    return record.SerializeAsString();
}

struct Agent {
    EnvelopeBuilder builder;
    explicit Agent(std::uint64_t epoch = epoch_1, Bytes head = {},
                   std::shared_ptr<const crypto::SigningKey> key = test_key())
        : builder("edge-1", "snmp", std::move(key), {Epoch{epoch}, SeqNo{0}, std::move(head)}) {}
    std::string next(int n = 0, UnixNanos ts_ns = now) {
        const std::string bytes = payload(n);
        BuildRequest request;
        request.kind = PayloadKind::device;
        request.payload = as_bytes(bytes);
        request.ts_ns = ts_ns;
        return *builder.build(request);
    }
};

// An envelope without the builder: signs whatever the message says.
std::string sign(messaging::UniversalEnvelope m, const crypto::SigningKey& key,
                 crypto::Algorithm algorithm = crypto::Algorithm::ed25519_sha256) {
    m.set_sig(std::string(64, 'x'));
    const std::string unsigned_bytes = m.SerializeAsString();
    const auto cut = cut_envelope(as_bytes(unsigned_bytes));
    REQUIRE(cut.has_value());
    const Signature sig = algorithm == crypto::Algorithm::ed25519
                              ? key.sign_bytes(as_bytes(canonical_bytes(*cut)))
                              : key.sign_digest(crypto::envelope_tag, canonical_digest(*cut));
    m.set_sig(std::string(as_text(sig)));
    return m.SerializeAsString();
}

messaging::UniversalEnvelope parse(const std::string& stored) {
    messaging::UniversalEnvelope m;
    REQUIRE(m.ParseFromString(stored));
    return m;
}

}  // namespace

TEST_CASE("custody appends the next envelope and moves the head") {
    Bus bus;
    Agent agent;
    for (int n = 1; n <= 3; ++n) {
        const Verdict verdict = bus.take(agent.next(n));
        CHECK(verdict.append);
        CHECK(verdict.reason.empty());
        CHECK_FALSE(verdict.audit);
    }
    CHECK(bus.lane.last_sequence == SeqNo{3});
    CHECK(bus.lane.head_signature == agent.builder.state().last_signature);
    CHECK(bus.lane.envelopes == 3);
    CHECK(bus.lane.events == 3);
}

TEST_CASE("custody answers an old envelope by its digest") {
    Bus bus;
    Agent agent;
    const std::string first = agent.next(1);
    bus.take(first);
    bus.take(agent.next(2));
    SECTION("equal: OK, not written again") {
        const Verdict verdict = bus.take(first);
        CHECK(verdict.status == Status::ok);
        CHECK(verdict.duplicate);
        CHECK_FALSE(verdict.append);
        CHECK(verdict.reason_label == "duplicate");
    }
    SECTION("different: sequence reused, with an audit record") {
        Agent twin;
        const Verdict verdict = bus.take(twin.next(99));
        CHECK(verdict.status == Status::security_violation);
        CHECK(verdict.reason ==
              "sequence reused (sequence 1 of epoch 1764821328000 was committed "
              "with other content)");
        CHECK(verdict.audit);
    }
    SECTION("pruned: OK, counted as unverified") {
        bus.pruned_to = 1;
        const Verdict verdict = bus.take(first);
        CHECK(verdict.status == Status::ok);
        CHECK(verdict.reason_label == "duplicate_unverified");
    }
    SECTION("of an older epoch: duplicate if stored, else reused") {
        Agent later(epoch_1 + 1, bus.lane.head_signature);
        CHECK(bus.take(later.next(3)).append);
        CHECK(bus.take(first).reason_label == "duplicate");
        const Verdict verdict = bus.take(agent.next(3));
        CHECK(verdict.status == Status::security_violation);
        CHECK(verdict.reason ==
              "sequence reused (sequence 3 of epoch 1764821328000, the lane is in "
              "epoch 1764821328001)");
    }
}

TEST_CASE("custody makes an envelope ahead wait and names the expected one") {
    Bus bus;
    Agent agent;
    bus.take(agent.next(1));
    agent.next(2);
    const Verdict verdict = bus.take(agent.next(3));
    CHECK(verdict.status == Status::retry);
    CHECK(verdict.reason == "waiting for sequence 2");
    CHECK(verdict.expected == SeqNo{2});
    Agent later(epoch_1 + 1);
    later.next(1);
    CHECK(bus.take(later.next(2)).reason == "waiting for sequence 1");
}

TEST_CASE("custody refuses wrong keys, algorithms, signatures and chains") {
    Bus bus;
    Agent agent;
    const std::string stored = agent.next(1);
    const auto refused = [&](const std::string& bytes, std::string_view label, bool known = true) {
        const Verdict verdict = bus.take(bytes, known);
        CHECK(verdict.status == Status::security_violation);
        CHECK(verdict.reason_label == label);
        CHECK(verdict.audit);
        CHECK_FALSE(verdict.append);
    };
    refused(stored, "unknown_key", false);
    refused(Agent(epoch_1, {}, test_key(7)).next(1), "unknown_key");
    auto m = parse(stored);
    m.set_signing_algorithm("Ed25519");
    refused(sign(m, *bus.signer), "algorithm");
    m = parse(stored);
    m.clear_signing_algorithm();
    refused(sign(m, *bus.signer), "algorithm");
    m = parse(stored);
    m.set_ts_ns(now + 1);
    refused(m.SerializeAsString(), "bad_signature");
    REQUIRE(bus.take(stored).append);
    m = parse(agent.next(2));
    m.set_prev_sig(std::string(64, 'y'));
    refused(sign(m, *bus.signer), "chain_broken");
    m.clear_prev_sig();
    refused(sign(m, *bus.signer), "chain_broken");
}

TEST_CASE("custody verifies the earlier algorithm over the canonical bytes where it is pinned") {
    Bus bus;
    bus.key.algorithm = crypto::Algorithm::ed25519;
    auto m = parse(Agent().next(1));
    m.set_signing_algorithm("Ed25519");
    CHECK(bus.take(sign(m, *bus.signer)).reason_label == "bad_signature");
    CHECK(bus.take(sign(m, *bus.signer, crypto::Algorithm::ed25519)).append);
}

TEST_CASE("custody lets a new signing key go on in the lane with the old head") {
    Bus bus;
    Agent agent;
    bus.take(agent.next(1));
    EnvelopeBuilder renewed("edge-1", "snmp", test_key(7), agent.builder.state());
    bus.key = trusted(*test_key(7));
    const std::string bytes = payload(2);
    BuildRequest request;
    request.kind = PayloadKind::device;
    request.payload = as_bytes(bytes);
    CHECK(bus.take(*renewed.build(request)).append);
}

TEST_CASE("custody flags a clock 300 s ahead and refuses one 24 h ahead, never the past") {
    const auto ahead = [](std::int64_t seconds) {
        Bus bus;
        return bus.take(Agent().next(1, now + static_cast<UnixNanos>(seconds * 1000000000)));
    };
    CHECK_FALSE(ahead(300).clock_ahead);
    CHECK(ahead(301).clock_ahead);
    CHECK(ahead(301).append);
    CHECK(ahead(86400).append);
    CHECK(ahead(86401).status == Status::invalid);
    CHECK(ahead(86401).reason == "ts_ns is 86401 s ahead of the bus (86400 s are allowed)");
    CHECK(ahead(-1000000000).append);
    Bus bus;
    CHECK(bus.take(Agent(epoch_1 * 2).next(1)).reason_label == "clock_ahead");
}

TEST_CASE("custody puts a gap marker in the chain so that the signed successor fits") {
    Bus bus;
    Agent agent;
    bus.take(agent.next(1));
    EnvelopeBuilder::Gap gap;
    gap.first = {2};
    gap.last = {4};
    gap.envelopes = 3;
    gap.events = 3;
    gap.reason = "spool_full";
    gap.prev_signature = agent.builder.state().last_signature;
    const std::string dropped = agent.next(2);
    agent.next(3);
    agent.next(4);
    gap.last_signature = agent.builder.state().last_signature;
    const std::string marker = *agent.builder.build_gap(gap, now);
    const std::string successor = agent.next(5);
    CHECK(bus.take(successor).reason == "waiting for sequence 2");
    CHECK(bus.take(marker).append);
    CHECK(bus.lane.last_sequence == SeqNo{4});
    CHECK(bus.lane.head_signature == gap.last_signature);
    CHECK(bus.take(successor).append);
    CHECK(bus.take(marker).reason_label == "duplicate");
    const Verdict late = bus.take(dropped);
    CHECK(late.status == Status::security_violation);
    CHECK(late.reason == "sequence reused (sequence 2 of epoch 1764821328000 lies in a gap)");
    gap.first = {5};
    gap.last = {7};
    CHECK(bus.take(*agent.builder.build_gap(gap, now)).reason == "waiting for sequence 6");
    gap.envelopes = 2;
    CHECK(bus.take(*agent.builder.build_gap(gap, now)).reason_label == "gap_invalid");
}

TEST_CASE("custody takes a new epoch, linked or not, and stops the fourth unlinked one of a day") {
    Bus bus;
    CHECK_FALSE(bus.take(Agent().next(1)).epoch_reset);
    const Verdict linked = bus.take(Agent(epoch_1 + 1, bus.lane.head_signature).next(1));
    CHECK(linked.append);
    CHECK(linked.epoch_reset);
    CHECK(linked.epoch_linked);
    CHECK(linked.audit);
    for (std::uint64_t n = 2; n <= 4; ++n) {
        const Verdict verdict = bus.take(Agent(epoch_1 + n).next(1));
        CHECK(verdict.append);
        CHECK_FALSE(verdict.epoch_linked);
    }
    const Verdict fourth = bus.take(Agent(epoch_1 + 5).next(1));
    CHECK(fourth.status == Status::security_violation);
    CHECK(fourth.reason_label == "epoch_resets");
    CHECK(fourth.store_state);
    bus.now_ns += 3 * clock_limit_ns;
    CHECK(bus.take(Agent(epoch_1 + 5).next(1)).reason_label == "epoch_resets");
    CHECK(bus.take(Agent(epoch_1 + 6, bus.lane.head_signature).next(1)).append);
    accept_reset(bus.lane);
    CHECK(bus.take(Agent(epoch_1 + 7).next(1)).append);
    CHECK(bus.lane.unlinked_resets_today == 1);
    bus.now_ns += clock_limit_ns;
    bus.take(Agent(epoch_1 + 8).next(1));
    CHECK(bus.lane.unlinked_resets_today == 1);  // another day
}

TEST_CASE("custody takes envelopes without sequence beside the chain") {
    Bus bus;
    Agent agent;
    bus.take(agent.next(1));
    auto m = parse(agent.next(2));
    m.clear_sequence();
    m.clear_epoch();
    const Bytes head = bus.lane.head_signature;
    const Verdict verdict = bus.take(sign(m, *bus.signer));
    CHECK(verdict.append);
    CHECK(bus.lane.head_signature == head);
    CHECK(bus.lane.last_sequence == SeqNo{1});
    CHECK(bus.lane.envelopes == 2);
    CHECK(bus.take(m.SerializeAsString()).reason_label == "bad_signature");
}

TEST_CASE("custody refuses a sequence without a lane or an epoch") {
    Bus bus;
    auto m = parse(Agent().next(1));
    m.set_lane("No Lane");
    CHECK(bus.take(sign(m, *bus.signer)).reason_label == "lane_invalid");
    m.set_lane("snmp");
    m.clear_epoch();
    CHECK(bus.take(sign(m, *bus.signer)).status == Status::invalid);
}

TEST_CASE("lane and writer states come back from their bytes, damaged ones do not") {
    Bus bus;
    Agent agent;
    bus.take(agent.next(1));
    bus.take(Agent(epoch_1 + 2).next(1));
    for (const LaneState& state : {LaneState{}, bus.lane}) {
        const std::string bytes = encode_lane_state(state);
        CHECK(*decode_lane_state(bytes) == state);
        CHECK(decode_lane_state(bytes.substr(1)).error().code == "state_damaged");
        CHECK(decode_writer_state(bytes).has_error());
    }
    for (const WriterState& state : {WriterState{}, agent.builder.state()}) {
        const std::string bytes = encode_writer_state(state);
        CHECK(*decode_writer_state(bytes) == state);
        CHECK(decode_writer_state(bytes + "x").error().code == "state_damaged");
    }
    CHECK(decode_lane_state("").has_error());
}
