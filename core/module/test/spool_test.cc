#include "core/module/spool.h"

#include <stdlib.h>

#include <boost/asio/executor_work_guard.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "core/base/file.h"
#include "core/crypto/signing.h"
#include "core/wire/envelope.h"

using namespace amoskys;
using amoskys::module::Spool;
using amoskys::module::SpoolOptions;
using amoskys::module::WhenFull;

namespace {

struct Folder {
    Folder() {
        char name[] = "/tmp/amoskys-spool-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    fs::path path;
};

// What a bus does with a lane: takes only what continues its chain.
struct Bus {
    link::Source::BusHead head;
    std::vector<std::string> taken;
    std::uint64_t gap_envelopes = 0;
    std::uint64_t gap_events = 0;

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
        if (gap) {
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
        auto opened = Spool::open(io, {.folder = folder.path / "spool",
                                       .agent_id = "edge-1",
                                       .lane = "test",
                                       .key = key,
                                       .max_bytes = max_bytes,
                                       .when_full = when_full,
                                       .clock = &clock});
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
            clock.advance(std::chrono::milliseconds(5));
            messaging::TelemetryBatch batch;
            messaging::DeviceTelemetry& record = *batch.add_telemetry_records();
            record.set_device_id("d" + std::to_string(appended++));
            messaging::TelemetryEvent& event = *record.add_events();
            event.set_event_type("METRIC");
            event.mutable_metric_data()->set_string_value(std::string(bytes, 'x'));
            REQUIRE(spool->append({.bytes = batch.SerializeAsString(), .events = 1}).has_value());
            settle();
        }
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

    Folder folder;
    FakeClock clock{1'764'821'328'902'984'000ULL};
    io::asio::io_context io;
    io::asio::executor_work_guard<io::asio::io_context::executor_type> work{io.get_executor()};
    std::shared_ptr<const crypto::SigningKey> key =
        std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate());
    std::unique_ptr<Spool> spool;
    unsigned appended = 0;
};

std::set<std::string> devices(const Bus& bus) {
    std::set<std::string> out;
    for (const std::string& envelope : bus.taken) {
        messaging::UniversalEnvelope message;
        REQUIRE(message.ParseFromString(envelope));
        for (const auto& record : message.telemetry_batch().telemetry_records())
            CHECK(out.insert(record.device_id()).second);  // once only
    }
    return out;
}

}  // namespace

TEST_CASE("a spool delivers in order, resumes after a restart and forgets what the bus has") {
    Fixture f;
    Bus bus;
    f.append(5);
    f.send(bus);
    CHECK(bus.taken.size() == 5);
    f.append(3);
    f.reopen();
    CHECK(f.spool->stats().pending_envelopes == 3);
    f.send(bus);
    CHECK(devices(bus).size() == 8);
    CHECK(f.spool->stats().pending_envelopes == 0);
    CHECK(f.spool->stats().pending_bytes == 0);
}

TEST_CASE("what the bus committed without an answer arriving is not sent twice") {
    Fixture f;
    Bus bus;
    f.append(4);
    REQUIRE(f.spool->resume(bus.head).has_value());
    for (std::uint64_t after : {0, 1}) {
        auto item = f.spool->next({after});
        REQUIRE(item.has_value());
        REQUIRE(item->has_value());
        REQUIRE(bus.offer((*item)->envelope));
    }
    f.reopen();  // no ack was seen
    f.send(bus);
    CHECK(bus.taken.size() == 4);
    CHECK(devices(bus).size() == 4);
}

TEST_CASE("another bus gets the pending envelopes in a new epoch from its own head") {
    Fixture f;
    Bus first;
    Bus second;
    f.append(3);
    f.send(first);
    f.append(2);
    f.send(second);  // never saw the lane, and the spool begins at 4
    CHECK(second.taken.size() == 2);
    CHECK(second.head.epoch > first.head.epoch);
    f.append(2);
    f.send(first);  // back again, linked to its head
    CHECK(devices(first).size() == 5);
    CHECK(devices(second).size() == 2);
}

TEST_CASE("a spool that was restored from a snapshot starts a new epoch") {
    Fixture f;
    Bus bus;
    f.append(2);
    f.send(bus);
    f.close();
    const fs::path copy = f.folder.path / "copy";
    fs::copy(f.folder.path / "spool", copy, fs::copy_options::recursive);
    f.reopen();
    f.append(3);
    f.send(bus);
    f.close();
    fs::remove_all(f.folder.path / "spool");
    fs::rename(copy, f.folder.path / "spool");
    f.reopen();
    const Epoch old = bus.head.epoch;
    f.append(1);
    f.send(bus);
    CHECK(bus.head.epoch > old);
    CHECK(bus.taken.size() == 6);
}

TEST_CASE("a full spool replaces its oldest envelopes by one signed gap marker with their count") {
    Fixture f;
    f.reopen(40'000);
    Bus bus;
    f.append(100, 1000);
    const auto stats = f.spool->stats();
    CHECK(stats.pending_bytes <= 40'000);
    CHECK(stats.dropped_envelopes > 50);
    f.reopen(40'000);
    f.send(bus);
    CHECK(bus.gap_envelopes == stats.dropped_envelopes);
    CHECK(bus.gap_events == stats.dropped_events);
    CHECK(bus.taken.size() + bus.gap_envelopes == 100);
    f.append(1);
    f.send(bus);
    CHECK(bus.taken.size() + bus.gap_envelopes == 101);
}

TEST_CASE("a gap is cut where the bus turns out to have its beginning") {
    Fixture f;
    f.reopen(60'000);
    Bus bus;
    f.append(10, 1000);
    REQUIRE(f.spool->resume(bus.head).has_value());
    for (std::uint64_t after : {0, 1, 2}) {
        auto item = f.spool->next({after});
        REQUIRE(item.has_value());
        REQUIRE(bus.offer((*item)->envelope));
    }
    f.reopen(60'000);  // the spool does not know that three were sent
    f.append(100, 1000);
    f.send(bus);
    CHECK(bus.taken.size() + bus.gap_envelopes == 110);
}

TEST_CASE("an envelope that the bus refuses for good becomes a gap and the lane moves on") {
    Fixture f;
    Bus bus;
    f.append(3);
    REQUIRE(f.spool->resume(bus.head).has_value());
    auto item = f.spool->next({0});
    REQUIRE(bus.offer((*item)->envelope));
    REQUIRE(f.spool->reject({2}, "payload malformed"));
    f.send(bus);
    CHECK(bus.taken.size() == 2);
    CHECK(bus.gap_envelopes == 1);
    CHECK(bus.gap_events == 1);
}

TEST_CASE("a new epoch carries the losses of the old one along") {
    Fixture f;
    f.reopen(40'000);
    Bus first;
    Bus second;
    f.append(2);
    f.send(first);
    f.append(100, 1000);
    f.send(second);
    CHECK(second.gap_envelopes > 0);
    CHECK(second.taken.size() + second.gap_envelopes == 100);
    f.append(2);
    f.send(second);
    CHECK(second.taken.size() + second.gap_envelopes == 102);
}
