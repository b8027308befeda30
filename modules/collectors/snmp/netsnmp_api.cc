#include "modules/collectors/snmp/netsnmp_api.h"

#include <net-snmp/net-snmp-config.h>
// The configuration header comes first.
#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/net-snmp-includes.h>

#include <cstdlib>
#include <mutex>

namespace amoskys::snmp {
namespace {

extern "C" int amoskys_snmp_callback(int operation, netsnmp_session*, int, netsnmp_pdu* pdu,
                                     void* magic) {
    return static_cast<NetsnmpSession*>(magic)->on_callback(operation, pdu);
}

std::uint64_t natural(const counter64& value) {
    return (std::uint64_t{static_cast<std::uint32_t>(value.high)} << 32) |
           static_cast<std::uint32_t>(value.low);
}

Oid to_oid(const oid* arcs, std::size_t count) {
    Oid out(count);
    for (std::size_t i = 0; i < count; ++i)
        out[i] = static_cast<std::uint32_t>(arcs[i]);
    return out;
}

Value to_value(const netsnmp_variable_list& v) {
    const auto unsigned32 = [&v] {
        return std::uint64_t{static_cast<std::uint32_t>(*v.val.integer)};
    };
    const auto text = [&v] {
        return std::string(reinterpret_cast<const char*>(v.val.string), v.val_len);
    };
    switch (v.type) {
        case ASN_INTEGER:
            return {Type::integer, std::int64_t{*v.val.integer}};
        case ASN_COUNTER:
            return {Type::counter32, unsigned32()};
        case ASN_GAUGE:
        case ASN_UINTEGER:
            return {Type::gauge32, unsigned32()};
        case ASN_TIMETICKS:
            return {Type::time_ticks, unsigned32()};
        case ASN_COUNTER64:
        case ASN_OPAQUE_COUNTER64:
        case ASN_OPAQUE_U64:
            return {Type::counter64, natural(*v.val.counter64)};
        case ASN_OPAQUE_I64:
            return {Type::integer, static_cast<std::int64_t>(natural(*v.val.counter64))};
        case ASN_OPAQUE_FLOAT:
            return {Type::real, double{*v.val.floatVal}};
        case ASN_OPAQUE_DOUBLE:
            return {Type::real, *v.val.doubleVal};
        case ASN_OCTET_STR:
        case ASN_BIT_STR:
            return {Type::octets, text()};
        case ASN_IPADDRESS:
            return {Type::ip_address, text()};
        case ASN_OPAQUE:
            return {Type::opaque, text()};
        case ASN_OBJECT_ID:
            return {Type::oid, to_oid(v.val.objid, v.val_len / sizeof(oid))};
        case SNMP_NOSUCHOBJECT:
            return {Type::no_such_object, {}};
        case SNMP_NOSUCHINSTANCE:
            return {Type::no_such_instance, {}};
        case SNMP_ENDOFMIBVIEW:
            return {Type::end_of_mib_view, {}};
        default:
            return {};
    }
}

ErrorStatus to_status(long status) {
    switch (status) {
        case SNMP_ERR_NOERROR:
            return ErrorStatus::none;
        case SNMP_ERR_TOOBIG:
            return ErrorStatus::too_big;
        case SNMP_ERR_NOSUCHNAME:
            return ErrorStatus::no_such_name;
        default:
            return ErrorStatus::general_error;
    }
}

// The library's message for the last failure of a session (null: of opening one).
Error netsnmp_error(void* handle, netsnmp_session* opening, std::string_view what) {
    char* text = nullptr;
    int system = 0, library = 0;
    if (handle)
        snmp_sess_error(handle, &system, &library, &text);
    else
        snmp_error(opening, &system, &library, &text);
    std::string message = std::string(what) + ": " + (text ? text : "unknown");
    std::free(text);
    return make_error(ErrorKind::unavailable, "snmp_session", std::move(message));
}

}  // namespace

void initialise_netsnmp() {
    static std::once_flag once;
    std::call_once(once, [] {
        const auto set = [](int what) { netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, what, 1); };
        set(NETSNMP_DS_LIB_DONT_READ_CONFIGS);
        set(NETSNMP_DS_LIB_DONT_PERSIST_STATE);
        set(NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD);
        set(NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE);
        set(NETSNMP_DS_LIB_DISABLE_CONFIG_LOAD);
        netsnmp_ds_set_string(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_MIBDIRS, "");
        snmp_disable_log();
        init_snmp("amoskys");
        snmp_disable_log();
    });
}

