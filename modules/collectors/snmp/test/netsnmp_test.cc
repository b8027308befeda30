// Our octets against net-snmp's library (linked into this test only): what one writes the other
// must read as the same, over random cases whose seed is printed.
#include <net-snmp/net-snmp-config.h>
// The configuration comes first.
#include <net-snmp/net-snmp-includes.h>

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "modules/collectors/snmp/usm.h"

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

constexpr const char* application = "amoskys-test";

// net-snmp keeps its users and clocks for the process: started once, told to read and keep nothing.
void start_reference() {
    struct Library {
        Library() {
            for (const int what :
                 {NETSNMP_DS_LIB_DONT_READ_CONFIGS, NETSNMP_DS_LIB_DONT_PERSIST_STATE,
                  NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE})
                netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, what, 1);
            init_snmp(application);
            netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
        }
        ~Library() { snmp_shutdown(application); }
    };
    static const Library library;
}

struct FreePdu {
    void operator()(netsnmp_pdu* pdu) const { snmp_free_pdu(pdu); }
};
using ReferencePdu = std::unique_ptr<netsnmp_pdu, FreePdu>;

std::vector<oid> wide(const Oid& from) {
    return {from.begin(), from.end()};
}
Oid narrow(const oid* arcs, std::size_t count) {
    Oid out;
    for (std::size_t i = 0; i < count; ++i)
        out.push_back(static_cast<std::uint32_t>(arcs[i]));
    return out;
}
u_char* copied(ByteView octets) {
    return static_cast<u_char*>(netsnmp_memdup(octets.data(), octets.size()));
}

void add(netsnmp_pdu& pdu, const Varbind& varbind) {
    const std::vector<oid> name = wide(varbind.oid);
    const auto put = [&](u_char type, const void* data, std::size_t size) {
        REQUIRE(snmp_pdu_add_variable(&pdu, name.data(), name.size(), type, data, size));
    };
    const Value& value = varbind.value;
    if (const auto* number = std::get_if<std::int64_t>(&value.data)) {
        const long narrowed = *number;
        return put(ASN_INTEGER, &narrowed, sizeof narrowed);
    }
    if (const auto* number = std::get_if<double>(&value.data))
        return put(ASN_OPAQUE_DOUBLE, number, sizeof *number);
    if (const auto* text = std::get_if<std::string>(&value.data))
        return put(value.type == Type::octets       ? tag::octets
                   : value.type == Type::ip_address ? tag::ip_address
                                                    : tag::opaque,
                   text->data(), text->size());
    if (const auto* name_value = std::get_if<Oid>(&value.data)) {
        const std::vector<oid> arcs = wide(*name_value);
        return put(ASN_OBJECT_ID, arcs.data(), arcs.size() * sizeof(oid));
    }
    if (const auto* number = std::get_if<std::uint64_t>(&value.data)) {
        if (value.type == Type::counter64) {
            const counter64 halves{*number >> 32, *number & 0xffffffffU};
            return put(ASN_COUNTER64, &halves, sizeof halves);
        }
        const u_long narrowed = *number;
        return put(value.type == Type::counter32 ? tag::counter32
                   : value.type == Type::gauge32 ? tag::gauge32
                                                 : tag::time_ticks,
                   &narrowed, sizeof narrowed);
    }
    put(value.type == Type::no_such_object     ? tag::no_such_object
        : value.type == Type::no_such_instance ? tag::no_such_instance
        : value.type == Type::end_of_mib_view  ? tag::end_of_mib_view
                                               : tag::null,
        nullptr, 0);
}

