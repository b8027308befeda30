// Random histories of two publishers' lanes and a bus that lose, double and reorder messages,
// restart, come back from snapshots and drop from full spools. Whatever happened: what was
// acknowledged is in the log exactly once, the chain holds, and once faults stop everything is
// delivered.
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "core/wire/builder.h"
#include "core/wire/custody.h"
#include "core/wire/test/test_key.h"
#include "proto/universal_telemetry.pb.h"

using namespace amoskys;
using namespace amoskys::wire;
using amoskys::wire::test::test_key;
using amoskys::wire::test::trusted;

namespace {

using Id = std::pair<std::uint64_t, std::uint64_t>;  // epoch, sequence

struct Stored {
    Id id;
    std::string bytes;
    Digest digest{};
};

// The bus's side of one lane.
struct BusLane {
    std::vector<Stored> log, pending;
    LaneState committed, expected;
    std::vector<LaneState> history{LaneState{}};  // committed state by log size
};

struct Item {
    std::string bytes;
    std::string payload;
    Bytes prev_signature, signature;  // a gap marker: last_sig
    std::uint64_t first = 0, envelopes = 1;
};

// The publisher's side of one lane: a spool of signed envelopes by last sequence.
struct AgentLane {
    WriterState writer;
    std::map<std::uint64_t, Item> spool;
    std::uint64_t cursor = 0;  // last sequence given to the channel
    std::uint64_t highest_epoch = 0;
};

class Model {
  public:
    Model(std::uint32_t seed, std::string lane) : random_(seed), lane_(std::move(lane)) {
        start_epoch({Epoch{now_ms_}, {}, {}});
    }

    void step() {
        now_ms_ += pick(2000);
        switch (pick(16)) {
            case 0:
            case 1:
            case 2:
            case 3:
                return produce();
            case 4:
            case 5:
            case 6:
                return send();
            case 7:
            case 8:
            case 9:
                return receive();
            case 10:
            case 11:
                return commit();
            case 12:
                return reconnect();
            case 13:
                return pick(3) == 0 ? overflow() : mangle();
            case 14:
                return pick(4) == 0 ? restart_bus() : produce();
            default:
                return snapshots();
        }
    }

    // No more faults: everything in the spool arrives.
    void settle() {
        reconnect();
        for (int round = 0; round < 10000 && !agent_.spool.empty(); ++round) {
            send();
            receive();
            commit();
            if (channel_.empty() && bus_.pending.empty() && agent_.cursor > 0 &&
                agent_.spool.upper_bound(agent_.cursor) == agent_.spool.end())
                reconnect();
        }
        REQUIRE(agent_.spool.empty());
    }

    void check_all() const {
        std::map<Id, Digest> in_log;
        Bytes head;
        std::uint64_t epoch = 0, sequence = 0;
        for (const Stored& record : bus_.log) {
            const auto cut = cut_envelope(as_bytes(record.bytes));
            REQUIRE(cut.has_value());
            REQUIRE(in_log.emplace(record.id, record.digest).second);
            REQUIRE(canonical_digest(*cut) == record.digest);
            const bool gap = cut->payload_kind == PayloadKind::gap;
            const std::uint64_t first = gap ? cut->gap.first.value : cut->sequence.value;
            if (cut->epoch.value == epoch) {
                REQUIRE(to_bytes(cut->prev_signature) == head);
                REQUIRE(first == sequence + 1);
            } else {
                REQUIRE(cut->epoch.value > epoch);
                REQUIRE(first == 1);
            }
            head = to_bytes(gap ? cut->gap.last_signature : cut->signature);
            epoch = cut->epoch.value;
            sequence = cut->sequence.value;
        }
        for (const auto& [id, digest] : acknowledged_) {
            REQUIRE(in_log.count(id) == 1);
            REQUIRE(in_log.at(id) == digest);
        }
    }
    std::size_t log_size() const { return bus_.log.size(); }
    std::size_t acknowledged() const { return acknowledged_.size(); }

  private:
    std::uint32_t pick(std::uint32_t below) {
        return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
    }

    void start_epoch(WriterState state) {
        state.epoch.value = std::max({state.epoch.value, now_ms_, agent_.highest_epoch + 1});
        agent_.highest_epoch = state.epoch.value;
        agent_.writer = state;
        const auto old = std::move(agent_.spool);
        agent_.spool.clear();
        agent_.cursor = 0;
        for (const auto& [sequence, item] : old)
            if (!item.payload.empty())
                append(item.payload);
    }

