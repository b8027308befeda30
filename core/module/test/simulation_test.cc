// Both ends of the protocol and what they keep, run together against random faults with printed
// seeds: two lanes, each a real spool and a ClientMachine; one or two buses, each ServerSessions
// over a log in memory. Connections break with bytes under way, or live on as zombies; commits
// fail; agents and buses restart; buses and spools come back from snapshots; a week passes.
//
// Whatever happened, once faults stop: every chain in every log is whole, no sequence is in a log
// twice, nothing is left in a spool, and every record that was durable in a spool is in a log, or a
// signed gap marker tells of it. With one bus and no snapshots each is there exactly once.
#include <stdlib.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/link/client_machine.h"
#include "core/link/server_session.h"
#include "core/module/spool.h"
#include "core/module/test/memory_log.h"

using namespace amoskys;
using namespace std::chrono_literals;
using amoskys::module::Spool;
using amoskys::module::test::MemoryLog;

namespace {

constexpr std::size_t lanes_count = 2;
const std::string lane_names[lanes_count] = {"snmp", "snmp-urgent"};

struct Faults {
    std::size_t buses = 1;
    bool snapshots = false;
    std::uint64_t spool_bytes = 1 << 30;
};

// A connection: the session at the bus, and bytes under way in both directions.
struct Wire {
    std::size_t bus = 0;
    std::unique_ptr<link::ServerSession> session;
    std::optional<wal::WriteRequest> write;  // handed to the log, not committed yet
    std::string to_bus, to_agent;
    bool agent_gone = false;
};

struct Bus {
    Bus(const Clock& clock, std::size_t number)
        : log(clock),
          key(std::make_shared<const crypto::SigningKey>(
              crypto::SigningKey::from_seed(Bytes(32, static_cast<std::uint8_t>(100 + number))))) {}
    MemoryLog log;
    std::shared_ptr<const crypto::SigningKey> key;
    metrics::Registry registry;
    std::unique_ptr<link::BusState> state;
    std::vector<MemoryLog::Content> snapshots;
};

struct AgentLane {
    std::unique_ptr<Spool> spool;
    std::unique_ptr<link::ClientMachine> machine;
    link::ClientStats stats;
    link::ClientOptions options;
    std::shared_ptr<Wire> wire;
    std::size_t next_bus = 0;
    std::set<std::string> durable;  // device ids of what is on this spool's disk or was
    std::set<std::string> in_snapshot;
    bool has_snapshot = false;
};

class World {
  public:
    World(std::uint32_t seed, Faults faults) : random_(seed), faults_(faults) {
        for (std::size_t i = 0; i < faults.buses; ++i) {
            buses_.push_back(std::make_unique<Bus>(clock_, i));
            start_bus(i);
        }
        for (std::size_t i = 0; i < lanes_count; ++i)
            open_spool(i);
    }
    ~World() {
        for (AgentLane& lane : lanes_)
            lane.machine.reset();
        wires_.clear();
    }

    void step() {
        clock_.advance(std::chrono::milliseconds(pick(200)));
        const std::size_t lane = pick(lanes_count);
        const std::uint32_t what = pick(100);
        if (what < 22)
            append(lane);
        else if (what < 42)
            agent_turn(lane);
        else if (what < 62)
            bus_turn();
        else if (what < 80)
            log_turn(pick(12) == 0);
        else if (what < 88)
            tick();
        else if (what < 91)
            hang_up(lane, pick(2) == 0);
        else if (what < 93)
            restart_spool(lane, pick(2) == 0);
        else if (what < 95)
            restart_bus(pick(buses()));
        else if (what == 95)
            clock_.advance(7 * 24h);
        else if (faults_.snapshots && what == 96)
            snapshot(lane);
        else if (faults_.snapshots && what == 97)
            roll_back(lane);
        else
            poison(lane);
    }

    // No more faults: everything arrives. Each bus is visited, so that it can be found out.
    void settle() {
        poisoned_.reset();
        for (std::size_t bus = 0; bus < buses(); ++bus) {
            for (std::size_t i = 0; i < lanes_count; ++i) {
                hang_up(i, false);
                lanes_[i].next_bus = bus;
                dial(i);
            }
            run_until_delivered();
        }
    }