Value value_of(const netsnmp_variable_list& from) {
    const auto text = [&from] {
        return std::string(reinterpret_cast<const char*>(from.val.string), from.val_len);
    };
    const auto number = [&from] { return static_cast<std::uint32_t>(*from.val.integer); };
    switch (from.type) {
        case ASN_INTEGER:
            return {Type::integer, std::int64_t{*from.val.integer}};
        case ASN_OCTET_STR:
            return {Type::octets, text()};
        case ASN_OBJECT_ID:
            return {Type::oid, narrow(from.val.objid, from.val_len / sizeof(oid))};
        case ASN_IPADDRESS:
            return {Type::ip_address, text()};
        case ASN_COUNTER:
            return {Type::counter32, std::uint64_t{number()}};
        case ASN_GAUGE:
        case ASN_UINTEGER:
            return {Type::gauge32, std::uint64_t{number()}};
        case ASN_TIMETICKS:
            return {Type::time_ticks, std::uint64_t{number()}};
        case ASN_COUNTER64:
        case ASN_OPAQUE_COUNTER64:
        case ASN_OPAQUE_U64:
            return {Type::counter64,
                    std::uint64_t{from.val.counter64->high << 32 | from.val.counter64->low}};
        case ASN_OPAQUE_I64:
            return {Type::integer, std::bit_cast<std::int64_t>(from.val.counter64->high << 32 |
                                                               from.val.counter64->low)};
        case ASN_OPAQUE_FLOAT:
            return {Type::real, double{*from.val.floatVal}};
        case ASN_OPAQUE_DOUBLE:
            return {Type::real, *from.val.doubleVal};
        case ASN_OPAQUE:
            return {Type::opaque, text()};
        case SNMP_NOSUCHOBJECT:
            return {Type::no_such_object, {}};
        case SNMP_NOSUCHINSTANCE:
            return {Type::no_such_instance, {}};
        case SNMP_ENDOFMIBVIEW:
            return {Type::end_of_mib_view, {}};
        default:  // null, and types that SNMP no longer has
            return {};
    }
}

ReferencePdu reference_pdu(const Pdu& pdu) {
    ReferencePdu out(snmp_pdu_create(static_cast<int>(pdu.type)));
    out->reqid = pdu.request_id;
    out->errstat = pdu.error_status;
    out->errindex = pdu.error_index;
    if (pdu.type == PduType::trap_v1) {
        const std::vector<oid> enterprise = wide(pdu.enterprise);
        out->enterprise = snmp_duplicate_objid(enterprise.data(), enterprise.size());
        out->enterprise_length = enterprise.size();
        std::memcpy(out->agent_addr, pdu.agent_address.data(), sizeof out->agent_addr);
        out->trap_type = pdu.generic_trap;
        out->specific_type = pdu.specific_trap;
        out->time = pdu.uptime_ticks;
    }
    for (const Varbind& varbind : pdu.varbinds)
        add(*out, varbind);
    return out;
}

Pdu pdu_of(const netsnmp_pdu& from) {
    Pdu out;
    out.type = static_cast<PduType>(from.command);
    if (out.type == PduType::trap_v1) {
        out.enterprise = narrow(from.enterprise, from.enterprise_length);
        out.agent_address.assign(reinterpret_cast<const char*>(from.agent_addr), 4);
        out.generic_trap = from.trap_type;
        out.specific_trap = from.specific_type;
        out.uptime_ticks = from.time;
    } else {
        out.request_id = from.reqid;
        out.error_status = from.errstat;
        out.error_index = from.errindex;
    }
    for (const auto* variable = from.variables; variable; variable = variable->next_variable)
        out.varbinds.push_back(
            {narrow(variable->name, variable->name_length), value_of(*variable)});
    return out;
}

netsnmp_session session_of(long version) {
    start_reference();
    netsnmp_session out{};
    snmp_sess_init(&out);
    out.version = version;
    return out;
}

Bytes reference_octets(netsnmp_session& session, netsnmp_pdu& pdu) {
    pdu.version = session.version;
    std::size_t size = 1024, used = 0;  // it grows; what is written stands at its end
    auto* buffer = static_cast<u_char*>(malloc(size));
    REQUIRE(snmp_build(&buffer, &size, &used, &session, &pdu) == 0);
    const Bytes out(buffer + (size - used), buffer + size);
    free(buffer);
    return out;
}

// Null where net-snmp refuses the octets.
ReferencePdu reference_read(netsnmp_session& session, ByteView octets) {
    ReferencePdu out(snmp_pdu_create(0));
    Bytes copy = to_bytes(octets);
    if (snmp_parse(nullptr, &session, out.get(), copy.data(), copy.size()) != 0)
        out.reset();
    return out;
}