NetsnmpSession::~NetsnmpSession() {
    if (handle_)
        snmp_sess_close(handle_);
}

Result<> NetsnmpSession::open(const Peer& peer) {
    const bool v6 = peer.transport.ends_with('6');
    std::string name = peer.transport + ':' + (v6 ? '[' + peer.address + ']' : peer.address) + ':' +
                       std::to_string(peer.port);
    config::Secret community = peer.community;  // net-snmp copies it; ours is zeroed
    netsnmp_session session;
    snmp_sess_init(&session);
    session.peername = name.data();
    session.version = peer.version == Version::v1 ? SNMP_VERSION_1 : SNMP_VERSION_2c;
    session.community = reinterpret_cast<u_char*>(community.value.data());
    session.community_len = community.value.size();
    session.retries = static_cast<int>(peer.retries);
    session.timeout = static_cast<long>(
        std::chrono::duration_cast<std::chrono::microseconds>(peer.timeout).count());
    session.callback = amoskys_snmp_callback;
    session.callback_magic = this;
    handle_ = snmp_sess_open(&session);
    if (!handle_)
        return netsnmp_error(nullptr, &session, "opening " + name);
    return {};
}

Result<> NetsnmpSession::send(const Request& request) {
    const int command = request.operation == Operation::get        ? SNMP_MSG_GET
                        : request.operation == Operation::get_next ? SNMP_MSG_GETNEXT
                                                                   : SNMP_MSG_GETBULK;
    netsnmp_pdu* pdu = snmp_pdu_create(command);
    if (!pdu)
        return make_error(ErrorKind::unavailable, "snmp_session", "no memory for a request");
    if (request.operation == Operation::get_bulk) {
        pdu->non_repeaters = 0;
        pdu->max_repetitions = static_cast<long>(request.repetitions);
    }
    std::vector<oid> arcs;
    for (const Oid& one : request.oids) {
        arcs.assign(one.begin(), one.end());
        snmp_add_null_var(pdu, arcs.data(), arcs.size());
    }
    event_ = Event::none;
    if (snmp_sess_async_send(handle_, pdu, amoskys_snmp_callback, this) == 0) {
        snmp_free_pdu(pdu);
        return netsnmp_error(handle_, nullptr, "sending");
    }
    return {};
}

int NetsnmpSession::fd() const {
    netsnmp_transport* transport = handle_ ? snmp_sess_transport(handle_) : nullptr;
    return transport ? transport->sock : -1;
}

void NetsnmpSession::read() {
    const int socket = fd();
    if (socket < 0)
        return;
    netsnmp_large_fd_set readable;
    netsnmp_large_fd_set_init(&readable, socket + 1);
    NETSNMP_LARGE_FD_SET(socket, &readable);
    snmp_sess_read2(handle_, &readable);
    netsnmp_large_fd_set_cleanup(&readable);
}

void NetsnmpSession::on_timer() {
    snmp_sess_timeout(handle_);
}

NetsnmpSession::Event NetsnmpSession::take_event() {
    return std::exchange(event_, Event::none);
}

int NetsnmpSession::on_callback(int operation, void* opaque) {
    const auto* pdu = static_cast<const netsnmp_pdu*>(opaque);
    switch (operation) {
        case NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE:
            break;
        case NETSNMP_CALLBACK_OP_TIMED_OUT:
            event_ = Event::timed_out;
            return 1;
        case NETSNMP_CALLBACK_OP_RESEND:
            ++retried_;
            return 1;
        case NETSNMP_CALLBACK_OP_SEND_FAILED:
        case NETSNMP_CALLBACK_OP_DISCONNECT:
        case NETSNMP_CALLBACK_OP_SEC_ERROR:
            event_ = Event::failed;
            return 1;
        default:
            return 1;
    }
    if (!pdu || pdu->command != SNMP_MSG_RESPONSE)
        return 0;  // not the answer: the request stays open
    response_ = {};
    response_.status = to_status(pdu->errstat);
    response_.error_index = pdu->errindex > 0 ? static_cast<std::size_t>(pdu->errindex) : 0;
    for (const netsnmp_variable_list* v = pdu->variables; v; v = v->next_variable)
        response_.varbinds.push_back({to_oid(v->name, v->name_length), to_value(*v)});
    event_ = Event::response;
    return 1;
}

}  // namespace amoskys::snmp
