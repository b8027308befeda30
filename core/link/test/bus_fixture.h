// A bus in a temporary folder for tests: log, trust map with one agent "edge-1", signing key, fake
// clock.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/test/temp_folder.h"
#include "core/crypto/hash.h"
#include "core/link/server_session.h"
#include "core/wire/builder.h"

namespace amoskys::link::test {

inline std::string payload(const std::string& device = "dev-1", std::size_t pad = 0) {
    messaging::DeviceTelemetry record;
    record.set_device_id(device);
    record.set_timestamp_ns(1'700'000'000'000'000'000);
    auto& event = *record.add_events();
    event.set_event_type("METRIC");
    event.mutable_metric_data()->set_metric_name("sysUpTime");
    event.mutable_metric_data()->set_numeric_value(5);
    if (pad > 0)
        event.mutable_log_data()->set_message(std::string(pad, 'x'));
    return record.SerializeAsString();
}

struct Bus {
    explicit Bus(const std::string& agent_options = "") : options(agent_options) {
        key =
            std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(Bytes(32, 7)));
        open();
        set_trust(options);
    }
    void open() {
        wal::Options log_options;
        log_options.clock = &clock;
        log_options.map_bytes = 64 << 20;
        log_options.segment_max_bytes = 32 << 20;
        auto opened = wal::Log::open(folder.path / "wal", log_options);
        REQUIRE(opened.has_value());
        log = std::move(*opened);
        state = std::make_unique<BusState>(clock, *log, ServerMetrics(registry), limits);
        REQUIRE(state->load().has_value());
        state->version = "test";
        state->log_key =
            std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(Bytes(32, 9)));
    }
    void reopen() {
        auto trust = state->trust;
        state.reset();
        log.reset();
        open();
        state->trust = trust;
    }
    void set_trust(const std::string& agent_options) {
        const auto yaml = "agents:\n  edge-1: {public_key_path: k" + agent_options + "}\n";
        auto parsed = crypto::TrustMap::parse(
            yaml, "trust.yaml", [this](const std::filesystem::path&) -> Result<PublicKey> {
                return key->public_key();
            });
        INFO((parsed ? std::string() : parsed.error().message));
        REQUIRE(parsed.has_value());
        state->trust = *parsed;
    }
    double counter(const std::string& name, const std::string& labels = "") const {
        for (const auto& sample : registry.samples())
            if (sample.name == name && sample.labels.find(labels) != std::string::npos)
                return sample.value;
        return 0;
    }
    std::uint64_t records() const { return log->stats().records; }

    TempFolder folder;
    FakeClock clock{1'700'000'100'000'000'000};
    metrics::Registry registry;
    ServerLimits limits;
    std::string options;
    std::shared_ptr<const crypto::SigningKey> key;
    std::unique_ptr<wal::Log> log;
    std::unique_ptr<BusState> state;
};

// Body of a frame without its length prefix.
inline std::string body_of(const wire::Frame& frame) {
    return wire::encode_frame(frame).substr(4);
}

inline std::vector<wire::Frame> frames_of(std::string bytes) {
    std::vector<wire::Frame> out;
    while (bytes.size() >= 4) {
        const auto size = load_be32(as_bytes(bytes).data());
        auto frame = wire::decode_frame(as_bytes(bytes).subspan(4, size));
        REQUIRE(frame.has_value());
        out.push_back(std::move(*frame));
        bytes.erase(0, 4 + size);
    }
    return out;
}

// A session and the client's side of it, by hand.
struct Peer {
    Peer(Bus& bus_, std::uint64_t id, const std::string& cn = "edge-1")
        : bus(bus_),
          session(
              std::make_unique<ServerSession>(*bus_.state, id, PeerFacts{cn, "192.0.2.1:4711"})) {}

    void hello(const std::string& agent = "edge-1", const std::string& lane = "snmp") {
        wire::Frame frame;
        frame.set_request_id(next_id++);
        frame.mutable_hello()->add_protocol_versions(1);
        frame.mutable_hello()->set_agent_id(agent);
        frame.mutable_hello()->set_lane(lane);
        send(frame);
    }
    void send(const wire::Frame& frame) {
        const auto body = body_of(frame);
        session->on_frame(as_bytes(body));
    }
    std::uint64_t publish(const std::string& envelope, bool legacy = false) {
        const auto id = next_id++;
        const auto bytes = wire::encode_publish_prefix(id, envelope.size(), legacy) + envelope;
        session->on_frame(as_bytes(bytes).subspan(4));
        return id;
    }
    // As publish(), by the way of an inspection where the session wants one; it waits in `waiting`.
    std::uint64_t publish_ahead(const std::string& envelope) {
        const auto id = next_id++;
        const auto bytes = wire::encode_publish_prefix(id, envelope.size()) + envelope;
        const auto body = as_bytes(bytes).subspan(4);
        waiting.push_back({session->prepare(body), to_string(body)});
        return id;
    }
    void take_waiting() {
        for (auto& [inspection, body] : waiting) {
            if (inspection) {
                inspection->verify();
                session->on_inspected(*inspection);
            } else {
                session->on_frame(as_bytes(body));
            }
        }
        waiting.clear();
    }
    // The log does what the session wants; false = there was nothing to write.
    bool commit(const Result<wal::Appended>& instead = wal::Appended{}) {
        session->flush();
        auto write = session->take_write();
        if (!write)
            return false;
        if (!instead) {
            session->on_committed(instead);
            return true;
        }
        wal::Group group;
        for (const auto& record : write->records)
            group.records.push_back({record.kind, record.flags, as_bytes(record.stored),
                                     record.digest, as_bytes(record.signature), record.source_hash,
                                     record.first_event_ns, record.last_event_ns,
                                     record.device_hashes, record.dedup_key});
        group.states = write->states;
        const auto done = bus.log->append(group);
        INFO((done ? std::string() : done.error().message));
        REQUIRE(done.has_value());
        session->on_committed(done);
        return true;
    }
    std::vector<wire::Frame> output() { return frames_of(session->take_output()); }
    wire::Frame last() {
        auto all = output();
        REQUIRE_FALSE(all.empty());
        return all.back();
    }
    // The ACK for a request, alone or in a range.
    amoskys::bus::Ack ack_of(std::uint64_t id) {
        for (const auto& frame : output()) {
            if (!frame.has_ack())
                continue;
            const auto& ack = frame.ack();
            if (frame.request_id() == id)
                return ack;
            if (frame.request_id() == 0 && ack.first_request_id() <= id &&
                id <= ack.last_request_id())
                return ack;
        }
        FAIL("no ACK for request " << id);
        return {};
    }

    Bus& bus;
    std::unique_ptr<ServerSession> session;
    std::uint64_t next_id = 1;
    std::vector<std::pair<std::shared_ptr<Inspection>, std::string>> waiting;
};

inline wire::EnvelopeBuilder builder(const Bus& bus, const std::string& lane = "snmp",
                                     wire::WriterState state = {{1000}, {0}, {}},
                                     const std::string& agent = "edge-1") {
    return {agent, lane, bus.key, std::move(state)};
}

inline std::string build(wire::EnvelopeBuilder& from, const std::string& body = payload(),
                         const std::string& idempotency_key = "") {
    wire::BuildRequest request;
    request.kind = wire::PayloadKind::device;
    request.payload = as_bytes(body);
    request.ts_ns = 1'700'000'000'000'000'000;
    request.idempotency_key = idempotency_key;
    auto built = from.build(request);
    REQUIRE(built.has_value());
    return *built;
}

}  // namespace amoskys::link::test
