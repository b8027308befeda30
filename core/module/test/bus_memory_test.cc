#include "core/module/bus_memory.h"

#include <catch2/catch.hpp>

#include "core/crypto/signing.h"
#include "core/module/test/memory_log.h"

using namespace amoskys;
using amoskys::module::BusMemory;
using amoskys::module::promise_of;
using amoskys::module::test::MemoryLog;

namespace {

BusMemory::Greeting greeting(const std::string& address, std::uint8_t seed, UnixNanos now_ns = 1) {
    const auto key = crypto::SigningKey::from_seed(Bytes(32, seed));
    return {.address = address,
            .origin = "amoskys/bus/00000000",
            .log_key = to_bytes(key.public_key()),
            .now_ns = now_ns};
}

amoskys::bus::Receipt receipt(std::uint64_t epoch, std::uint64_t sequence) {
    amoskys::bus::Receipt out;
    out.set_epoch(epoch);
    out.set_last_sequence(sequence);
    out.set_head_digest(std::string(32, 'd'));
    return out;
}

void write(BusMemory& memory, MemoryLog& log) {
    wal::Group group;
    group.states = memory.take_changes();
    REQUIRE(log.append(group).has_value());
}

}  // namespace

TEST_CASE("a bus is known again after a restart, with its pin and its last two receipts") {
    FakeClock clock(1);
    MemoryLog log(clock);
    BusMemory memory;
    auto bus = memory.meet(greeting("a:1", 1), {});
    REQUIRE(bus.has_value());
    for (std::uint64_t i = 1; i <= 3; ++i)
        BusMemory::keep(**bus, receipt(7, i));
    write(memory, log);
    wal::Group group;
    group.states = {BusMemory::state(**bus)};
    REQUIRE(log.append(group).has_value());

    BusMemory again;
    REQUIRE(again.load(log).has_value());
    REQUIRE(again.buses().size() == 1);
    const auto& known = again.buses().begin()->second;
    REQUIRE(known.receipts.size() == 2);
    CHECK(known.receipts[0].last_sequence() == 3);
    CHECK(promise_of(known)->sequence.value == 3);
    CHECK(again.meet(greeting("a:1", 1), {}).has_value());
    CHECK(again.meet(greeting("a:1", 2), {}).error().code == "bus_log_key");
}

TEST_CASE("the promise of a bus is the furthest of its receipts and what it acknowledged") {
    module::KnownBus bus;
    CHECK_FALSE(promise_of(bus).has_value());
    bus.epoch = {7};
    bus.sequence = {5};
    CHECK(promise_of(bus)->sequence.value == 5);
    BusMemory::keep(bus, receipt(7, 4));
    CHECK(promise_of(bus)->sequence.value == 5);
    CHECK(promise_of(bus)->digest.empty());
    BusMemory::keep(bus, receipt(8, 1));
    CHECK(promise_of(bus)->epoch.value == 8);
    CHECK(promise_of(bus)->digest.size() == 32);
}

TEST_CASE("two buses with copies of one log key are told apart by their addresses") {
    BusMemory memory;
    auto first = memory.meet(greeting("a:1", 1), {});
    REQUIRE(first.has_value());
    (*first)->epoch = {7};
    auto second = memory.meet(greeting("b:1", 1), {});
    REQUIRE(second.has_value());
    CHECK((*second)->epoch.value == 0);
}

TEST_CASE("a bus without a log key may get one, and may not lose it again") {
    BusMemory memory;
    BusMemory::Greeting none = greeting("a:1", 1);
    none.log_key.clear();
    REQUIRE(memory.meet(none, {}).has_value());
    REQUIRE(memory.meet(greeting("a:1", 1), {}).has_value());
    CHECK(memory.meet(none, {}).has_error());
}

TEST_CASE("of more than 32 buses the one not met for the longest is forgotten") {
    FakeClock clock(1);
    MemoryLog log(clock);
    BusMemory memory;
    for (std::uint64_t i = 0; i < 40; ++i) {
        REQUIRE(
            memory.meet(greeting("bus-" + std::to_string(i) + ":1", 1, 100 + i), {}).has_value());
        write(memory, log);
    }
    CHECK(memory.buses().size() == 32);
    BusMemory again;
    REQUIRE(again.load(log).has_value());
    CHECK(again.buses().size() == 32);
    CHECK_FALSE(std::ranges::any_of(
        again.buses(), [](const auto& entry) { return entry.second.address == "bus-7:1"; }));
}

TEST_CASE("a state that cannot be read is an error, not a bus that nobody knows") {
    FakeClock clock(1);
    MemoryLog log(clock);
    log.content.states["bus/x"] = "{\"address\": 5}";
    BusMemory memory;
    const auto loaded = memory.load(log);
    REQUIRE(loaded.has_error());
    CHECK(loaded.error().code == "spool_state");
}
