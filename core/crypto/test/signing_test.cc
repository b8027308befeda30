#include "core/crypto/signing.h"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/crypto/hash.h"
#include "core/crypto/key_file.h"

using namespace amoskys;
using namespace amoskys::crypto;

namespace {

Bytes unhex(std::string_view text) {
    Bytes bytes;
    REQUIRE(from_hex(text, bytes));
    return bytes;
}

PublicKey as_key(const Bytes& bytes) {
    REQUIRE(bytes.size() == 32);
    PublicKey key{};
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}

struct Vector {
    std::string_view seed, key, message, signature;
};

// RFC 8032 section 7.1, tests 1 to 3, and the 63 bytes of the earlier system's golden envelope
// signed with the seed 00 01 .. 1f.
constexpr Vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
     "0a02763110959aef3a1a03616263222f0a07312e312e312e311207382e382e382e3818d70820352a0355"
     "4450300a381448015002580160026a035544507003",
     "3c2702fb66b082747a6503a91115157b9e1f4ed76eb68ee318a652d3b27d1d5a"
     "30e63936b3ef9e074a7616df93f93f812a1fd6e88bd2e00e1fc0655b57e59903"},
};

bool have_openssl() {
    if (std::system("openssl version >/dev/null 2>&1") == 0)
        return true;
    WARN("skipped: no openssl command");
    return false;
}

}  // namespace

TEST_CASE("Ed25519 gives the signatures of RFC 8032 and of the earlier system") {
    for (const Vector& vector : vectors) {
        const SigningKey key = SigningKey::from_seed(unhex(vector.seed));
        const Bytes message = unhex(vector.message);
        CHECK(to_hex(key.public_key()) == vector.key);
        CHECK(to_hex(key.sign_bytes(message)) == vector.signature);
        CHECK(verify_bytes(key.public_key(), message, unhex(vector.signature)));
    }
}

TEST_CASE("a signature is refused after any change of message, signature or key") {
    const SigningKey key = SigningKey::generate();
    const Digest digest = sha256(as_bytes("body"));
    const Signature good = key.sign_digest(envelope_tag, digest);
    REQUIRE(verify_digest(key.public_key(), envelope_tag, digest, good));
    CHECK_FALSE(verify_digest(key.public_key(), receipt_tag, digest, good));
    CHECK_FALSE(verify_digest(key.public_key(), envelope_tag, sha256(as_bytes("bodY")), good));
    CHECK_FALSE(verify_digest(SigningKey::generate().public_key(), envelope_tag, digest, good));
    CHECK_FALSE(verify_digest(key.public_key(), envelope_tag, digest, ByteView(good).first(63)));
    CHECK_FALSE(verify_digest(key.public_key(), envelope_tag, digest, {}));
    for (std::size_t i = 0; i < good.size(); ++i) {
        Signature bad = good;
        bad[i] ^= 0x10;
        CHECK_FALSE(verify_digest(key.public_key(), envelope_tag, digest, bad));
    }
}

TEST_CASE("the digest form signs tag, a zero byte and the digest") {
    const SigningKey key = SigningKey::generate();
    const Digest digest = sha256(as_bytes("body"));
    Bytes message = to_bytes(as_bytes("amoskys envelope v1"));
    message.push_back(0);
    message.insert(message.end(), digest.begin(), digest.end());
    CHECK(key.sign_bytes(message) == key.sign_digest(envelope_tag, digest));
}

TEST_CASE("a signature whose S is not below the group order is refused") {
    // S + L of RFC 8032's first vector: satisfies the equation, and would make signatures
    // malleable.
    const Bytes order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    Bytes signature = unhex(vectors[0].signature);
    unsigned carry = 0;
    for (std::size_t i = 0; i < 32; ++i) {
        carry += unsigned{signature[32 + i]} + order[i];
        signature[32 + i] = static_cast<std::uint8_t>(carry & 0xffU);
        carry >>= 8;
    }
    REQUIRE(carry == 0);
    CHECK_FALSE(verify_bytes(as_key(unhex(vectors[0].key)), {}, signature));
}

TEST_CASE("public keys of small order, not canonical or off the curve are refused") {
    const std::string_view weak[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",  // order 1
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // order 2
        "0000000000000000000000000000000000000000000000000000000000000000",  // order 4
        "0000000000000000000000000000000000000000000000000000000000000080",  // order 4
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  // order 8
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  // order 8
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // y = p + 1
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // y = p
        "0200000000000000000000000000000000000000000000000000000000000000",  // no such point
    };
    for (const auto text : weak) {
        const auto key = parse_public_key(as_text(unhex(text)), "key of the test");
        REQUIRE_FALSE(key.has_value());
        CHECK(key.error().code == "weak_public_key");
        CHECK(key.error().message.find("key of the test") != std::string::npos);
    }
    for (const Vector& vector : vectors)
        CHECK(parse_public_key(as_text(unhex(vector.key)), "key").has_value());
}

TEST_CASE("key_id is the first 16 hex digits of the key's SHA-256") {
    const PublicKey key = as_key(unhex(vectors[0].key));
    CHECK(key_id(key) == to_hex(sha256(key)).substr(0, 16));
    CHECK(SigningKey::from_seed(unhex(vectors[0].seed)).id() == key_id(key));
}

