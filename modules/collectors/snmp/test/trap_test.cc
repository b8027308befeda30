#include "modules/collectors/snmp/trap.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

const Oid uptime{1, 3, 6, 1, 2, 1, 1, 3, 0};
const Oid name{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
const Oid link_down{1, 3, 6, 1, 6, 3, 1, 1, 5, 3};

std::shared_ptr<const Credentials> credentials() {
    auto out = std::make_shared<Credentials>();
    out->community.value = "public";
    out->user.name = "ops";
    out->user.auth = Auth::sha1;
    out->user.priv = Priv::aes128;
    out->user.auth_key = Key(crypto::password_key(crypto::HashName::sha1, as_bytes("authpass1")));
    out->user.priv_key = Key(crypto::password_key(crypto::HashName::sha1, as_bytes("privpass1")));
    return out;
}

Pdu trap_pdu(PduType type) {
    Pdu out;
    out.type = type;
    out.request_id = 77;
    out.varbinds = {{uptime, {Type::time_ticks, std::uint64_t{4200}}},
                    {name, {Type::oid, link_down}},
                    {Oid{1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 7}, {Type::integer, std::int64_t{7}}},
                    {Oid{1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 7}, {Type::octets, std::string("\x1b[2J")}}};
    return out;
}

Bytes v2c(const Pdu& pdu, const std::string& community = "public") {
    return write_community_message({Version::v2c, community, pdu});
}

}  // namespace

