#include "modules/collectors/snmp/usm.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/crypto/hash.h"

namespace amoskys::snmp {
namespace {

constexpr std::uint8_t flag_auth = 1, flag_priv = 2, flag_reportable = 4;
constexpr std::int64_t user_based = 3;        // the security model
constexpr std::int64_t max_message = 65'507;  // what we say that we can take

std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c != '-' && c != '_' && c != ' ')
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

// Octets of the digest that are sent.
std::size_t digest_size(Auth auth) {
    switch (auth) {
        case Auth::none:
            return 0;
        case Auth::md5:
        case Auth::sha1:
            return 12;
        case Auth::sha224:
            return 16;
        case Auth::sha256:
            return 24;
        case Auth::sha384:
            return 32;
        case Auth::sha512:
            break;
    }
    return 48;
}

std::size_t cipher_key_size(Priv priv) {
    switch (priv) {
        case Priv::none:
            return 0;
        case Priv::des:
        case Priv::aes128:
            return 16;
        case Priv::aes192:
        case Priv::aes192c:
            return 24;
        case Priv::aes256:
        case Priv::aes256c:
            break;
    }
    return 32;
}

void apply_cipher(Priv priv, ByteView key, std::uint32_t boots, std::uint32_t time, ByteView salt,
                  std::span<std::uint8_t> data, bool encrypt) {
    if (priv == Priv::des) {
        std::array<std::uint8_t, 8> iv{};
        for (std::size_t i = 0; i < 8; ++i)
            iv[i] = static_cast<std::uint8_t>(key[8 + i] ^ salt[i]);
        return crypto::des_cbc(key.first(8), iv, data, encrypt);
    }
    std::array<std::uint8_t, 16> iv{};
    store_be32(iv.data(), boots);
    store_be32(iv.data() + 4, time);
    std::ranges::copy(salt, iv.begin() + 8);
    crypto::aes_cfb(key, iv, data, encrypt);
}

struct Parsed {
    V3Header header;
    std::size_t digest_at = 0, digest_length = 0;
    Bytes salt;
    BerItem data;  // scoped PDU, or octets of an encrypted one
};

std::optional<Parsed> parse(ByteView message) {
    Parsed out;
    BerReader outer(message);
    const auto body = outer.next(tag::sequence);
    if (!body)
        return std::nullopt;
    BerReader reader(*body);
    const auto version = reader.integer();
    const auto global = reader.next(tag::sequence);
    const auto security = reader.next(tag::octets);
    const auto data = reader.next();
    if (version != 3 || !global || !security || !data)
        return std::nullopt;
    BerReader about(*global);
    const auto id = about.integer(), size = about.integer();
    const auto flags = about.next(tag::octets);
    const auto model = about.integer();
    if (!id || !size || !flags || flags->size() != 1 || model != user_based)
        return std::nullopt;
    BerReader wrapped(*security);
    const auto parameters = wrapped.next(tag::sequence);
    if (!parameters)
        return std::nullopt;
    BerReader fields(*parameters);
    const auto engine = fields.next(tag::octets);
    const auto boots = fields.integer(), time = fields.integer();
    const auto user = fields.next(tag::octets);
    const auto digest = fields.next(tag::octets), salt = fields.next(tag::octets);
    if (!engine || engine->size() > 32 || !boots || !time || !user || !digest || !salt)
        return std::nullopt;
    out.header.id = *id;
    out.header.flags = (*flags)[0];
    out.header.engine_id = to_bytes(*engine);
    out.header.boots = static_cast<std::uint32_t>(*boots);
    out.header.time = static_cast<std::uint32_t>(*time);
    out.header.user = to_string(*user);
    out.digest_at = static_cast<std::size_t>(digest->data() - message.data());
    out.digest_length = digest->size();
    out.salt = to_bytes(*salt);
    out.data = *data;
    return out;
}

bool read_scoped(ByteView scoped, V3Message& out) {
    BerReader fields(scoped);
    const auto engine = fields.next(tag::octets), context = fields.next(tag::octets);
    const auto item = fields.next();
    if (!engine || !context || !item)
        return false;
    auto pdu = read_pdu(*item);
    if (!pdu)
        return false;
    out.context_engine_id = to_bytes(*engine);
    out.context = to_string(*context);
    out.pdu = std::move(*pdu);
    return true;
}

bool digest_holds(ByteView message, const Parsed& parsed, const User& user, const Engine& engine) {
    const std::size_t size = digest_size(user.auth);
    if (parsed.digest_length != size || engine.auth_key.bytes.empty())
        return false;
    Bytes copy = to_bytes(message);
    const Bytes sent(copy.begin() + static_cast<std::ptrdiff_t>(parsed.digest_at),
                     copy.begin() + static_cast<std::ptrdiff_t>(parsed.digest_at + size));
    std::memset(copy.data() + parsed.digest_at, 0, size);
    const Bytes own = crypto::hmac(hash_of(user.auth), engine.auth_key.bytes, copy);
    return crypto::equal(ByteView(own).first(size), sent);
}

}  // namespace