TEST_CASE("algorithm names are read back, others refused with what is allowed") {
    for (const Algorithm algorithm : {Algorithm::ed25519, Algorithm::ed25519_sha256})
        CHECK(parse_algorithm(algorithm_name(algorithm)).value() == algorithm);
    const auto wrong = parse_algorithm("ed25519");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().message.find("`ed25519`") != std::string::npos);
    CHECK(wrong.error().message.find("Ed25519-SHA256") != std::string::npos);
}

TEST_CASE("a saved key is private, loads again and is never overwritten") {
    const TempFolder folder;
    const SigningKey key = SigningKey::generate();
    REQUIRE(key.save_new(folder / "a.ed25519").has_value());
    struct stat info {};
    REQUIRE(::stat((folder / "a.ed25519").c_str(), &info) == 0);
    CHECK((info.st_mode & 07777U) == 0600U);
    const auto loaded = SigningKey::load(folder / "a.ed25519");
    REQUIRE(loaded.has_value());
    CHECK(loaded->public_key() == key.public_key());
    const auto again = SigningKey::generate().save_new(folder / "a.ed25519");
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().kind == ErrorKind::cannot_create);
    CHECK(SigningKey::load(folder / "a.ed25519")->public_key() == key.public_key());
}

TEST_CASE("the earlier system's raw 32-byte key file is read") {
    const TempFolder folder;
    const Bytes seed = unhex(vectors[3].seed);
    REQUIRE(write_new_file(folder / "agent.ed25519", as_text(seed), 0600).has_value());
    const auto key = SigningKey::load(folder / "agent.ed25519");
    REQUIRE(key.has_value());
    CHECK(to_hex(key->public_key()) == vectors[3].key);
}

TEST_CASE("a private key that group or others can read is refused as a permission error") {
    const TempFolder folder;
    const auto file = folder / "a.ed25519";
    REQUIRE(SigningKey::generate().save_new(file).has_value());
    for (const mode_t mode : {0640U, 0604U, 0620U, 0644U, 0601U}) {
        REQUIRE(::chmod(file.c_str(), mode) == 0);
        const auto key = SigningKey::load(file);
        REQUIRE_FALSE(key.has_value());
        CHECK(key.error().kind == ErrorKind::permission);
        CHECK(key.error().hint == "chmod 600 " + file.string());
        CHECK_FALSE(require_private(file).has_value());
    }
    REQUIRE(::chmod(file.c_str(), 0400) == 0);
    CHECK(SigningKey::load(file).has_value());
    CHECK(require_private(file).has_value());
}

TEST_CASE("a private key that is a folder, a FIFO or absent is refused at once") {
    const TempFolder folder;
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK(SigningKey::load(folder / "fifo").error().kind == ErrorKind::permission);
    CHECK(SigningKey::load(folder.path).error().kind == ErrorKind::permission);
    CHECK(SigningKey::load(folder / "absent").error().kind == ErrorKind::no_input);
}

TEST_CASE("files that hold no Ed25519 key are refused with what is allowed") {
    const TempFolder folder;
    const std::string contents[] = {"", "31 bytes of anything at all....",
                                    "-----BEGIN PRIVATE KEY-----\n", std::string(100'000, 'x')};
    int n = 0;
    for (const auto& content : contents) {
        const auto file = folder / ("bad" + std::to_string(n++));
        REQUIRE(write_new_file(file, content, 0600).has_value());
        CHECK(SigningKey::load(file).error().kind == ErrorKind::bad_data);
        CHECK(load_public_key(file).error().kind == ErrorKind::bad_data);
    }
}

TEST_CASE("openssl reads our keys and signs with them as we do") {
    if (!have_openssl())
        return;
    const TempFolder folder;
    const SigningKey key = SigningKey::from_seed(unhex(vectors[3].seed));
    REQUIRE(key.save_new(folder / "key").has_value());
    REQUIRE(
        write_new_file(folder / "message", as_text(unhex(vectors[3].message)), 0644).has_value());
    REQUIRE(
        write_new_file(folder / "ours.pub", public_key_pem(key.public_key()), 0644).has_value());
    const std::string at = "cd " + folder.path.string() + " && ";
    REQUIRE(std::system(
                (at + "openssl pkey -in key -pubout -out theirs.pub && cmp ours.pub theirs.pub && "
                      "openssl pkeyutl -sign -inkey key -rawin -in message -out signature")
                    .c_str()) == 0);
    const auto signature = read_file(folder / "signature", 1024);
    REQUIRE(signature.has_value());
    CHECK(to_hex(as_bytes(*signature)) == vectors[3].signature);
}

TEST_CASE("keys that openssl made are read, other kinds refused") {
    if (!have_openssl())
        return;
    const TempFolder folder;
    const std::string at = "cd " + folder.path.string() + " && umask 077 && ";
    REQUIRE(std::system((at + "openssl genpkey -algorithm ed25519 -out key 2>/dev/null && "
                              "openssl pkey -in key -pubout -out pub && "
                              "openssl pkcs8 -topk8 -in key -passout pass:x -out locked && "
                              "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "
                              "-out ec 2>/dev/null && openssl pkey -in ec -pubout -out ec.pub")
                            .c_str()) == 0);
    const auto key = SigningKey::load(folder / "key");
    REQUIRE(key.has_value());
    CHECK(load_public_key(folder / "pub").value() == key->public_key());
    CHECK(SigningKey::load(folder / "locked").error().kind == ErrorKind::bad_data);
    CHECK(SigningKey::load(folder / "ec").error().message.find("another kind") !=
          std::string::npos);
    CHECK(load_public_key(folder / "ec.pub").error().kind == ErrorKind::bad_data);
}
