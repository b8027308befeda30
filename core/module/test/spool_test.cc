#include "core/module/spool.h"

#include "core/base/file.h"
#include "core/module/quarantine.h"
#include "core/module/test/spool_fixture.h"
#include "core/wire/envelope.h"
#include "core/wire/statement.h"

using namespace amoskys;
using amoskys::module::Spool;
using amoskys::module::SpoolOptions;
using amoskys::module::WhenFull;
using amoskys::module::test::Bus;
using amoskys::module::test::devices;
using amoskys::module::test::Fixture;

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
    Bus first("bus-a");
    Bus second("bus-b");
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
    SECTION("after a restart, when the spool does not know that three were sent") {
        f.reopen(60'000);
    }
    SECTION("after the end of the session in which they were sent") {
        f.spool->session_ended();
    }
    f.append(100, 1000);
    CHECK(f.spool->stats().pending_bytes <= 60'000);
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
    const auto kept = module::quarantined(f.folder.path / "spool");
    REQUIRE(kept.has_value());
    REQUIRE(kept->size() == 1);
    const Json& content = kept->front().content;
    CHECK(content["schema"] == "amoskys.quarantined/1");
    CHECK(content["sequence"] == 2);
    CHECK(content["reason"] == "payload malformed");
    Bytes envelope;
    REQUIRE(from_base64(content["envelope"].get<std::string>(), envelope));
    const auto cut = wire::cut_envelope(envelope);
    REQUIRE(cut.has_value());
    CHECK(cut->sequence.value == 2);
}

TEST_CASE("a gap marker that the bus refuses ends the session, it is not replaced") {
    Fixture f;
    Bus bus;
    f.append(2);
    REQUIRE(f.spool->resume(bus.head).has_value());
    REQUIRE(f.spool->reject({1}, "bad"));
    const auto again = f.spool->reject({1}, "bad");
    REQUIRE(again.has_error());
    CHECK(again.error().code == "gap_refused");
}

TEST_CASE("the quarantine keeps the last hundred") {
    Fixture f;
    for (std::uint64_t i = 1; i <= module::quarantined_max + 5; ++i)
        REQUIRE(module::quarantine(f.folder.path, {.lane = {"edge-1", "test"},
                                                   .epoch = {1},
                                                   .sequence = {i},
                                                   .time_ns = 1,
                                                   .reason = "r",
                                                   .events = 1,
                                                   .envelope = "e"}));
    const auto kept = module::quarantined(f.folder.path);
    REQUIRE(kept.has_value());
    CHECK(kept->size() == module::quarantined_max);
    CHECK(kept->front().content["sequence"] == 6);
}

TEST_CASE("a new epoch carries the losses of the old one along") {
    Fixture f;
    f.reopen(40'000);
    Bus first("bus-a");
    Bus second("bus-b");
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

TEST_CASE("the first envelope of an epoch says why it began, in its signed bytes") {
    Fixture f;
    Bus first("bus-a");
    Bus second("bus-b");
    f.append(2);
    f.send(first);
    CHECK(first.epoch_reason == "new spool");
    f.append(1);
    f.send(second);
    CHECK(second.epoch_reason == "this bus never saw the lane");
    f.append(1);
    f.send(first);
    CHECK(first.epoch_reason == "the bus has another epoch of the lane");
}

TEST_CASE("a bus that shows less than its receipt was rolled back: said, marked and sent again") {
    Fixture f;
    Bus bus;
    f.append(4);
    f.send(bus);
    const Bus before = [&] {
        Bus copy("bus-a");
        copy.log_key = crypto::SigningKey::from_seed(Bytes(32, 3));
        copy.head = bus.head;
        return copy;
    }();
    f.spool->keep(bus.receipt());
    f.append(3);
    f.send(bus);
    f.spool->keep(bus.receipt());
    CHECK(f.spool->stats().kept_bytes > 0);
    const Epoch old = bus.head.epoch;
    SECTION("to a state whose successors are still kept") {
        bus.head = before.head;
        bus.taken.resize(4);
        f.reopen();
        f.send(bus);
        CHECK(bus.taken.size() == 7);
        CHECK(bus.gap_envelopes == 0);
        CHECK(devices(bus).size() == 7);
    }
    SECTION("to nothing: what is not kept any more is told by a gap marker") {
        bus.head.epoch = {};
        bus.head.sequence = {};
        bus.head.signature.clear();
        bus.head.digest.clear();
        bus.taken.clear();
        f.send(bus);
        CHECK(bus.taken.size() == 3);
        CHECK(bus.gap_envelopes == 4);
        CHECK(bus.gap_reason.starts_with("lost by the bus"));
    }
    CHECK(bus.head.epoch > old);
    CHECK(bus.epoch_reason.starts_with("the bus was rolled back"));
    CHECK(f.spool->stats().rollbacks == 1);
    f.append(1);
    f.send(bus);
    CHECK(f.spool->stats().pending_envelopes == 0);
}

TEST_CASE(
    "receipts and what a bus has acknowledged outlive a restart, and the visit to another bus") {
    Fixture f;
    Bus first("bus-a");
    Bus second("bus-b");
    f.append(3);
    f.send(first);
    f.spool->keep(first.receipt());
    f.append(2);
    f.send(second);
    f.reopen();
    first.head.epoch = {};
    first.head.sequence = {};
    first.head.signature.clear();
    f.append(1);
    f.send(first);
    CHECK(f.spool->stats().rollbacks == 1);
    CHECK(first.gap_envelopes == 3);
}

TEST_CASE("a bus that shows another log key is refused, unless the new key was named") {
    Fixture f;
    Bus bus;
    f.append(1);
    f.send(bus);
    bus.log_key = crypto::SigningKey::generate();
    bus.head.log_key = to_bytes(bus.log_key.public_key());
    f.reopen();
    const auto refused = f.spool->resume(bus.head);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == "bus_log_key");
    CHECK(refused.error().message.find(bus.log_key.id()) != std::string::npos);
    f.log_keys = {crypto::SigningKey::generate().public_key()};
    f.reopen();
    CHECK(f.spool->resume(bus.head).has_error());
    f.log_keys = {bus.log_key.public_key()};
    f.reopen();
    CHECK(f.spool->resume(bus.head).has_value());
    f.log_keys = {};
    f.reopen();
    CHECK(f.spool->resume(bus.head).has_value());
}

TEST_CASE("the signed head names the last envelope on disk, or the marker in its place") {
    Fixture f;
    Bus bus;
    const auto check_head = [&] {
        const auto head = f.spool->signed_head(std::chrono::seconds(30));
        REQUIRE(head.has_value());
        CHECK(wire::signature_fits(*head, f.key->public_key()));
        CHECK(head->interval_ms() == 30'000);
        f.send(bus);
        CHECK(head->last_sequence() == bus.head.sequence.value);
        CHECK(to_bytes(as_bytes(head->head_digest())) == bus.head.digest);
    };
    CHECK(f.spool->signed_head({})->last_sequence() == 0);
    f.append(3);
    check_head();
    f.append(1);
    f.reopen();
    check_head();
    f.append(1);
    REQUIRE(f.spool->resume(bus.head).has_value());
    REQUIRE(f.spool->reject({5}, "bad"));
    f.reopen();
    check_head();
}

TEST_CASE("envelopes that come within the sync interval share a commit") {
    Fixture f;
    f.sync_interval = std::chrono::milliseconds(100);
    f.reopen();
    messaging::DeviceTelemetry record;
    record.set_device_id("d");
    const auto append = [&] {
        REQUIRE(f.spool
                    ->append({.kind = wire::PayloadKind::device,
                              .bytes = record.SerializeAsString(),
                              .events = 1})
                    .has_value());
    };
    for (int i = 0; i < 50; ++i)
        append();
    CHECK(f.spool->position().last.value == 0);
    f.settle();
    while (f.spool->position().last.value < 50)
        f.io.run_one_for(std::chrono::seconds(5));
    CHECK(f.spool->stats().commits == 1);
    append();
    f.close();  // what no commit has returned for is written at the end
    f.reopen();
    CHECK(f.spool->stats().pending_envelopes == 51);
}

TEST_CASE("a spool whose disk is full keeps what was signed, says so, and claims nothing") {
    Fixture f;
    f.close();
    auto opened = Spool::open(f.io, {.folder = f.folder.path / "full",
                                     .agent_id = "edge-1",
                                     .lane = "test",
                                     .key = f.key,
                                     .min_free_bytes = 1ULL << 60,
                                     .clock = &f.clock});
    REQUIRE(opened.has_value());
    messaging::DeviceTelemetry record;
    record.set_device_id("d");
    REQUIRE((*opened)
                ->append({.kind = wire::PayloadKind::device,
                          .bytes = record.SerializeAsString(),
                          .events = 1})
                .has_value());
    while ((*opened)->stats().trouble.empty())
        f.io.run_one_for(std::chrono::seconds(5));
    CHECK((*opened)->position().last.value == 0);
    const auto closed = (*opened)->close();
    REQUIRE(closed.has_error());
    CHECK(closed.error().code == "spool_disk_full");
}

TEST_CASE("an epoch of many envelopes is signed again in bounded steps") {
    Fixture f;
    Bus first("bus-a");
    Bus second("bus-b");
    f.append(1);
    f.send(first);
    f.append(200, 100'000);
    f.send(second);
    CHECK(second.taken.size() == 200);
    CHECK(devices(second).size() == 200);
}

TEST_CASE("a spool that drops for a long time stays within its limit and two segments on disk") {
    Fixture f;
    f.reopen(4 << 20);
    f.append(700, 100'000);  // 70 MB
    f.close();               // what was ordered to be pruned is
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(f.folder.path / "spool"))
        bytes += entry.is_regular_file() ? entry.file_size() : 0;
    CHECK(bytes < (4U << 20) + 2 * (17U << 20) + (2U << 20));
    f.reopen(4 << 20);
    Bus bus;
    f.send(bus);
    CHECK(bus.taken.size() + bus.gap_envelopes == 700);
}