    void append(const std::string& payload) {
        EnvelopeBuilder builder("edge-1", lane_, key_, agent_.writer);
        BuildRequest request;
        request.kind = PayloadKind::device;
        request.payload = as_bytes(payload);
        request.ts_ns = now_ms_ * 1000000;
        Item item;
        item.prev_signature = agent_.writer.last_signature;
        item.bytes = *builder.build(request);
        item.payload = payload;
        item.signature = builder.state().last_signature;
        agent_.writer = builder.state();
        item.first = agent_.writer.last_sequence.value;
        agent_.spool.emplace(item.first, std::move(item));
    }

    void produce() {
        messaging::DeviceTelemetry record;
        record.set_device_id("d" + std::to_string(produced_++));
        record.add_events();
        append(record.SerializeAsString());
    }

    void send() {
        const auto at = agent_.spool.upper_bound(agent_.cursor);
        if (at == agent_.spool.end() || channel_.size() > 20)
            return;
        channel_.push_back(at->second.bytes);
        agent_.cursor = at->first;
    }

    // The channel doubles and reorders what is in it.
    void mangle() {
        if (channel_.empty())
            return;
        if (pick(2) == 0)
            channel_.push_back(channel_[pick(static_cast<std::uint32_t>(channel_.size()))]);
        else
            std::swap(channel_.front(), channel_.back());
    }

    static StoredDigest lookup(void* context, Epoch epoch, SeqNo sequence) {
        const BusLane& bus = *static_cast<BusLane*>(context);
        for (const auto* records : {&bus.log, &bus.pending})
            for (const Stored& record : *records)
                if (record.id == Id{epoch.value, sequence.value})
                    return {false, true, record.digest};
        return {};
    }

    void receive() {
        if (channel_.empty())
            return;
        const std::string bytes = std::move(channel_.front());
        channel_.pop_front();
        const auto cut = cut_envelope(as_bytes(bytes));
        REQUIRE(cut.has_value());
        Verdict verdict =
            judge({*cut, bus_.expected, &trusted_, {}, lookup, &bus_, now_ms_ * 1000000});
        const Id id{cut->epoch.value, cut->sequence.value};
        if (verdict.append) {
            bus_.expected = verdict.after;
            bus_.pending.push_back({id, bytes, verdict.digest});
        } else if (verdict.status == Status::retry) {
            agent_.cursor = std::min(agent_.cursor, verdict.expected.value - 1);
        } else if (verdict.reason_label == "epoch_resets") {
            accept_reset(bus_.committed);  // the operator
            accept_reset(bus_.expected);
            agent_.cursor = 0;
        } else {
            INFO(verdict.reason);
            REQUIRE(verdict.duplicate);
            for (const Stored& record : bus_.log)
                if (record.id == id)
                    acknowledge(id, record.digest);
        }
    }

    void acknowledge(const Id& id, const Digest& digest) {
        acknowledged_[id] = digest;
        if (id.first == agent_.writer.epoch.value)
            agent_.spool.erase(agent_.spool.begin(), agent_.spool.upper_bound(id.second));
    }

    void commit() {
        const bool acks_lost = pick(8) == 0;
        for (Stored& record : bus_.pending) {
            bus_.log.push_back(record);
            if (!acks_lost)
                acknowledge(record.id, record.digest);
            const auto cut = cut_envelope(as_bytes(bus_.log.back().bytes));
            const bool gap = cut->payload_kind == PayloadKind::gap;
            LaneState& lane = bus_.committed;
            lane = bus_.expected;
            lane.epoch = cut->epoch;
            lane.last_sequence = cut->sequence;
            lane.head_signature = to_bytes(gap ? cut->gap.last_signature : cut->signature);
            lane.head_digest = record.digest;
            bus_.history.push_back(lane);
        }
        bus_.pending.clear();
    }