std::optional<Auth> parse_auth(std::string_view text) {
    const std::string name = plain(text);
    if (name.empty() || name == "none")
        return Auth::none;
    if (name == "md5")
        return Auth::md5;
    if (name == "sha" || name == "sha1")
        return Auth::sha1;
    for (const Auth auth : {Auth::sha224, Auth::sha256, Auth::sha384, Auth::sha512})
        if (name == auth_name(auth))
            return auth;
    return std::nullopt;
}

std::optional<Priv> parse_priv(std::string_view text) {
    const std::string name = plain(text);
    if (name.empty() || name == "none")
        return Priv::none;
    if (name == "aes128")
        return Priv::aes128;
    for (const Priv priv :
         {Priv::des, Priv::aes128, Priv::aes192, Priv::aes192c, Priv::aes256, Priv::aes256c})
        if (name == priv_name(priv))
            return priv;
    return std::nullopt;
}

crypto::HashName hash_of(Auth auth) {
    switch (auth) {
        case Auth::md5:
            return crypto::HashName::md5;
        case Auth::sha224:
            return crypto::HashName::sha224;
        case Auth::sha256:
            return crypto::HashName::sha256;
        case Auth::sha384:
            return crypto::HashName::sha384;
        case Auth::sha512:
            return crypto::HashName::sha512;
        case Auth::none:
        case Auth::sha1:
            break;
    }
    return crypto::HashName::sha1;
}

std::string_view auth_name(Auth auth) {
    constexpr std::string_view names[] = {"none",   "md5",    "sha",   "sha224",
                                          "sha256", "sha384", "sha512"};
    return names[static_cast<std::size_t>(auth)];
}

std::string_view priv_name(Priv priv) {
    constexpr std::string_view names[] = {"none",    "des",    "aes",    "aes192",
                                          "aes192c", "aes256", "aes256c"};
    return names[static_cast<std::size_t>(priv)];
}

Key::~Key() {
    if (!bytes.empty())
        explicit_bzero(bytes.data(), bytes.size());
}

Key localised(crypto::HashName hash, const Key& key, ByteView engine_id) {
    return Key(crypto::hash(hash, {key.bytes, engine_id, key.bytes}));
}

Key privacy_key(const User& user, ByteView engine_id) {
    const crypto::HashName hash = hash_of(user.auth);
    const std::size_t wanted = cipher_key_size(user.priv);
    Key key = localised(hash, user.priv_key, engine_id);
    const bool cisco = user.priv == Priv::aes192c || user.priv == Priv::aes256c;
    Key last = key;
    while (key.bytes.size() < wanted) {
        if (cisco)
            last = localised(hash, Key(crypto::password_key(hash, last.bytes)), engine_id);
        else
            last = Key(crypto::hash(hash, {key.bytes}));
        key.bytes.insert(key.bytes.end(), last.bytes.begin(), last.bytes.end());
    }
    key.bytes.resize(wanted);
    return key;
}

void localise(const User& user, Engine& engine) {
    if (user.auth != Auth::none)
        engine.auth_key = localised(hash_of(user.auth), user.auth_key, engine.id);
    if (user.priv != Priv::none)
        engine.priv_key = privacy_key(user, engine.id);
}