void check_alike(const Pdu& left, const Pdu& right) {
    CHECK(left.type == right.type);
    CHECK(left.request_id == right.request_id);
    CHECK(left.error_status == right.error_status);
    CHECK(left.error_index == right.error_index);
    CHECK(left.enterprise == right.enterprise);
    CHECK(left.agent_address == right.agent_address);
    CHECK(left.generic_trap == right.generic_trap);
    CHECK(left.specific_trap == right.specific_trap);
    CHECK(left.uptime_ticks == right.uptime_ticks);
    REQUIRE(left.varbinds.size() == right.varbinds.size());
    for (std::size_t i = 0; i < left.varbinds.size(); ++i) {
        INFO("varbind " << i << ' ' << format_oid(left.varbinds[i].oid));
        CHECK(left.varbinds[i].oid == right.varbinds[i].oid);
        CHECK(left.varbinds[i].value.type == right.varbinds[i].value.type);
        CHECK(left.varbinds[i].value.data == right.varbinds[i].value.data);
    }
}

class Cases {
  public:
    explicit Cases(std::uint64_t seed) : random_(seed) {}

    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    // Numbers of every length, those at the edges of their octets often.
    std::uint64_t number(unsigned bits) {
        const std::uint64_t edge = std::uint64_t{1} << below(bits);
        const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
        switch (below(4)) {
            case 0:
                return edge;
            case 1:
                return edge - 1;
            case 2:
                return (~edge + 1) & mask;
            default:
                return random_() & mask;
        }
    }
    std::int64_t integer() { return static_cast<std::int32_t>(number(32)); }
    std::string text(std::size_t size) {
        std::string out(size, '\0');
        for (char& c : out)
            c = static_cast<char>(below(256));
        return out;
    }
    Oid oid() {
        const auto root = static_cast<std::uint32_t>(below(3));
        Oid out{root, static_cast<std::uint32_t>(root < 2 ? below(40) : number(31))};
        const std::size_t arcs = below(8) == 0 ? max_oid_arcs : 2 + below(20);
        while (out.size() < arcs)
            out.push_back(static_cast<std::uint32_t>(number(32)));
        return out;
    }
    Value value(Type type) {
        switch (type) {
            case Type::integer:
                return {type, integer()};
            case Type::octets:
                return {type, text(below(8) == 0 ? 1000 : below(200))};
            case Type::opaque:  // not one of net-snmp's numbers inside Opaque
                return {type, '\x04' + text(below(40))};
            case Type::ip_address:
                return {type, text(4)};
            case Type::oid:
                return {type, oid()};
            case Type::counter32:
            case Type::gauge32:
            case Type::time_ticks:
                return {type, number(32)};
            case Type::counter64:
                return {type, number(64)};
            case Type::real:
                return {type, std::ldexp(static_cast<double>(integer()),
                                         static_cast<int>(below(1800)) - 900)};
            case Type::null:
            case Type::no_such_object:
            case Type::no_such_instance:
            case Type::end_of_mib_view:
                break;
        }
        return {type, {}};
    }
    Pdu pdu(PduType type) {
        Pdu out;
        out.type = type;
        if (type == PduType::trap_v1) {
            out.enterprise = oid();
            out.agent_address = text(4);
            out.generic_trap = static_cast<std::int64_t>(below(7));
            out.specific_trap = integer();
            out.uptime_ticks = number(32);
        } else {
            out.request_id = integer();
            out.error_status = static_cast<std::int64_t>(below(19));
            out.error_index = static_cast<std::int64_t>(number(31));
        }
        for (std::size_t count = below(30); count != 0; --count)
            out.varbinds.push_back({oid(), value(static_cast<Type>(below(14)))});
        return out;
    }

  private:
    std::mt19937_64 random_;
};

constexpr std::uint64_t seeds = 200;

struct Protocol {
    Auth ours;
    int reference;
};
constexpr Protocol auths[] = {
    {Auth::md5, NETSNMP_USMAUTH_HMACMD5},          {Auth::sha1, NETSNMP_USMAUTH_HMACSHA1},
    {Auth::sha224, NETSNMP_USMAUTH_HMAC128SHA224}, {Auth::sha256, NETSNMP_USMAUTH_HMAC192SHA256},
    {Auth::sha384, NETSNMP_USMAUTH_HMAC256SHA384}, {Auth::sha512, NETSNMP_USMAUTH_HMAC384SHA512}};
