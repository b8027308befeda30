// What the tests of the spool share: a bus that takes only what continues its lane's chain, and a
// spool with its folder, clock and event loop.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "core/base/test/temp_folder.h"
#include "core/crypto/signing.h"
#include "core/module/spool.h"
#include "core/wire/envelope.h"
#include "core/wire/statement.h"

namespace amoskys::module::test {

// What a bus does with a lane: takes only what continues its chain.
struct Bus {
    explicit Bus(const std::string& name = "bus-a") {
        head.address = name + ":50051";
        head.log_key = to_bytes(log_key.public_key());
    }
    amoskys::bus::Receipt receipt() const {
        amoskys::bus::Receipt out;
        out.set_agent_id("edge-1");
        out.set_lane("test");
        out.set_epoch(head.epoch.value);
        out.set_last_sequence(head.sequence.value);
        out.set_head_digest(to_string(head.digest));
        out.set_time_ns(1'764'821'400'000'000'000ULL);
        wire::sign(out, log_key);
        return out;
    }

    crypto::SigningKey log_key = crypto::SigningKey::generate();
    link::Source::BusHead head;
    std::vector<std::string> taken;
    std::uint64_t gap_envelopes = 0;
    std::uint64_t gap_events = 0;
    std::string epoch_reason, gap_reason;

    bool offer(const std::string& envelope) {
        const auto cut = wire::cut_envelope(as_bytes(envelope));
        REQUIRE(cut.has_value());
        const bool new_epoch = cut->epoch > head.epoch;
        const bool gap = cut->payload_kind == wire::PayloadKind::gap;
        const std::uint64_t first = gap ? cut->gap.first.value : cut->sequence.value;
        if (first != (new_epoch ? 1 : head.sequence.value + 1) ||
            to_bytes(cut->prev_signature) != head.signature)
            return false;
        head.epoch = cut->epoch;
        head.sequence = cut->sequence;
        head.signature = to_bytes(gap ? cut->gap.last_signature : cut->signature);
        head.digest = to_bytes(wire::canonical_digest(*cut));
        if (new_epoch)
            epoch_reason = cut->epoch_reason;
        if (gap) {
            gap_reason = cut->gap.reason;
            gap_envelopes += cut->gap.envelopes;
            gap_events += cut->gap.events;
        } else {
            taken.push_back(envelope);
        }
        return true;
    }
};

struct Fixture {
    Fixture() { reopen(); }
    ~Fixture() { close(); }
    void reopen(std::uint64_t max_bytes = 1 << 30, WhenFull when_full = WhenFull::drop_oldest) {
        close();
        auto opened = Spool::open(io, {.folder = folder_of_spool,
                                       .agent_id = "edge-1",
                                       .lane = "test",
                                       .key = key,
                                       .max_bytes = max_bytes,
                                       .when_full = when_full,
                                       .clock = &clock,
                                       .sync_interval = sync_interval,
                                       .log_keys = log_keys});
        REQUIRE(opened.has_value());
        spool = std::move(*opened);
    }
    void close() {
        if (spool != nullptr)
            REQUIRE(spool->close());
        spool.reset();
    }
    void append(unsigned count, std::size_t bytes = 100) {
        for (unsigned i = 0; i < count; ++i) {
            append_only(bytes);
            settle();
        }
    }
    // Does not wait for the disk.
    void append_only(std::size_t bytes) {
        clock.advance(std::chrono::milliseconds(5));
        messaging::TelemetryBatch batch;
        messaging::DeviceTelemetry& record = *batch.add_telemetry_records();
        record.set_device_id("d" + std::to_string(appended++));
        messaging::TelemetryEvent& event = *record.add_events();
        event.set_event_type("METRIC");
        event.mutable_metric_data()->set_string_value(std::string(bytes, 'x'));
        REQUIRE(spool->append({.bytes = batch.SerializeAsString(), .events = 1}).has_value());
    }
    // Runs the commits' completions until all that was appended is on disk.
    void settle() {
        const auto wanted = appended_in_epoch();
        while (spool->position().last.value < wanted)
            io.run_one_for(std::chrono::seconds(5));
        io.poll();
    }
    std::uint64_t appended_in_epoch() const {
        return spool->position().acked.value + spool->stats().pending_envelopes;
    }
    // Sends all to the bus; `acked_every`: the bus's answers come that late.
    void send(Bus& bus) {
        auto at = spool->resume(bus.head);
        REQUIRE(at.has_value());
        SeqNo after = *at;
        for (;;) {
            auto item = spool->next(after);
            INFO((item.has_error() ? item.error().message : std::string()));
            REQUIRE(item.has_value());
            if (!*item)
                break;
            REQUIRE(bus.offer((*item)->envelope));
            after = (*item)->sequence;
        }
        spool->committed(after);
        io.poll();
    }

    TempFolder folder;
    std::filesystem::path folder_of_spool = folder.path / "spool";
    FakeClock clock{1'764'821'328'902'984'000ULL};
    io::asio::io_context io;
    io::asio::executor_work_guard<io::asio::io_context::executor_type> work{io.get_executor()};
    std::shared_ptr<const crypto::SigningKey> key =
        std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate());
    Duration sync_interval{};
    std::vector<PublicKey> log_keys;
    std::unique_ptr<Spool> spool;
    unsigned appended = 0;
};

inline std::set<std::string> devices(const Bus& bus) {
    std::set<std::string> out;
    for (const std::string& envelope : bus.taken) {
        messaging::UniversalEnvelope message;
        REQUIRE(message.ParseFromString(envelope));
        for (const auto& record : message.telemetry_batch().telemetry_records())
            CHECK(out.insert(record.device_id()).second);  // once only
    }
    return out;
}

}  // namespace amoskys::module::test
