#include "modules/collectors/snmp/usm.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

const Bytes rfc_engine{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

User user(Auth auth, Priv priv) {
    User out;
    out.name = "ops";
    out.auth = auth;
    out.priv = priv;
    if (auth != Auth::none)
        out.auth_key = Key(crypto::password_key(hash_of(auth), as_bytes("maplesyrup")));
    if (priv != Priv::none)
        out.priv_key = Key(crypto::password_key(hash_of(auth), as_bytes("privpassword")));
    return out;
}

V3Message message(const User& who) {
    V3Message out;
    out.id = 4711;
    out.authenticated = who.auth != Auth::none;
    out.encrypted = who.priv != Priv::none;
    out.reportable = true;
    out.engine_id = out.context_engine_id = rfc_engine;
    out.boots = 3;
    out.time = 70'000;
    out.user = who.name;
    out.context = "vlan-7";
    out.pdu.request_id = 12;
    out.pdu.varbinds = {{Oid{1, 3, 6, 1, 2, 1, 1, 5, 0}, {}}};
    return out;
}

}  // namespace

TEST_CASE("keys of passwords are those of RFC 3414 section A.3") {
    const auto md5 = crypto::password_key(crypto::HashName::md5, as_bytes("maplesyrup"));
    CHECK(to_hex(md5) == "9faf3283884e92834ebc9847d8edd963");
    CHECK(to_hex(localised(crypto::HashName::md5, Key(md5), rfc_engine).bytes) ==
          "526f5eed9fcce26f8964c2930787d82b");
    const auto sha = crypto::password_key(crypto::HashName::sha1, as_bytes("maplesyrup"));
    CHECK(to_hex(sha) == "9fb5cc0381497b3793528939ff788d5d79145211");
    CHECK(to_hex(localised(crypto::HashName::sha1, Key(sha), rfc_engine).bytes) ==
          "6695febc9288e36282235fc7151f128497b38f3f");
}

TEST_CASE("Cisco's longer keys are those of draft-reeder-snmpv3-usm-3desede, section 2.1") {
    // Its example extends the localised SHA key of A.3 with the key of that key as password.
    User who = user(Auth::sha1, Priv::aes256c);
    who.priv_key = who.auth_key;
    const Bytes key = privacy_key(who, rfc_engine).bytes;
    CHECK(to_hex(key) == "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9c");
}

TEST_CASE("messages of every level and protocol come back as they were") {
    for (const Auth auth : {Auth::none, Auth::md5, Auth::sha1, Auth::sha224, Auth::sha256,
                            Auth::sha384, Auth::sha512})
        for (const Priv priv : {Priv::none, Priv::des, Priv::aes128, Priv::aes192, Priv::aes192c,
                                Priv::aes256, Priv::aes256c}) {
            if (auth == Auth::none && priv != Priv::none)
                continue;
            INFO(auth_name(auth) << " " << priv_name(priv));
            const User who = user(auth, priv);
            Engine engine;
            engine.id = rfc_engine;
            localise(who, engine);
            const Bytes octets = write_v3(message(who), who, engine, 99);
            const auto back = read_v3(octets, &who, &engine);
            REQUIRE(back.has_value());
            CHECK(back->id == 4711);
            CHECK(back->boots == 3);
            CHECK(back->time == 70'000);
            CHECK(back->user == "ops");
            CHECK(back->context == "vlan-7");
            CHECK(back->pdu.request_id == 12);
            REQUIRE(back->pdu.varbinds.size() == 1);
            CHECK(back->pdu.varbinds[0].oid == Oid{1, 3, 6, 1, 2, 1, 1, 5, 0});
        }
}

TEST_CASE("no octet of an authenticated message can be changed unseen") {
    const User who = user(Auth::sha256, Priv::aes128);
    Engine engine;
    engine.id = rfc_engine;
    localise(who, engine);
    const Bytes octets = write_v3(message(who), who, engine, 7);
    for (std::size_t at = 0; at < octets.size(); ++at) {
        INFO(at);
        Bytes changed = octets;
        changed[at] ^= 1U;
        const auto back = read_v3(changed, &who, &engine);
        // What turns authentication off is a plain message, and is seen as one.
        CHECK((!back.has_value() || !back->authenticated));
    }
}

TEST_CASE("wrong keys are told apart: digest, then content") {
    const User who = user(Auth::sha1, Priv::aes128);
    Engine engine;
    engine.id = rfc_engine;
    localise(who, engine);
    const Bytes octets = write_v3(message(who), who, engine, 7);
    User other = who;
    other.auth_key = Key(crypto::password_key(crypto::HashName::sha1, as_bytes("another1")));
    Engine wrong = engine;
    localise(other, wrong);
    CHECK(read_v3(octets, &other, &wrong).error() == V3Fault::wrong_digest);
    other = who;
    other.priv_key = Key(crypto::password_key(crypto::HashName::sha1, as_bytes("another1")));
    localise(other, wrong);
    CHECK(read_v3(octets, &other, &wrong).error() == V3Fault::undecipherable);
    CHECK(read_v3(octets, nullptr, nullptr).error() == V3Fault::wrong_digest);
}

TEST_CASE("names of protocols are read as people write them") {
    CHECK(parse_auth("SHA-256") == Auth::sha256);
    CHECK(parse_auth("sha1") == Auth::sha1);
    CHECK(parse_priv("AES128") == Priv::aes128);
    CHECK(parse_priv("AES-256C") == Priv::aes256c);
    CHECK_FALSE(parse_auth("sha257").has_value());
    CHECK_FALSE(parse_priv("rot13").has_value());
}