    void run_until_delivered() {
        const auto all_welcomed = [&] {
            return std::ranges::all_of(lanes_, [](const AgentLane& lane) {
                return lane.machine && lane.machine->welcomed();
            });
        };
        for (int round = 0; round < 4000 && (pending() > 0 || !all_welcomed()); ++round) {
            clock_.advance(100ms);
            for (std::size_t i = 0; i < lanes_count; ++i)
                agent_turn(i);
            bus_turn();
            log_turn(false);
            if (round % 5 == 0)
                tick();
        }
        INFO("pending " << pending() << " " << lanes_[0].stats.last_error << " / "
                        << lanes_[1].stats.last_error << " / " << last_error_);
        REQUIRE(pending() == 0);
    }

    // Both restart, the agent by a crash, and the lane goes on where it stopped.
    void be_offline_for_a_week() {
        for (int i = 0; i < 5; ++i)
            append(0);
        settle();
        hang_up(0, false);
        const Epoch epoch = lanes_[0].spool->position().epoch;
        for (int i = 0; i < 5; ++i)
            append(0);
        restart_spool(0, true);
        clock_.advance(7 * 24h);
        restart_bus(0);
        for (int i = 0; i < 5; ++i)
            append(0);
        settle();
        CHECK(lanes_[0].spool->position().epoch == epoch);
        CHECK(lanes_[0].spool->position().acked.value == 15);
    }

    void check_all() {
        std::map<std::string, int> seen;
        std::uint64_t told = 0;
        for (const auto& bus : buses_)
            told += check_log(*bus, seen);
        std::uint64_t missing = 0;
        for (const AgentLane& lane : lanes_)
            for (const std::string& device : lane.durable)
                missing += seen.contains(device) ? 0 : 1;
        CHECK(missing <= told);
        if (faults_.buses == 1 && !faults_.snapshots) {
            CHECK(missing == told);
            for (const auto& [device, times] : seen)
                CHECK(times == 1);
        }
        told_ = told;
        records_ = seen.size();
    }
    std::size_t records() const { return records_; }
    std::uint64_t poisonings() const { return poisonings_; }
    std::uint64_t told() const { return told_; }
    std::uint64_t rollbacks() {
        for (const AgentLane& lane : lanes_)
            count(lane);
        return rollbacks_;
    }

  private:
    std::uint32_t pick(std::size_t below) {
        return std::uniform_int_distribution<std::uint32_t>(
            0, static_cast<std::uint32_t>(below - 1))(random_);
    }
    std::size_t buses() const { return buses_.size(); }
    std::uint64_t pending() const {
        std::uint64_t out = 0;
        for (const AgentLane& lane : lanes_)
            out += lane.spool->stats().pending_envelopes;
        return out;
    }

    // ---- the agent

    fs::path folder_of(std::size_t lane) const { return folder_.path / lane_names[lane]; }

    void open_spool(std::size_t i) {
        auto opened = Spool::open(io_, {.folder = folder_of(i),
                                        .agent_id = "edge-1",
                                        .lane = lane_names[i],
                                        .key = key_,
                                        .max_bytes = faults_.spool_bytes,
                                        .clock = &clock_});
        INFO((opened ? std::string() : opened.error().message));
        REQUIRE(opened.has_value());
        lanes_[i].spool = std::move(*opened);
        lanes_[i].options.agent_id = "edge-1";
        lanes_[i].options.lane = lane_names[i];
        lanes_[i].options.compression = link::Compress::automatic;
    }

    void settle_disk(AgentLane& lane) {
        const auto wanted = [&] {
            return lane.spool->position().acked.value + lane.spool->stats().pending_envelopes;
        };
        while (lane.spool->position().last.value < wanted())
            io_.run_one_for(5s);
        io_.poll();
    }

    void append(std::size_t i) {
        messaging::TelemetryBatch batch;
        auto& record = *batch.add_telemetry_records();
        const std::string device = "d" + std::to_string(appended_++);
        record.set_device_id(device);
        record.add_events()->set_event_type("METRIC");
        AgentLane& lane = lanes_[i];
        REQUIRE(lane.spool->append({.bytes = batch.SerializeAsString(), .events = 1}).has_value());
        settle_disk(lane);
        lane.durable.insert(device);
    }

