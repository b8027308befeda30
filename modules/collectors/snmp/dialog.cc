#include "modules/collectors/snmp/dialog.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/crypto/hash.h"

namespace amoskys::snmp {
namespace {

constexpr unsigned max_again = 4;  // discovery, clock, and both once more after a restart

// usmStats (RFC 3414), snmpMPDStats (RFC 3412), snmpUnknownContexts (RFC 3413): without the .0.
const Oid usm_stats{1, 3, 6, 1, 6, 3, 15, 1, 1};
const Oid mpd_stats{1, 3, 6, 1, 6, 3, 11, 2, 1};
const Oid target_stats{1, 3, 6, 1, 6, 3, 12, 1};

std::uint64_t random64() {
    std::array<std::uint8_t, 8> octets{};
    crypto::random_bytes(octets);
    return load_be64(octets.data());
}

std::int64_t random_id() {
    return static_cast<std::int64_t>(random64() & 0x3fffffffU) + 1;
}

ErrorStatus to_status(std::int64_t status) {
    switch (status) {
        case 0:
            return ErrorStatus::none;
        case 1:
            return ErrorStatus::too_big;
        case 2:
            return ErrorStatus::no_such_name;
        case 16:
            return ErrorStatus::no_access;
        default:
            return ErrorStatus::general_error;
    }
}

Response to_response(Pdu pdu) {
    Response out;
    out.status = to_status(pdu.error_status);
    out.error_index = pdu.error_index > 0 ? static_cast<std::size_t>(pdu.error_index) : 0;
    out.varbinds = std::move(pdu.varbinds);
    return out;
}

std::string user_text(const User& user) {
    return "user " + printable(user.name);
}

}  // namespace

Dialog::Dialog(std::shared_ptr<const Credentials> credentials)
    : credentials_(std::move(credentials)), request_id_(random_id()), salt_(random64()) {}

void Dialog::begin(Request request) {
    request_ = std::move(request);
    request_id_ = request_id_ % 0x3fffffff + 1;
    again_ = 0;
}

Pdu Dialog::pdu() const {
    Pdu out;
    out.type = request_.operation == Operation::get        ? PduType::get
               : request_.operation == Operation::get_next ? PduType::get_next
                                                           : PduType::get_bulk;
    out.request_id = request_id_;
    out.error_index = request_.repetitions;
    for (const Oid& oid : request_.oids)
        out.varbinds.push_back({oid, {}});
    return out;
}

Bytes Dialog::octets(std::int64_t now_s) {
    if (credentials_->version != Version::v3)
        return write_community_message(
            {credentials_->version, credentials_->community.value, pdu()});
    V3Message message;
    message.id = request_id_;
    message.reportable = true;
    if (engine_.id.empty()) {
        // RFC 3414 section 4: a request of nobody for nothing; the report names the engine.
        message.pdu.request_id = request_id_;
        return write_v3(message, credentials_->user, engine_, 0);
    }
    message.authenticated = authenticates();
    message.encrypted = encrypts();
    message.engine_id = message.context_engine_id = engine_.id;
    message.context = credentials_->context;
    message.user = credentials_->user.name;
    if (message.authenticated) {
        message.boots = engine_.boots;
        message.time = engine_.time_at(now_s);
    }
    message.pdu = pdu();
    return write_v3(message, credentials_->user, engine_, ++salt_);
}

Dialog::Outcome Dialog::receive(ByteView datagram, std::int64_t now_s, Response& answer) {
    const auto version = message_version(datagram);
    if (version == Version::v3 && probe_id_ >= 0) {
        if (const auto header = read_v3_header(datagram); header && header->id == probe_id_) {
            note_probe(datagram, now_s);
            return Outcome::ignored;
        }
    }
    if (version != credentials_->version)
        return Outcome::ignored;
    return version == Version::v3 ? receive_v3(datagram, now_s, answer)
                                  : receive_community(datagram, answer);
}

Dialog::Outcome Dialog::receive_community(ByteView datagram, Response& answer) {
    auto message = read_community_message(datagram);
    if (!message || message->pdu.type != PduType::response ||
        message->pdu.request_id != request_id_)
        return Outcome::ignored;
    answer = to_response(std::move(message->pdu));
    return Outcome::answer;
}

Dialog::Outcome Dialog::receive_v3(ByteView datagram, std::int64_t now_s, Response& answer) {
    auto message = read_v3(datagram, &credentials_->user, &engine_);
    if (!message || message->id != request_id_)
        return Outcome::ignored;
    if (message->authenticated)
        keep_time(*message, now_s);
    if (message->pdu.type == PduType::report)
        return receive_report(*message, now_s);
    // An answer below the level of the request is none: anybody could have sent it.
    if (message->pdu.type != PduType::response || message->pdu.request_id != request_id_ ||
        message->authenticated != authenticates() || message->encrypted != encrypts() ||
        message->engine_id != engine_.id || message->user != credentials_->user.name)
        return Outcome::ignored;
    answer = to_response(std::move(message->pdu));
    return Outcome::answer;
}

void Dialog::keep_time(const V3Message& message, std::int64_t now_s) {
    if (message.boots > engine_.boots ||
        (message.boots == engine_.boots && message.time > engine_.time)) {
        engine_.boots = message.boots;
        engine_.time = message.time;
        engine_.read_at_s = now_s;
    }
}

void Dialog::learn_engine(const V3Message& message, std::int64_t now_s) {
    engine_ = {};
    engine_.id = message.engine_id;
    engine_.boots = message.boots;
    engine_.time = message.time;
    engine_.read_at_s = now_s;
    localise(credentials_->user, engine_);
}

Dialog::Outcome Dialog::refuse(std::string reason) {
    reason_ = std::move(reason);
    return Outcome::refused;
}

Dialog::Outcome Dialog::receive_report(const V3Message& message, std::int64_t now_s) {
    if (message.pdu.varbinds.empty())
        return Outcome::ignored;
    const Oid& oid = message.pdu.varbinds.front().oid;
    const User& user = credentials_->user;
    const auto counter = [&oid](const Oid& group) {
        return starts_with(oid, group) && oid.size() > group.size() ? oid[group.size()] : 0;
    };
    switch (counter(usm_stats)) {
        case 1:
            return refuse("the device does not allow " + user_text(user) + " at this level (" +
                          std::string(auth_name(user.auth)) + ", " +
                          std::string(priv_name(user.priv)) + "): unsupported security level");
        case 2:
            // Only an authenticated report may set the clock back (after a restart without stored
            // boots); keep_time() has moved it forward already.
            if (++again_ > max_again || !message.authenticated)
                return again_ > max_again
                           ? refuse(
                                 "the device's clock (engine boots and time) does not hold still")
                           : Outcome::ignored;
            engine_.boots = message.boots;
            engine_.time = message.time;
            engine_.read_at_s = now_s;
            return Outcome::again;
        case 3:
            return refuse("the device does not know " + user_text(user));
        case 4:
            if (++again_ > max_again || message.engine_id.empty() ||
                message.engine_id == engine_.id)
                return refuse("the device's engine id cannot be learned");
            learn_engine(message, now_s);
            return Outcome::again;
        case 5:
            return refuse("authentication of " + user_text(user) +
                          " failed: wrong authentication password or protocol (" +
                          std::string(auth_name(user.auth)) + ")");
        case 6:
            return refuse(
                "decryption at the device failed: wrong privacy password or protocol of " +
                user_text(user) + " (" + std::string(priv_name(user.priv)) + ")");
        default:
            break;
    }
    if (counter(target_stats) == 5 || counter(target_stats) == 4)
        return refuse("the device does not know context " + printable(credentials_->context));
    if (counter(mpd_stats) != 0)
        return refuse("the device says that it cannot process the message (report " +
                      format_oid(oid) + ")");
    return refuse("the device answers with report " + format_oid(oid));
}

Bytes Dialog::probe(std::int64_t now_s) {
    V3Message message;
    probe_id_ = message.id = message.pdu.request_id = random_id() | 0x40000000;
    message.reportable = true;
    found_ = Found::nothing;
    if (credentials_->version != Version::v3)
        return write_v3(message, credentials_->user, {}, 0);
    if (engine_.id.empty() || !encrypts())
        return {};
    message.authenticated = true;
    message.engine_id = message.context_engine_id = engine_.id;
    message.context = credentials_->context;
    message.user = credentials_->user.name;
    message.boots = engine_.boots;
    message.time = engine_.time_at(now_s);
    return write_v3(message, credentials_->user, engine_, 0);
}

void Dialog::note_probe(ByteView datagram, std::int64_t now_s) {
    const auto message = read_v3(datagram, &credentials_->user, &engine_);
    if (!message)
        return;
    if (message->authenticated) {
        keep_time(*message, now_s);
        found_ = Found::user;
    } else if (found_ == Found::nothing) {
        found_ = Found::engine;
    }
}

std::string Dialog::silence() const {
    const User& user = credentials_->user;
    if (credentials_->version != Version::v3)
        return found_ == Found::nothing
                   ? ""
                   : "an SNMP engine answers there (version 3 discovery), but not this community: "
                     "wrong community, or not allowed from this address";
    if (engine_.id.empty())
        return "";
    if (found_ == Found::user)
        return "authentication of " + user_text(user) +
               " holds, but nothing that is encrypted is answered: wrong privacy password or "
               "protocol (" +
               std::string(priv_name(user.priv)) + ")";
    return "the engine is there, but does not answer " + user_text(user) +
           ": unknown user or wrong passwords (this device sends no reports)";
}

}  // namespace amoskys::snmp