TEST_CASE("a trap becomes a log line and an alarm, without control characters") {
    TrapDecoder decoder(credentials(), "host", 1'700'000'000);
    const auto got = decoder.take(v2c(trap_pdu(PduType::trap)), 1'700'000'000);
    REQUIRE(got.notification);
    CHECK(got.reply.empty());
    CHECK(got.notification->uptime_ticks == 4200);
    const auto record = trap_record(*got.notification, "core1", "192.0.2.7", 5);
    REQUIRE(record.events_size() == 2);
    const auto& log = record.events(0).log_data();
    CHECK(log.message() == "linkDown");
    CHECK(log.fields().at("snmpTrapOID") == "1.3.6.1.6.3.1.1.5.3");
    CHECK(log.fields().at("1.3.6.1.2.1.2.2.1.1.7") == "7");
    CHECK(log.fields().at("1.3.6.1.2.1.2.2.1.2.7") == "1b5b324a");
    const auto& alarm = record.events(1).alarm_data();
    CHECK(alarm.alarm_id() == "core1/link_down/7");
    CHECK(alarm.state() == "ACTIVE");
}

TEST_CASE("an inform is answered with its own request id") {
    TrapDecoder decoder(credentials(), "host", 1'700'000'000);
    const auto got = decoder.take(v2c(trap_pdu(PduType::inform)), 1'700'000'000);
    REQUIRE(got.notification);
    CHECK(got.notification->inform);
    const auto reply = read_community_message(got.reply);
    REQUIRE(reply.has_value());
    CHECK(reply->pdu.type == PduType::response);
    CHECK(reply->pdu.request_id == 77);
    CHECK(reply->pdu.varbinds.size() == 4);
}

TEST_CASE("a version 1 trap has the name that RFC 3584 gives it") {
    TrapDecoder decoder(credentials(), "host", 1'700'000'000);
    Pdu pdu;
    pdu.type = PduType::trap_v1;
    pdu.enterprise = {1, 3, 6, 1, 4, 1, 9};
    pdu.agent_address = std::string("\x0a\x00\x00\x01", 4);
    pdu.generic_trap = 6;
    pdu.specific_trap = 42;
    const auto bytes = [&] { return write_community_message({Version::v1, "public", pdu}); };
    CHECK(decoder.take(bytes(), 0).notification->oid == Oid{1, 3, 6, 1, 4, 1, 9, 0, 42});
    pdu.generic_trap = 2;
    CHECK(decoder.take(bytes(), 0).notification->oid == link_down);
}

TEST_CASE("what is not a trap of this community or user is dropped, with the reason") {
    TrapDecoder decoder(credentials(), "host", 1'700'000'000);
    CHECK(decoder.take(v2c(trap_pdu(PduType::trap), "other"), 0).drop == TrapDrop::wrong_community);
    CHECK(decoder.take(v2c(trap_pdu(PduType::get)), 0).drop == TrapDrop::not_a_trap);
    Pdu bare = trap_pdu(PduType::trap);
    bare.varbinds.resize(1);
    CHECK(decoder.take(v2c(bare), 0).drop == TrapDrop::malformed);
    CHECK(decoder.take(as_bytes("rubbish"), 0).drop == TrapDrop::malformed);
    V3Message plain;
    plain.engine_id = {1, 2, 3, 4, 5};
    plain.user = "ops";
    plain.pdu = trap_pdu(PduType::trap);
    CHECK(decoder.take(write_v3(plain, {}, {}, 0), 0).drop == TrapDrop::not_authentic);
    plain.user = "other";
    CHECK(decoder.take(write_v3(plain, {}, {}, 0), 0).drop == TrapDrop::not_authentic);
}

TEST_CASE("a version 3 trap is authentic by its sender's engine") {
    const auto ours = credentials();
    TrapDecoder decoder(ours, "host", 1'700'000'000);
    Engine sender;
    sender.id = {0x80, 0, 0, 9, 1};
    localise(ours->user, sender);
    V3Message message;
    message.authenticated = message.encrypted = true;
    message.engine_id = message.context_engine_id = sender.id;
    message.user = "ops";
    message.pdu = trap_pdu(PduType::trap);
    const auto got = decoder.take(write_v3(message, ours->user, sender, 1), 1'700'000'000);
    REQUIRE(got.notification);
    CHECK(got.notification->version == Version::v3);
}

TEST_CASE("a recorded version 3 trap is not taken again once its sender's clock has gone on") {
    const auto ours = credentials();
    TrapDecoder decoder(ours, "host", 1'700'000'000);
    Engine sender;
    sender.id = {0x80, 0, 0, 9, 1};
    localise(ours->user, sender);
    const auto trap = [&](std::uint32_t boots, std::uint32_t time) {
        V3Message message;
        message.authenticated = message.encrypted = true;
        message.engine_id = message.context_engine_id = sender.id;
        message.boots = boots;
        message.time = time;
        message.user = "ops";
        message.pdu = trap_pdu(PduType::trap);
        return write_v3(message, ours->user, sender, 1);
    };
    const std::int64_t now = 1'700'000'000;
    CHECK(decoder.take(trap(3, 1000), now).notification);
    CHECK(decoder.take(trap(3, 900), now).notification);  // overtaken on the way
    CHECK(decoder.take(trap(3, 849), now).drop == TrapDrop::not_in_time);
    CHECK(decoder.take(trap(3, 1000), now + 151).drop == TrapDrop::not_in_time);
    CHECK(decoder.take(trap(4, 5), now + 200).notification);  // it has started again
    CHECK(decoder.take(trap(3, 2000), now + 200).drop == TrapDrop::not_in_time);
    CHECK(decoder.take(trap(0x7fffffff, 1), now + 200).drop == TrapDrop::not_in_time);
}

TEST_CASE("a version 3 inform finds our engine, its clock, and is answered") {
    const auto ours = credentials();
    constexpr std::int64_t now = 1'700'000'050;
    TrapDecoder decoder(ours, "host", 1'700'000'000);
    V3Message message;
    message.id = 9;
    message.reportable = true;
    message.pdu = trap_pdu(PduType::inform);
    const auto discovery = decoder.take(write_v3(message, ours->user, {}, 0), now);
    CHECK(discovery.drop == TrapDrop::none);
    CHECK_FALSE(discovery.notification);
    const auto header = read_v3_header(discovery.reply);
    REQUIRE(header);
    CHECK(header->id == 9);
    CHECK(header->engine_id == decoder.own_engine().id);
    CHECK(header->time == 50);
    Engine engine;
    engine.id = header->engine_id;
    localise(ours->user, engine);
    message.authenticated = message.encrypted = true;
    message.engine_id = engine.id;
    message.user = "ops";
    const auto late = decoder.take(write_v3(message, ours->user, engine, 1), now);
    CHECK_FALSE(late.notification);
    CHECK(read_v3(late.reply, &ours->user, &engine)->pdu.type == PduType::report);
    message.boots = header->boots;
    message.time = header->time;
    const auto got = decoder.take(write_v3(message, ours->user, engine, 2), now);
    REQUIRE(got.notification);
    const auto reply = read_v3(got.reply, &ours->user, &engine);
    REQUIRE(reply.has_value());
    CHECK(reply->pdu.type == PduType::response);
    CHECK(reply->pdu.request_id == 77);
}

TEST_CASE("a source has its rate, and costs the others nothing") {
    SourceLimit limit(10);
    int taken = 0;
    for (int i = 0; i < 100; ++i)
        taken += limit.allow("loud", 0) ? 1 : 0;
    CHECK(taken == 20);
    CHECK(limit.allow("quiet", 0));
    CHECK_FALSE(limit.allow("loud", 0.05));
    CHECK(limit.allow("loud", 0.2));
}
