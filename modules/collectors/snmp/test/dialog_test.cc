#include "modules/collectors/snmp/dialog.h"

#include <catch2/catch.hpp>
#include <set>

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

const Oid not_in_time{1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0};
const Oid unknown_engine{1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0};

std::shared_ptr<Credentials> v3_credentials() {
    auto out = std::make_shared<Credentials>();
    out->version = Version::v3;
    out->user.name = "ops";
    out->user.auth = Auth::sha256;
    out->user.priv = Priv::aes128;
    out->user.auth_key = Key(crypto::password_key(crypto::HashName::sha256, as_bytes("authpass1")));
    out->user.priv_key = Key(crypto::password_key(crypto::HashName::sha256, as_bytes("privpass1")));
    return out;
}

// The device's side: knows one user, has an engine id and a clock.
struct Device {
    User user;
    Engine engine;

    Device(const Credentials& credentials, std::string_view id, std::uint32_t boots)
        : user(credentials.user) {
        engine.id = to_bytes(as_bytes(id));
        engine.boots = boots;
        engine.time = 1000;
        localise(user, engine);
    }
    Bytes report(const V3Message& to, const Oid& counter, bool authenticated) const {
        V3Message out;
        out.id = to.id;
        out.engine_id = engine.id;
        out.boots = engine.boots;
        out.time = engine.time;
        out.authenticated = authenticated;
        out.user = authenticated ? user.name : "";
        out.pdu.type = PduType::report;
        out.pdu.varbinds = {{counter, {Type::counter32, std::uint64_t{1}}}};
        return write_v3(out, user, engine, 1);
    }
    Bytes answer(ByteView datagram) const {
        auto request = read_v3(datagram, &user, &engine);
        if (!request) {
            const auto header = read_v3_header(datagram);
            REQUIRE(header.has_value());
            V3Message to;
            to.id = header->id;
            return report(to, unknown_engine, false);
        }
        if (request->engine_id != engine.id)
            return report(*request, unknown_engine, false);
        if (request->boots != engine.boots || request->time + 150 < engine.time)
            return report(*request, not_in_time, true);
        request->pdu.type = PduType::response;
        request->pdu.varbinds[0].value = {Type::octets, std::string("box")};
        request->pdu.error_status = request->pdu.error_index = 0;
        request->time = engine.time;
        return write_v3(*request, user, engine, 2);
    }
};

Request get_name() {
    return {Operation::get, {{1, 3, 6, 1, 2, 1, 1, 5, 0}}, 0};
}

// Exchanges until an answer; the number of messages sent.
int exchange(Dialog& dialog, const Device& device, std::int64_t now_s, Response& out) {
    dialog.begin(get_name());
    for (int sent = 1; sent < 8; ++sent) {
        const auto outcome = dialog.receive(device.answer(dialog.octets(now_s)), now_s, out);
        if (outcome == Dialog::Outcome::answer)
            return sent;
        REQUIRE(outcome == Dialog::Outcome::again);
    }
    FAIL("no answer");
    return 0;
}

}  // namespace

TEST_CASE("a new device costs one exchange for its engine, and none later") {
    const auto credentials = v3_credentials();
    Device device(*credentials, "engine-1", 5);
    Dialog dialog(credentials);
    Response answer;
    CHECK(exchange(dialog, device, 0, answer) == 2);
    REQUIRE(answer.varbinds.size() == 1);
    CHECK(std::get<std::string>(answer.varbinds[0].value.data) == "box");
    CHECK(exchange(dialog, device, 60, answer) == 1);
    CHECK(dialog.engine_id() == device.engine.id);
}

TEST_CASE("a restart of the device, with more boots or with none stored, is followed") {
    const auto credentials = v3_credentials();
    Device device(*credentials, "engine-1", 5);
    Dialog dialog(credentials);
    Response answer;
    exchange(dialog, device, 0, answer);
    device.engine.boots = 6;
    device.engine.time = 3;
    CHECK(exchange(dialog, device, 60, answer) == 2);
    device.engine.boots = 1;
    CHECK(exchange(dialog, device, 120, answer) == 2);
    const Device exchanged(*credentials, "engine-2", 1);
    CHECK(exchange(dialog, exchanged, 180, answer) == 2);
    CHECK(dialog.engine_id() == exchanged.engine.id);
}

