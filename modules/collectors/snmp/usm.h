// Version 3 messages and the User-based Security Model (RFC 3412, 3414, 3826, 7860), with the key
// extensions of draft-blumenthal-aes-usm (AES192, AES256) and draft-reeder (the same of Cisco). No
// sockets, no clock: the caller says the time.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/result.h"
#include "core/crypto/hmac.h"
#include "modules/collectors/snmp/message.h"

namespace amoskys::snmp {

enum class Auth : std::uint8_t { none, md5, sha1, sha224, sha256, sha384, sha512 };
enum class Priv : std::uint8_t { none, des, aes128, aes192, aes192c, aes256, aes256c };

// "sha256", "SHA-256"; "aes", "AES128", "aes256c": case and hyphens do not count.
inline constexpr std::string_view auth_names = "none, md5, sha, sha224, sha256, sha384, sha512";
inline constexpr std::string_view priv_names = "none, des, aes, aes192, aes192c, aes256, aes256c";
std::optional<Auth> parse_auth(std::string_view text);
std::optional<Priv> parse_priv(std::string_view text);
crypto::HashName hash_of(Auth auth);  // of any but none
std::string_view auth_name(Auth auth);
std::string_view priv_name(Priv priv);

// Octets that are zeroed before they are freed.
struct Key {
    Bytes bytes;
    Key() = default;
    explicit Key(Bytes octets) : bytes(std::move(octets)) {}
    Key(const Key&) = default;
    Key(Key&&) noexcept = default;
    Key& operator=(const Key&) = default;
    Key& operator=(Key&&) noexcept = default;
    ~Key();
};

// A user with the keys of its passwords (Ku), which hold for every engine.
struct User {
    std::string name;
    Auth auth = Auth::none;
    Priv priv = Priv::none;
    Key auth_key, priv_key;
};

// The keys of a user at one engine, and what is known of its clock.
struct Engine {
    Bytes id;
    std::uint32_t boots = 0, time = 0;
    std::int64_t read_at_s = 0;  // of the caller's clock
    Key auth_key, priv_key;

    std::uint32_t time_at(std::int64_t now_s) const {
        return time + static_cast<std::uint32_t>(std::max<std::int64_t>(now_s - read_at_s, 0));
    }
};
Key localised(crypto::HashName hash, const Key& key, ByteView engine_id);
// The key of the cipher: the localised one, extended where the cipher needs more.
Key privacy_key(const User& user, ByteView engine_id);
void localise(const User& user, Engine& engine);

struct V3Message {
    std::int64_t id = 0;
    bool authenticated = false, encrypted = false, reportable = false;
    Bytes engine_id;  // authoritative
    std::uint32_t boots = 0, time = 0;
    std::string user;
    Bytes context_engine_id;
    std::string context;
    Pdu pdu;
};

// Signs and encrypts as the flags say, with the keys of `engine`. `salt` makes the initialisation
// vector unique: a number that the caller never gives twice to one key.
Bytes write_v3(const V3Message& message, const User& user, const Engine& engine,
               std::uint64_t salt);

enum class V3Fault : std::uint8_t {
    malformed,
    wrong_digest,    // the authentication does not hold with these keys
    undecipherable,  // encrypted, and the content is no scoped PDU with these keys
};
// Checks and decrypts. `keys` may be null (or without keys): then only plain messages are read.
boost::system::result<V3Message, V3Fault> read_v3(ByteView message, const User* user,
                                                  const Engine* keys);
// The header alone: who says it sent the message. Nothing is checked.
struct V3Header {
    std::int64_t id = 0;
    std::uint8_t flags = 0;
    Bytes engine_id;
    std::uint32_t boots = 0, time = 0;
    std::string user;
};
std::optional<V3Header> read_v3_header(ByteView message);

}  // namespace amoskys::snmp