    void dial(std::size_t i) {
        AgentLane& lane = lanes_[i];
        lane.wire = std::make_shared<Wire>();
        lane.wire->bus = lane.next_bus;
        lane.next_bus = (lane.next_bus + (pick(3) == 0 ? 1 : 0)) % buses();
        Bus& bus = *buses_[lane.wire->bus];
        lane.wire->session = std::make_unique<link::ServerSession>(
            *bus.state, ++session_ids_, link::PeerFacts{"edge-1", "192.0.2.1:4711"});
        lane.machine = std::make_unique<link::ClientMachine>(
            *lane.spool, lane.options, lane.stats,
            io::Endpoint{"192.0.2." + std::to_string(10 + lane.wire->bus), 50051});
        lane.wire->to_bus = lane.machine->hello();
        wires_.push_back(lane.wire);
    }

    void agent_turn(std::size_t i) {
        AgentLane& lane = lanes_[i];
        if (!lane.machine)
            return dial(i);
        const auto now = clock_.steady();
        Result<> result = take_frames(
            lane.wire->to_agent, [&](ByteView body) { return lane.machine->on_frame(body, now); });
        if (result)
            result = lane.machine->fill(lane.wire->to_bus, 4096, now);
        if (result)
            result = lane.machine->tick(lane.wire->to_bus, now);
        const bool closed = lane.wire->session == nullptr && lane.wire->to_agent.empty();
        if (result && !closed)
            return;
        if (!result) {
            last_error_ = result.error().message;
            const auto& code = result.error().code;
            INFO(code << ": " << last_error_);
            REQUIRE(result.error().kind != ErrorKind::internal);
            REQUIRE(code != "bus_security_violation");
            REQUIRE(code != "gap_overtaken");
        }
        hang_up(i, false);
    }

    // With zombie, what is under way to the bus still arrives, beside the next session.
    void hang_up(std::size_t i, bool zombie) {
        AgentLane& lane = lanes_[i];
        if (!lane.machine)
            return;
        lane.machine.reset();
        lane.spool->session_ended();
        lane.wire->agent_gone = true;
        if (!zombie) {
            lane.wire->to_bus.clear();
            if (lane.wire->session)
                lane.wire->session->disconnected("the connection was cut");
        }
        lane.wire.reset();
    }

    void restart_spool(std::size_t i, bool crash) {
        hang_up(i, false);
        count(lanes_[i]);
        if (!crash)
            REQUIRE(lanes_[i].spool->close());
        lanes_[i].spool.reset();
        open_spool(i);
        settle_disk(lanes_[i]);
    }

    void count(const AgentLane& lane) { rollbacks_ += lane.spool->stats().rollbacks; }

    // The next envelope of that lane which a bus sees is refused for good.
    void poison(std::size_t i) { poisoned_ = i; }

    // ---- the buses

    void start_bus(std::size_t i) {
        Bus& bus = *buses_[i];
        link::ServerLimits limits;
        limits.soft_window = 4;
        limits.hard_window = 16;
        bus.state = std::make_unique<link::BusState>(clock_, bus.log,
                                                     link::ServerMetrics(bus.registry), limits);
        REQUIRE(bus.state->load().has_value());
        bus.state->log_key = bus.key;
        const auto trust = crypto::TrustMap::parse(
            "agents:\n  edge-1: {public_key_path: k}\n", "trust.yaml",
            [this](const fs::path&) -> Result<PublicKey> { return key_->public_key(); });
        REQUIRE(trust.has_value());
        bus.state->trust = *trust;
        bus.state->evict = [this](std::uint64_t session, const std::string& why) {
            for (const auto& wire : wires_)
                if (wire->session && wire->session->id() == session)
                    wire->session->evict(why);
        };
    }

    // Its sessions are gone; a write that was with the log is there or not.
    void restart_bus(std::size_t i) {
        for (const auto& wire : wires_) {
            if (wire->bus != i || !wire->session)
                continue;
            if (wire->write && pick(2) == 0)
                append_to_log(*buses_[i], *wire->write);
            wire->session.reset();
            wire->write.reset();
            wire->to_bus.clear();
            wire->to_agent.clear();
        }
        buses_[i]->state.reset();
        start_bus(i);
    }

    void snapshot(std::size_t i) {
        Bus& bus = *buses_[pick(buses())];
        bus.snapshots.push_back(bus.log.content);
        if (pick(3) != 0 || lanes_[i].has_snapshot)
            return;
        restart_spool(i, false);
        REQUIRE(lanes_[i].spool->close());
        lanes_[i].spool.reset();
        fs::copy(folder_of(i), folder_.path / (lane_names[i] + ".copy"),
                 fs::copy_options::recursive);
        lanes_[i].in_snapshot = lanes_[i].durable;
        lanes_[i].has_snapshot = true;
        open_spool(i);
    }