Bytes write_v3(const V3Message& message, const User& user, const Engine& engine,
               std::uint64_t salt) {
    BerWriter scoped;
    write_pdu(scoped, message.pdu);
    scoped.octets(as_bytes(message.context));
    scoped.octets(message.context_engine_id);
    scoped.wrap(tag::sequence, 0);
    Bytes data = scoped.take();
    std::array<std::uint8_t, 8> salt_octets{};
    if (message.encrypted) {
        store_be64(salt_octets.data(), salt);
        if (user.priv == Priv::des) {
            store_be32(salt_octets.data(), message.boots);
            data.resize((data.size() + 7) / 8 * 8);
        }
        apply_cipher(user.priv, engine.priv_key.bytes, message.boots, message.time, salt_octets,
                     data, true);
    }
    BerWriter out;
    if (message.encrypted)
        out.octets(data);
    else
        out.bytes(data);
    // Security parameters: from the last field to the first.
    const std::size_t security = out.mark();
    out.octets(message.encrypted ? ByteView(salt_octets) : ByteView());
    const Bytes zeros(message.authenticated ? digest_size(user.auth) : 0);
    out.bytes(zeros);
    const std::size_t digest_end = out.mark();
    out.wrap(tag::octets, digest_end - zeros.size());
    out.octets(as_bytes(message.user));
    out.integer(message.time);
    out.integer(message.boots);
    out.octets(message.engine_id);
    out.wrap(tag::sequence, security);
    out.wrap(tag::octets, security);
    const std::size_t global = out.mark();
    out.integer(user_based);
    const std::uint8_t flags[] = {static_cast<std::uint8_t>(
        (message.authenticated ? flag_auth : 0) | (message.encrypted ? flag_priv : 0) |
        (message.reportable ? flag_reportable : 0))};
    out.octets(flags);
    out.integer(max_message);
    out.integer(message.id);
    out.wrap(tag::sequence, global);
    out.integer(3);
    out.wrap(tag::sequence, 0);
    const std::size_t digest_at = out.mark() - digest_end;
    Bytes whole = out.take();
    if (message.authenticated) {
        const Bytes digest = crypto::hmac(hash_of(user.auth), engine.auth_key.bytes, whole);
        std::memcpy(whole.data() + digest_at, digest.data(), digest_size(user.auth));
    }
    return whole;
}

std::optional<V3Header> read_v3_header(ByteView message) {
    auto parsed = parse(message);
    return parsed ? std::optional(std::move(parsed->header)) : std::nullopt;
}

boost::system::result<V3Message, V3Fault> read_v3(ByteView message, const User* user,
                                                  const Engine* keys) {
    const auto parsed = parse(message);
    if (!parsed)
        return V3Fault::malformed;
    V3Message out;
    out.id = parsed->header.id;
    out.authenticated = (parsed->header.flags & flag_auth) != 0;
    out.encrypted = (parsed->header.flags & flag_priv) != 0;
    out.reportable = (parsed->header.flags & flag_reportable) != 0;
    out.engine_id = parsed->header.engine_id;
    out.boots = parsed->header.boots;
    out.time = parsed->header.time;
    out.user = parsed->header.user;
    if (out.authenticated && (!user || !keys || user->auth == Auth::none ||
                              !digest_holds(message, *parsed, *user, *keys)))
        return V3Fault::wrong_digest;
    if (!out.encrypted) {
        if (parsed->data.tag != tag::sequence || !read_scoped(parsed->data.content, out))
            return V3Fault::malformed;
        return out;
    }
    if (!out.authenticated || user->priv == Priv::none || parsed->data.tag != tag::octets ||
        parsed->salt.size() != 8 || keys->priv_key.bytes.empty())
        return V3Fault::undecipherable;
    Bytes data = to_bytes(parsed->data.content);
    if (user->priv == Priv::des && data.size() % 8 != 0)
        return V3Fault::undecipherable;
    apply_cipher(user->priv, keys->priv_key.bytes, out.boots, out.time, parsed->salt, data, false);
    const auto scoped = BerReader(data).next(tag::sequence);
    if (!scoped || !read_scoped(*scoped, out))
        return V3Fault::undecipherable;
    return out;
}

}  // namespace amoskys::snmp
