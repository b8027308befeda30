#include "core/wire/statement.h"

#include <catch2/catch.hpp>

using namespace amoskys;

namespace {

amoskys::bus::Head head() {
    amoskys::bus::Head out;
    out.set_agent_id("edge-1");
    out.set_lane("snmp");
    out.set_epoch(7);
    out.set_last_sequence(12);
    out.set_time_ns(1'764'821'400'000'000'000ULL);
    return out;
}

}  // namespace

TEST_CASE("a statement's signature covers every field and holds for its own key and tag only") {
    const auto key = crypto::SigningKey::from_seed(Bytes(32, 5));
    auto signed_head = head();
    wire::sign(signed_head, key);
    CHECK(signed_head.sig().size() == 64);
    CHECK(wire::signature_fits(signed_head, key.public_key()));
    CHECK_FALSE(wire::signature_fits(signed_head, crypto::SigningKey::generate().public_key()));
    auto changed = signed_head;
    changed.set_interval_ms(1);
    CHECK_FALSE(wire::signature_fits(changed, key.public_key()));
    changed = signed_head;
    changed.clear_sig();
    CHECK_FALSE(wire::signature_fits(changed, key.public_key()));

    amoskys::bus::Receipt receipt;
    receipt.set_agent_id("edge-1");
    receipt.set_sig(signed_head.sig());
    CHECK_FALSE(wire::signature_fits(receipt, key.public_key()));
    wire::sign(receipt, key);
    CHECK(wire::signature_fits(receipt, key.public_key()));
}

TEST_CASE(
    "a statement is signed over the bytes before its sig field, as other languages write them") {
    const auto key = crypto::SigningKey::from_seed(Bytes(32, 5));
    auto signed_head = head();
    wire::sign(signed_head, key);
    const std::string whole = signed_head.SerializeAsString();
    REQUIRE(whole.size() > 66);
    CHECK(whole.substr(whole.size() - 66, 2) == "\x7a\x40");  // field 15, 64 bytes: the last one
    const std::string before_sig = whole.substr(0, whole.size() - 66);
    CHECK(before_sig == head().SerializeAsString());
}

TEST_CASE("a kept head is read back, and a damaged one is an error") {
    wire::KeptHead kept{42, head()};
    const auto again = wire::decode_kept_head(wire::encode_kept_head(kept));
    REQUIRE(again.has_value());
    CHECK(again->received_ns == 42);
    CHECK(again->head.last_sequence() == 12);
    CHECK(wire::decode_kept_head("1234567").has_error());
    CHECK(wire::decode_kept_head(std::string("\0\0\0\0\0\0\0\x01\xff", 9)).error().code ==
          "state_damaged");
}