    // WELCOME: the publisher resumes behind the bus's head, or begins a new epoch where that head
    // is not in its history.
    void reconnect() {
        channel_.clear();
        bus_.pending.clear();
        bus_.expected = bus_.committed;
        const LaneState& head = bus_.committed;
        const std::uint64_t committed =
            head.epoch == agent_.writer.epoch ? head.last_sequence.value : 0;
        bool fits =
            head.epoch <= agent_.writer.epoch && committed <= agent_.writer.last_sequence.value;
        const auto next = agent_.spool.upper_bound(committed);
        if (fits && next != agent_.spool.end()) {
            if (next->second.first <= committed)
                fits = remake_gap(next->second, committed, head.head_signature);
            else if (committed > 0)
                fits = next->second.first == committed + 1 &&
                       next->second.prev_signature == head.head_signature;
            else
                fits = next->second.first == 1;
        } else if (fits && committed == agent_.writer.last_sequence.value && committed > 0) {
            fits = agent_.writer.last_signature == head.head_signature;
        } else if (fits) {
            fits = agent_.writer.last_sequence.value == 0;
        }
        if (fits) {
            agent_.spool.erase(agent_.spool.begin(), next);
            agent_.cursor = committed;
            return;
        }
        const bool offline = pick(4) == 0;
        start_epoch({Epoch{head.epoch.value + 1}, {}, offline ? Bytes{} : head.head_signature});
    }

    // The bus has the first part of what the marker stands for.
    bool remake_gap(Item& item, std::uint64_t committed, const Bytes& head) {
        make_gap(item, committed + 1, item.first + item.envelopes - 1, head, item.signature);
        return true;
    }

    void make_gap(Item& item, std::uint64_t first, std::uint64_t last, const Bytes& prev,
                  const Bytes& last_signature) {
        EnvelopeBuilder::Gap gap;
        gap.first = {first};
        gap.last = {last};
        gap.envelopes = last - first + 1;
        gap.reason = "spool_full";
        gap.prev_signature = prev;
        gap.last_signature = last_signature;
        const EnvelopeBuilder builder("edge-1", lane_, key_, agent_.writer);
        item.bytes = *builder.build_gap(gap, now_ms_ * 1000000);
        item.payload.clear();
        item.prev_signature = prev;
        item.signature = last_signature;
        item.first = first;
        item.envelopes = gap.envelopes;
    }

    // The spool is full: some of the oldest become one gap marker. Nothing of them may be in
    // flight.
    void overflow() {
        reconnect();
        if (agent_.spool.size() < 2)
            return;
        const auto size = static_cast<std::uint32_t>(agent_.spool.size());
        auto end = std::next(agent_.spool.begin(), 1 + pick(size));
        const Item first = agent_.spool.begin()->second;
        const auto last = *std::prev(end);
        agent_.spool.erase(agent_.spool.begin(), end);
        Item marker;
        make_gap(marker, first.first, last.first, first.prev_signature, last.second.signature);
        agent_.spool.emplace(last.first, std::move(marker));
    }

    void restart_bus() { reconnect(); }

    void snapshots() {
        switch (pick(8)) {
            case 0:
                agent_snapshot_ = agent_;
                return;
            case 1:
                if (!agent_snapshot_)
                    return;
                agent_ = *agent_snapshot_;  // as restored: it knows nothing of what came after
                for (std::uint32_t n = pick(3); n > 0; --n)
                    produce();  // before it finds a bus
                return reconnect();
            case 2:
                if (bus_.log.size() < 2)
                    return;
                // The bus comes back from an older disk: what it acknowledged since is gone from
                // it.
                for (std::uint32_t n = 1 + pick(std::min<std::uint32_t>(
                                               5, static_cast<std::uint32_t>(bus_.log.size())));
                     n > 0; --n) {
                    acknowledged_.erase(bus_.log.back().id);
                    bus_.log.pop_back();
                    bus_.history.pop_back();
                }
                bus_.committed = bus_.history.back();
                return reconnect();
            default:
                return;
        }
    }

    std::mt19937 random_;
    std::string lane_;
    std::shared_ptr<const crypto::SigningKey> key_ = test_key();
    crypto::TrustedKey trusted_ = trusted(*key_);
    std::uint64_t now_ms_ = 1764821328000;
    std::uint64_t produced_ = 0;
    AgentLane agent_;
    std::optional<AgentLane> agent_snapshot_;
    BusLane bus_;
    std::deque<std::string> channel_;
    std::map<Id, Digest> acknowledged_;
};

}  // namespace

TEST_CASE("what a bus acknowledged is in its log exactly once, whatever happened") {
    std::size_t records = 0, acknowledged = 0;
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        Model snmp(seed, "snmp"), flow(seed + 1000, "flow");
        for (int i = 0; i < 300; ++i) {
            snmp.step();
            flow.step();
        }
        for (Model* lane : {&snmp, &flow}) {
            lane->check_all();
            lane->settle();
            lane->check_all();
            records += lane->log_size();
            acknowledged += lane->acknowledged();
        }
    }
    CHECK(records > 1000);
    CHECK(acknowledged > 1000);
}