TEST_CASE("reports name what is wrong, each in its own words") {
    const auto credentials = v3_credentials();
    const Device device(*credentials, "engine-1", 5);
    std::set<std::string> reasons;
    for (const Oid& counter :
         {Oid{1, 3, 6, 1, 6, 3, 15, 1, 1, 1, 0}, Oid{1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0},
          Oid{1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0}, Oid{1, 3, 6, 1, 6, 3, 15, 1, 1, 6, 0},
          Oid{1, 3, 6, 1, 6, 3, 12, 1, 5, 0}, Oid{1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0},
          Oid{1, 3, 6, 1}}) {
        Dialog dialog(credentials);
        Response answer;
        dialog.begin(get_name());
        const Bytes sent = dialog.octets(0);
        V3Message to;
        to.id = read_v3_header(sent)->id;
        CHECK(dialog.receive(device.report(to, counter, false), 0, answer) ==
              Dialog::Outcome::refused);
        CHECK(reasons.insert(dialog.reason()).second);
    }
    CHECK(reasons.size() == 7);
}

TEST_CASE("what is not the answer to this request is ignored") {
    const auto credentials = v3_credentials();
    const Device device(*credentials, "engine-1", 5);
    Dialog dialog(credentials);
    Response answer;
    exchange(dialog, device, 0, answer);
    dialog.begin(get_name());
    const Bytes sent = dialog.octets(0);
    auto read = read_v3(sent, &device.user, &device.engine);
    REQUIRE(read.has_value());
    V3Message reply = *read;
    reply.pdu.type = PduType::response;
    SECTION("of another message") {
        ++reply.id;
    }
    SECTION("of another request") {
        ++reply.pdu.request_id;
    }
    SECTION("not encrypted") {
        reply.encrypted = false;
    }
    SECTION("not even authenticated") {
        reply.encrypted = reply.authenticated = false;
    }
    SECTION("no response") {
        reply.pdu.type = PduType::get;
    }
    CHECK(dialog.receive(write_v3(reply, device.user, device.engine, 9), 0, answer) ==
          Dialog::Outcome::ignored);
    CHECK(dialog.receive(as_bytes("0\x82\xff\xff rubbish"), 0, answer) == Dialog::Outcome::ignored);
    // An unauthenticated report cannot set the clock.
    CHECK(dialog.receive(device.report(*read, not_in_time, false), 0, answer) ==
          Dialog::Outcome::ignored);
}

TEST_CASE("a wrong community is known from a dead host by what version 3 discovers") {
    auto credentials = std::make_shared<Credentials>();
    credentials->community.value = "wrong";
    Dialog dialog(credentials);
    dialog.begin(get_name());
    const Bytes sent = dialog.octets(0);
    CHECK(read_community_message(sent)->community == "wrong");
    CHECK(dialog.silence().empty());
    const Bytes probe = dialog.probe(0);
    const Device device(*v3_credentials(), "engine-1", 5);
    Response answer;
    CHECK(dialog.receive(device.answer(probe), 0, answer) == Dialog::Outcome::ignored);
    CHECK(dialog.silence().find("wrong community") != std::string::npos);
}

TEST_CASE("wrong encryption is known from wrong authentication where no report comes") {
    const auto credentials = v3_credentials();
    const Device device(*credentials, "engine-1", 5);
    Dialog dialog(credentials);
    Response answer;
    exchange(dialog, device, 0, answer);
    dialog.begin(get_name());
    static_cast<void>(dialog.octets(0));
    const Bytes probe = dialog.probe(0);
    const auto read = read_v3(probe, &device.user, &device.engine);
    REQUIRE(read.has_value());
    CHECK(read->authenticated);
    CHECK_FALSE(read->encrypted);
    CHECK(dialog.silence().find("unknown user or wrong passwords") != std::string::npos);
    V3Message reply = *read;
    reply.pdu.type = PduType::response;
    CHECK(dialog.receive(write_v3(reply, device.user, device.engine, 9), 0, answer) ==
          Dialog::Outcome::ignored);
    CHECK(dialog.silence().find("wrong privacy password") != std::string::npos);
}