struct Cipher {
    Priv ours;
    int reference;
};
constexpr Cipher privs[] = {{Priv::none, USM_CREATE_USER_PRIV_NONE},
                            {Priv::des, USM_CREATE_USER_PRIV_DES},
                            {Priv::aes128, USM_CREATE_USER_PRIV_AES},
                            {Priv::aes192, USM_CREATE_USER_PRIV_AES192},
                            {Priv::aes192c, USM_CREATE_USER_PRIV_AES192_CISCO},
                            {Priv::aes256, USM_CREATE_USER_PRIV_AES256},
                            {Priv::aes256c, USM_CREATE_USER_PRIV_AES256_CISCO}};

Bytes reference_ku(int auth, std::string_view password) {
    std::size_t count = 0;
    const oid* name = sc_get_auth_oid(auth, &count);
    Bytes out(64);
    std::size_t size = out.size();
    REQUIRE(generate_Ku(name, static_cast<u_int>(count), as_bytes(password).data(), password.size(),
                        out.data(), &size) == SNMPERR_SUCCESS);
    out.resize(size);
    return out;
}

// One user at one engine, known to both sides.
struct Pair {
    User user;
    Engine engine;
    netsnmp_session session = session_of(SNMP_VERSION_3);
    std::string auth_password, priv_password;