    void roll_back(std::size_t i) {
        if (lanes_[i].has_snapshot && pick(2) == 0) {
            hang_up(i, false);
            count(lanes_[i]);
            lanes_[i].spool.reset();
            fs::remove_all(folder_of(i));
            fs::rename(folder_.path / (lane_names[i] + ".copy"), folder_of(i));
            lanes_[i].has_snapshot = false;
            lanes_[i].durable = lanes_[i].in_snapshot;  // the rest went with the disk
            spool_restored_ = true;
            open_spool(i);
            return;
        }
        const std::size_t number = pick(buses());
        Bus& bus = *buses_[number];
        if (bus.snapshots.empty() || spool_restored_)
            return;
        bus.log.content = bus.snapshots[pick(bus.snapshots.size())];
        bus.snapshots.clear();
        restart_bus(number);
    }

    void bus_turn() {
        for (const auto& wire : wires_) {
            if (!wire->session)
                continue;
            static_cast<void>(take_frames(wire->to_bus, [&](ByteView body) -> Result<> {
                deliver(*wire, body);
                return {};
            }));
            wire->session->flush();
            if (!wire->write)
                wire->write = wire->session->take_write();
            wire->to_agent += wire->session->take_output();
        }
    }

    // A poisoned envelope is too large for the bus at that moment: INVALID. Only one that the bus
    // has not got: what is in the log was never invalid.
    void deliver(Wire& wire, ByteView body) {
        auto& limits = buses_[wire.bus]->state->limits;
        const auto usual = limits.max_envelope_bytes;
        const auto publish = wire::split_publish(body);
        if (poisoned_ && publish && *publish && !(*publish)->zstd && !wire.agent_gone &&
            !wire.write && wire.session->settled()) {
            const auto cut = wire::cut_envelope((*publish)->envelope);
            const auto* lane =
                buses_[wire.bus]->state->lanes.find({"edge-1", lane_names[*poisoned_]});
            if (cut && lane != nullptr && cut->payload_kind != wire::PayloadKind::gap &&
                cut->lane == lane->key.lane && cut->epoch == lane->committed.epoch &&
                cut->sequence == lane->committed.last_sequence.next()) {
                limits.max_envelope_bytes = 10;
                poisoned_.reset();
                ++poisonings_;
            }
        }
        wire.session->on_frame(body);
        limits.max_envelope_bytes = usual;
    }

    static Result<wal::Appended> append_to_log(Bus& bus, const wal::WriteRequest& write) {
        wal::Group group;
        for (const auto& record : write.records)
            group.records.push_back({record.kind, record.flags, as_bytes(record.stored),
                                     record.digest, as_bytes(record.signature), record.source_hash,
                                     record.first_event_ns, record.last_event_ns,
                                     record.device_hashes, record.dedup_key});
        group.states = write.states;
        return bus.log.append(group);
    }

    void log_turn(bool failing) {
        for (const auto& wire : wires_) {
            if (!wire->session || !wire->write)
                continue;
            Bus& bus = *buses_[wire->bus];
            bus.log.fail_next = failing;
            const auto done = append_to_log(bus, *wire->write);
            wire->write.reset();
            wire->session->on_committed(done);
            wire->to_agent += wire->session->take_output();
        }
        for (auto at = wires_.begin(); at != wires_.end();) {
            Wire& wire = **at;
            const bool idle_zombie = wire.agent_gone && wire.to_bus.empty();
            if (wire.session && wire.session->settled() && !wire.write &&
                (wire.session->closing() || idle_zombie)) {
                wire.to_agent += wire.session->take_output();
                wire.session->disconnected("gone");
                wire.session.reset();
            }
            at = wire.session || !wire.agent_gone ? at + 1 : wires_.erase(at);
        }
    }

    void tick() {
        clock_.advance(1s);
        for (const auto& wire : wires_)
            if (wire->session) {
                wire->session->tick();
                wire->session->offer_credit();
                wire->to_agent += wire->session->take_output();
            }
    }

    template <class Take>
    Result<> take_frames(std::string& bytes, Take take) {
        while (bytes.size() >= 4) {
            const std::size_t size = load_be32(as_bytes(bytes).data());
            if (bytes.size() < 4 + size)
                break;
            const std::string body = bytes.substr(4, size);
            bytes.erase(0, 4 + size);
            AMOSKYS_TRY_VOID(take(as_bytes(body)));
        }
        return {};
    }

