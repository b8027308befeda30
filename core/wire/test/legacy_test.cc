#include "core/wire/legacy.h"

#include <catch2/catch.hpp>

#include "core/crypto/signing.h"
#include "core/wire/test/test_key.h"

using namespace amoskys;
using namespace amoskys::wire;

namespace {

// The earlier system's published vector of its Envelope.
std::string published() {
    Bytes out;
    REQUIRE(
        from_hex("0a02763110959aef3a1a03616263222f0a07312e312e312e311207382e382e382e3818d7082035"
                 "2a03554450300a381448015002580160026a035544507003",
                 out));
    return to_string(out);
}

}  // namespace

TEST_CASE("the earlier system's envelope is read, digested, encoded and signed as it was") {
    const std::string stored = published();
    const auto cut = cut_legacy(as_bytes(stored));
    REQUIRE(cut.has_value());
    CHECK(cut->version == "v1");
    CHECK(cut->ts_ns == 123456789);
    CHECK(cut->event_ns == 123456789);
    CHECK(cut->idempotency_key == "abc");
    CHECK(cut->device == "1.1.1.1");
    CHECK(cut->signature.empty());
    CHECK(to_hex(legacy_digest(as_bytes(stored))) ==
          "1889f03ed66dda4629a518d2f30d924c6902af25360dea1956f3cb0424f5e710");
    const auto decoded = decode_legacy(as_bytes(stored));
    REQUIRE(decoded.has_value());
    CHECK(decoded->flow().dst_port() == 53);
    CHECK(encode_legacy(*decoded) == stored);
    CHECK(legacy_signed_bytes(*decoded) == stored);
    CHECK(legacy_reencodes(as_bytes(stored)));
    const FlowFacts facts = flow_facts(decoded->flow());
    CHECK(facts.protocol == "UDP");
    CHECK(facts.bytes_sent == 10);
    CHECK(facts.end_ns == 2);
    CHECK(to_hex(test::test_key()->sign_bytes(as_bytes(stored))) ==
          "3c2702fb66b082747a6503a91115157b9e1f4ed76eb68ee318a652d3b27d1d5a"
          "30e63936b3ef9e074a7616df93f93f812a1fd6e88bd2e00e1fc0655b57e59903");
}

TEST_CASE("signed bytes of a legacy envelope leave out signature, chain and payload") {
    messaging::Envelope envelope;
    REQUIRE(envelope.ParseFromString(published()));
    envelope.set_sig(std::string(64, 's'));
    envelope.set_prev_sig(std::string(64, 'p'));
    envelope.set_payload("opaque");
    CHECK(legacy_signed_bytes(envelope) == published());
    const std::string stored = encode_legacy(envelope);
    const auto cut = cut_legacy(as_bytes(stored));
    REQUIRE(cut.has_value());
    CHECK(cut->signature.size() == 64);
    CHECK(as_text(cut->payload) == "opaque");
}

TEST_CASE("legacy cutter refuses what it cannot vouch for and says why") {
    const auto code = [](std::string_view bytes) {
        const auto cut = cut_legacy(as_bytes(bytes));
        return cut ? std::string("ok") : cut.error().code;
    };
    CHECK(code("") == "envelope_empty");
    CHECK(code(std::string(131073, 'x')) == "envelope_too_large");
    CHECK(code("\x0a\x01"
               "1") == "payload_missing");
    CHECK(code(published() + "\x0a\x01"
                             "1") == "envelope_not_canonical");
    CHECK(code(published() + "\x2a\x01s") == "envelope_not_canonical");
    CHECK(code("\x22\x02\x0a\x05") == "payload_malformed");
    const std::string stored = published();
    for (std::size_t size = 0; size < stored.size(); ++size)
        CHECK(code(std::string_view(stored).substr(0, size)) != "ok");
    CHECK(decode_legacy(as_bytes("\xff")).error().code == "envelope_malformed");
    CHECK_FALSE(legacy_reencodes(as_bytes("\x0a\x00\x22\x02\x18\x01")));
}