    Pair(Cases& cases, const Protocol& auth, const Cipher& priv) {
        user.name = "ops" + std::to_string(cases.below(1'000'000'000));
        user.auth = auth.ours;
        user.priv = priv.ours;
        auth_password = cases.text(8 + cases.below(60));
        priv_password = cases.text(8 + cases.below(60));
        user.auth_key = Key(crypto::password_key(hash_of(auth.ours), as_bytes(auth_password)));
        user.priv_key = Key(crypto::password_key(hash_of(auth.ours), as_bytes(priv_password)));
        engine.id = to_bytes(as_bytes("\x80" + cases.text(4 + cases.below(28))));
        engine.boots = static_cast<std::uint32_t>(1 + cases.below(1000));
        engine.time = static_cast<std::uint32_t>(cases.below(1'000'000'000));
        localise(user, engine);

        session.securityModel = SNMP_SEC_MODEL_USM;
        session.securityName = user.name.data();
        session.securityNameLen = user.name.size();
        session.securityLevel =
            priv.ours == Priv::none ? SNMP_SEC_LEVEL_AUTHNOPRIV : SNMP_SEC_LEVEL_AUTHPRIV;
        session.securityEngineID = engine.id.data();
        session.securityEngineIDLen = engine.id.size();
        session.securityAuthProto = sc_get_auth_oid(auth.reference, &session.securityAuthProtoLen);
        session.securityPrivProto = sc_get_priv_oid(priv.reference, &session.securityPrivProtoLen);
        const auto keep = [](const Bytes& key, u_char* to, std::size_t& size) {
            std::memcpy(to, key.data(), key.size());
            size = key.size();
        };
        keep(reference_ku(auth.reference, auth_password), session.securityAuthKey,
             session.securityAuthKeyLen);
        if (priv.ours != Priv::none)
            keep(reference_ku(auth.reference, priv_password), session.securityPrivKey,
                 session.securityPrivKeyLen);
        REQUIRE(usm_create_user_from_session(&session) == SNMPERR_SUCCESS);
        REQUIRE(set_enginetime(engine.id.data(), static_cast<u_int>(engine.id.size()), engine.boots,
                               engine.time, TRUE) == SNMPERR_SUCCESS);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    ~Pair() {
        usmUser* const known = reference_user();
        usm_remove_user(known);  // gives the list
        usm_free_user(known);
    }

    usmUser* reference_user() {
        return usm_get_user(engine.id.data(), engine.id.size(), user.name.c_str());
    }
};

template <typename Check>
void with_every_protocol(Check check) {
    for (const Protocol& auth : auths)
        for (const Cipher& priv : privs)
            for (std::uint64_t seed = 0; seed < 3; ++seed) {
                INFO(auth_name(auth.ours) << ' ' << priv_name(priv.ours) << " seed " << seed);
                Cases cases(seed);
                Pair pair(cases, auth, priv);
                check(cases, pair);
            }
}

}  // namespace

TEST_CASE("messages of v1 and v2c are net-snmp's octets, and are read alike") {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        INFO("seed " << seed);
        Cases cases(seed);
        const bool v1 = seed % 4 == 0;
        constexpr PduType old_types[] = {PduType::get, PduType::get_next, PduType::response,
                                         PduType::trap_v1};
        constexpr PduType new_types[] = {PduType::get,      PduType::get_next, PduType::response,
                                         PduType::get_bulk, PduType::inform,   PduType::trap};
        CommunityMessage message;
        message.version = v1 ? Version::v1 : Version::v2c;
        message.community = cases.text(1 + cases.below(40));
        message.pdu = cases.pdu(v1 ? old_types[cases.below(4)] : new_types[cases.below(6)]);
        const Bytes ours = write_community_message(message);

        netsnmp_session session = session_of(v1 ? SNMP_VERSION_1 : SNMP_VERSION_2c);
        const ReferencePdu pdu = reference_pdu(message.pdu);
        pdu->community = copied(as_bytes(message.community));
        pdu->community_len = message.community.size();
        CHECK(to_hex(reference_octets(session, *pdu)) == to_hex(ours));

        const ReferencePdu theirs = reference_read(session, ours);
        REQUIRE(theirs);
        check_alike(pdu_of(*theirs), message.pdu);
        const auto back = read_community_message(ours);
        REQUIRE(back);
        CHECK(back->version == message.version);
        CHECK(back->community == message.community);
        check_alike(back->pdu, message.pdu);
    }
}

TEST_CASE("octets with one wrong bit are refused or read as net-snmp reads them") {
    std::size_t taken = 0, refused = 0;
    for (std::uint64_t seed = 0; seed < 2 * 20'000; seed += 2) {
        Cases cases(seed);
        CommunityMessage message;
        message.community = "public";
        message.pdu = cases.pdu(PduType::response);
        Bytes octets = write_community_message(message);
        const std::size_t at = cases.below(octets.size());
        octets[at] ^= static_cast<std::uint8_t>(1U << cases.below(8));
        INFO("seed " << seed << ", octet " << at << " of " << to_hex(octets));
        netsnmp_session session = session_of(SNMP_VERSION_2c);
        auto ours = read_community_message(octets);
        const ReferencePdu theirs = reference_read(session, octets);
        // Alone: ours reads past a value of a type it does not know, net-snmp past a wrong length
        // of a varbind.
        if (!ours || !theirs) {
            ++refused;
            continue;
        }
        ++taken;
        Pdu other = pdu_of(*theirs);
        REQUIRE(ours->pdu.varbinds.size() == other.varbinds.size());
        for (std::size_t i = 0; i < other.varbinds.size(); ++i) {
            Value& value = ours->pdu.varbinds[i].value;
            if (value.type == Type::null)  // no value rather than a doubtful one
                other.varbinds[i].value = {};
            const auto* real = std::get_if<double>(&value.data);
            if (real && std::isnan(*real)) {
                CHECK(std::isnan(std::get<double>(other.varbinds[i].value.data)));
                value = other.varbinds[i].value = {};
            }
        }
        check_alike(ours->pdu, other);
    }
    CHECK(taken > 10'000);
    CHECK(refused > 1000);
}

TEST_CASE("keys of passwords, engines and ciphers are net-snmp's") {
    with_every_protocol([](Cases&, Pair& pair) {
        const auto key = [](const u_char* octets, std::size_t size) {
            return to_hex(ByteView(octets, size));
        };
        CHECK(to_hex(pair.user.auth_key.bytes) ==
              key(pair.session.securityAuthKey, pair.session.securityAuthKeyLen));
        const usmUser* theirs = pair.reference_user();
        REQUIRE(theirs);
        CHECK(to_hex(pair.engine.auth_key.bytes) == key(theirs->authKey, theirs->authKeyLen));
        if (pair.user.priv == Priv::none)
            return;
        // net-snmp may keep more octets than the cipher takes.
        REQUIRE(theirs->privKeyLen >= pair.engine.priv_key.bytes.size());
        CHECK(to_hex(pair.engine.priv_key.bytes) ==
              key(theirs->privKey, pair.engine.priv_key.bytes.size()));
    });
}

TEST_CASE("version 3: what ours signs and encrypts, net-snmp takes") {
    with_every_protocol([](Cases& cases, Pair& pair) {
        V3Message message;
        message.id = static_cast<std::int64_t>(cases.number(31));
        message.authenticated = true;
        message.encrypted = pair.user.priv != Priv::none;
        message.engine_id = pair.engine.id;
        message.context_engine_id = to_bytes(as_bytes(cases.text(5 + cases.below(20))));
        message.context = cases.text(cases.below(30));
        message.boots = pair.engine.boots;
        message.time = pair.engine.time;
        message.user = pair.user.name;
        constexpr PduType types[] = {PduType::get,    PduType::get_next, PduType::get_bulk,
                                     PduType::inform, PduType::trap,     PduType::response};
        message.pdu = cases.pdu(types[cases.below(6)]);
        const Bytes octets = write_v3(message, pair.user, pair.engine, cases.number(64));
        const ReferencePdu theirs = reference_read(pair.session, octets);
        REQUIRE(theirs);
        CHECK(theirs->msgid == message.id);
        CHECK(theirs->securityLevel == pair.session.securityLevel);
        CHECK(std::string(theirs->contextName, theirs->contextNameLen) == message.context);
        CHECK(to_hex(ByteView(theirs->contextEngineID, theirs->contextEngineIDLen)) ==
              to_hex(message.context_engine_id));
        check_alike(pdu_of(*theirs), message.pdu);

        // One bit of the digest or of what it covers: refused by both.
        Bytes changed = octets;
        changed[cases.below(changed.size())] ^= static_cast<std::uint8_t>(1U << cases.below(8));
        const auto ours = read_v3(changed, &pair.user, &pair.engine);
        CHECK((!ours || !ours->authenticated));
        CHECK_FALSE(reference_read(pair.session, changed));
    });
}

TEST_CASE("version 3: what net-snmp signs and encrypts, ours takes") {
    with_every_protocol([](Cases& cases, Pair& pair) {
        constexpr PduType types[] = {PduType::get, PduType::get_next, PduType::get_bulk,
                                     PduType::inform, PduType::trap};
        const Pdu sent = cases.pdu(types[cases.below(5)]);
        const std::string context = cases.text(cases.below(30));
        const ReferencePdu pdu = reference_pdu(sent);
        pdu->contextName = static_cast<char*>(calloc(1, context.size() + 1));
        std::memcpy(pdu->contextName, context.data(), context.size());
        pdu->contextNameLen = context.size();
        const Bytes octets = reference_octets(pair.session, *pdu);
        const auto back = read_v3(octets, &pair.user, &pair.engine);
        REQUIRE(back.has_value());
        CHECK(back->id == pdu->msgid);
        CHECK(back->authenticated);
        CHECK(back->encrypted == (pair.user.priv != Priv::none));
        CHECK(back->reportable == (sent.type != PduType::trap));
        CHECK(back->engine_id == pair.engine.id);
        CHECK(back->context_engine_id == pair.engine.id);
        CHECK(back->boots == pair.engine.boots);
        CHECK(back->time >= pair.engine.time);  // its clock runs
        CHECK(back->time <= pair.engine.time + 60);
        CHECK(back->user == pair.user.name);
        CHECK(back->context == context);
        check_alike(back->pdu, sent);
    });
}

TEST_CASE("object identifiers at the edges are read as net-snmp reads them") {
    // (octets, whether both take them)
    const std::pair<const char*, bool> edges[] = {
        {"00", true},             // 0.0
        {"27", true},             // 0.39
        {"28", true},             // 1.0
        {"4f", true},             // 1.39
        {"50", true},             // 2.0
        {"8837", true},           // 2.999
        {"2b8fffffff7f", true},   // an arc of 32 bits
        {"2b9fffffff7f", false},  // of 33
        {"2b86", false},          // ends within an arc
    };
    for (const auto& [hex, taken] : edges) {
        INFO(hex);
        Bytes content;
        REQUIRE(from_hex(hex, content));
        Bytes item{tag::oid, static_cast<std::uint8_t>(content.size())};
        item.insert(item.end(), content.begin(), content.end());
        oid arcs[MAX_OID_LEN];
        std::size_t count = MAX_OID_LEN, left = item.size();
        u_char type = 0;
        const bool theirs = asn_parse_objid(item.data(), &left, &type, arcs, &count) != nullptr;
        const auto ours = ber_oid(content);
        CHECK(theirs == taken);
        CHECK(ours.has_value() == taken);
        if (theirs && ours)
            CHECK(*ours == narrow(arcs, count));
    }
}