    // ---- the end

    // Counts the device ids; returns how many envelopes its gap markers tell of.
    std::uint64_t check_log(Bus& bus, std::map<std::string, int>& seen) {
        struct Head {
            std::uint64_t epoch = 0, sequence = 0;
            Bytes signature;
        };
        std::map<std::string, Head> heads;
        std::uint64_t told = 0;
        const auto visit = [&](const wal::RecordView& record) {
            if (record.header.kind == RecordKind::audit)
                return true;
            const auto cut = wire::cut_envelope(record.stored);
            REQUIRE(cut.has_value());
            const bool gap = cut->payload_kind == wire::PayloadKind::gap;
            Head& head = heads[std::string(cut->lane)];
            REQUIRE(cut->epoch.value >= head.epoch);
            const bool fresh = cut->epoch.value > head.epoch;
            const std::uint64_t first = gap ? cut->gap.first.value : cut->sequence.value;
            REQUIRE(first == (fresh ? 1 : head.sequence + 1));
            REQUIRE(to_bytes(cut->prev_signature) == head.signature);
            head = {cut->epoch.value, cut->sequence.value,
                    to_bytes(gap ? cut->gap.last_signature : cut->signature)};
            told += gap ? cut->gap.envelopes : 0;
            messaging::UniversalEnvelope message;
            REQUIRE(message.ParseFromArray(record.stored.data(),
                                           static_cast<int>(record.stored.size())));
            for (const auto& each : message.telemetry_batch().telemetry_records())
                ++seen[each.device_id()];
            return true;
        };
        REQUIRE(bus.log.read({1}, UINT64_MAX, visit).has_value());
        return told;
    }

    std::mt19937 random_;
    const Faults faults_;
    TempFolder folder_;
    FakeClock clock_{1'764'821'328'902'984'000ULL};
    io::asio::io_context io_;
    io::asio::executor_work_guard<io::asio::io_context::executor_type> work_{io_.get_executor()};
    std::shared_ptr<const crypto::SigningKey> key_ =
        std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(Bytes(32, 7)));
    std::vector<std::unique_ptr<Bus>> buses_;
    std::vector<std::shared_ptr<Wire>> wires_;
    AgentLane lanes_[lanes_count];
    std::uint64_t session_ids_ = 0, appended_ = 0, rollbacks_ = 0;
    std::size_t records_ = 0;
    std::optional<std::size_t> poisoned_;
    std::uint64_t poisonings_ = 0, told_ = 0;
    bool spool_restored_ = false;
    std::string last_error_;
};

struct Happened {
    std::size_t records = 0;
    std::uint64_t poisonings = 0, rollbacks = 0, told = 0;
};

Happened run_seeds(Faults faults, std::uint32_t first_seed) {
    Happened all;
    for (std::uint32_t seed = first_seed; seed < first_seed + 5; ++seed) {
        INFO("seed " << seed);
        World world(seed, faults);
        for (int i = 0; i < 600; ++i)
            world.step();
        world.settle();
        world.check_all();
        all.records += world.records();
        all.poisonings += world.poisonings();
        all.told += world.told();
        all.rollbacks += world.rollbacks();
    }
    CHECK(all.records > 250);
    CHECK(all.poisonings > 0);
    return all;
}

}  // namespace

TEST_CASE("client, session and spool with one bus: every record is in its log exactly once") {
    CHECK(run_seeds({.buses = 1, .snapshots = false}, 100).rollbacks == 0);
}

TEST_CASE("client, session and spool with full spools: each loss is told by a marker, once") {
    const Happened all = run_seeds({.buses = 1, .snapshots = false, .spool_bytes = 5'000}, 400);
    CHECK(all.told > all.poisonings + 20);
}

TEST_CASE("client, session and spool with two buses: every record is in one of their logs") {
    CHECK(run_seeds({.buses = 2, .snapshots = false}, 200).rollbacks == 0);
}

TEST_CASE("client, session and spool with rolled back buses and spools: losses are told") {
    CHECK(run_seeds({.buses = 2, .snapshots = true}, 300).rollbacks > 0);
}

TEST_CASE("an agent that was offline for a week resumes where it stopped") {
    World world(1, {.buses = 1, .snapshots = false});
    world.be_offline_for_a_week();
    world.check_all();
    CHECK(world.records() == 15);
}
