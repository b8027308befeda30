#include "core/crypto/hash.h"

#include <catch2/catch.hpp>
#include <string>

using namespace amoskys;
using namespace amoskys::crypto;

namespace {

Bytes unhex(std::string_view text) {
    Bytes bytes;
    REQUIRE(from_hex(text, bytes));
    return bytes;
}

// The earlier system's golden envelope: 63 bytes.
constexpr std::string_view golden =
    "0a02763110959aef3a1a03616263222f0a07312e312e312e311207382e382e382e3818d70820352a03554450300a38"
    "14"
    "48015002580160026a035544507003";

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4") {
    CHECK(to_hex(sha256(ByteView())) ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256(as_bytes("abc"))) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("SHA-256 of parts is the digest of their concatenation, at every cut") {
    const std::string text(300, 'x');
    const Digest whole = sha256(as_bytes(text));
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const ByteView bytes = as_bytes(text);
        REQUIRE(sha256({bytes.first(cut), bytes.subspan(cut)}) == whole);
    }
}

TEST_CASE("a finished SHA-256 starts anew") {
    Sha256 hash;
    hash.update(as_bytes("first"));
    (void)hash.finish();
    hash.update(as_bytes("abc"));
    CHECK(hash.finish() == sha256(as_bytes("abc")));
}

TEST_CASE("the digests of the earlier system's golden envelope are the recorded ones") {
    const Bytes bytes = unhex(golden);
    REQUIRE(bytes.size() == 63);
    CHECK(to_hex(sha256(bytes)) ==
          "1889f03ed66dda4629a518d2f30d924c6902af25360dea1956f3cb0424f5e710");
    const ByteView view(bytes);
    CHECK(to_hex(blake2b_256({view})) ==
          "73c7a08ec60123012b58d468b618d53ae8f062749d074c478ceae33e5ff679ca");
    CHECK(blake2b_256({view.first(10), ByteView(), view.subspan(10)}) == blake2b_256({view}));
}

TEST_CASE("equal compares content and length") {
    CHECK(equal(as_bytes("same"), as_bytes("same")));
    CHECK_FALSE(equal(as_bytes("same"), as_bytes("sane")));
    CHECK_FALSE(equal(as_bytes("same"), as_bytes("sam")));
    CHECK(equal({}, {}));
}

TEST_CASE("random bytes differ from call to call") {
    Digest a{}, b{};
    random_bytes(a);
    random_bytes(b);
    CHECK(a != b);
    CHECK(a != Digest{});
}

TEST_CASE("SHA-1 of the published vector") {
    CHECK(to_hex(sha1(as_bytes("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d");
}
