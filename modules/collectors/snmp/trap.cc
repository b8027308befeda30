#include "modules/collectors/snmp/trap.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/crypto/hash.h"
#include "modules/collectors/snmp/text_form.h"

namespace amoskys::snmp {
namespace {

const Oid uptime_oid{1, 3, 6, 1, 2, 1, 1, 3, 0};
const Oid trap_oid{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
const Oid standard_traps{1, 3, 6, 1, 6, 3, 1, 1, 5};
const Oid if_index{1, 3, 6, 1, 2, 1, 2, 2, 1, 1};
constexpr std::uint32_t link_down = 3, link_up = 4, authentication_failure = 5;
constexpr std::size_t max_field_bytes = 1024, max_fields = 200;
constexpr std::uint8_t flag_auth = 1, flag_reportable = 4;
constexpr std::uint32_t boots_max = 0x7fffffff;  // RFC 3414: such an engine is never in time
constexpr std::uint32_t time_window_s = 150;     // RFC 3414 section 2.2.3

// The number of a standard trap, else 0.
std::uint32_t standard_number(const Oid& oid) {
    return starts_with(oid, standard_traps) && oid.size() == standard_traps.size() + 1 ? oid.back()
                                                                                       : 0;
}

std::string name_of(const Oid& oid) {
    constexpr std::string_view names[] = {"",
                                          "coldStart",
                                          "warmStart",
                                          "linkDown",
                                          "linkUp",
                                          "authenticationFailure",
                                          "egpNeighborLoss"};
    const std::uint32_t number = standard_number(oid);
    return number != 0 && number < std::size(names) ? std::string(names[number]) : format_oid(oid);
}

std::string value_text(const Value& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value.data))
        return std::to_string(*integer);
    if (const auto* natural = std::get_if<std::uint64_t>(&value.data))
        return std::to_string(*natural);
    if (const auto* real = std::get_if<double>(&value.data))
        return std::to_string(*real);
    if (const auto* oid = std::get_if<Oid>(&value.data))
        return format_oid(*oid);
    const auto* raw = std::get_if<std::string>(&value.data);
    if (!raw)
        return "";
    if (value.type == Type::ip_address)
        return by_hint("1d.", *raw).value_or("");
    const std::string_view part = std::string_view(*raw).substr(0, max_field_bytes);
    const bool text =
        valid_utf8(part) && std::ranges::none_of(part, [](char c) {
            return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && c != '\r';
        });
    return text ? std::string(part) : to_hex(as_bytes(part));
}

std::optional<Notification> notification_of(Pdu pdu, Version version) {
    Notification out;
    out.version = version;
    out.inform = pdu.type == PduType::inform;
    if (pdu.type == PduType::trap_v1) {
        out.uptime_ticks = pdu.uptime_ticks;
        if (pdu.generic_trap >= 0 && pdu.generic_trap < 6) {
            out.oid = standard_traps;
            out.oid.push_back(static_cast<std::uint32_t>(pdu.generic_trap + 1));
        } else {
            out.oid = std::move(pdu.enterprise);
            out.oid.push_back(0);
            out.oid.push_back(static_cast<std::uint32_t>(pdu.specific_trap));
        }
        out.varbinds = std::move(pdu.varbinds);
        return out;
    }
    // RFC 3416 section 4.2.6: the first two are the uptime and the name.
    if (pdu.varbinds.size() < 2 || pdu.varbinds[0].oid != uptime_oid ||
        pdu.varbinds[1].oid != trap_oid)
        return std::nullopt;
    const auto* ticks = std::get_if<std::uint64_t>(&pdu.varbinds[0].value.data);
    const auto* name = std::get_if<Oid>(&pdu.varbinds[1].value.data);
    if (!ticks || !name)
        return std::nullopt;
    out.uptime_ticks = *ticks;
    out.oid = *name;
    pdu.varbinds.erase(pdu.varbinds.begin(), pdu.varbinds.begin() + 2);
    out.varbinds = std::move(pdu.varbinds);
    return out;
}

bool is_notification(PduType type) {
    return type == PduType::trap_v1 || type == PduType::trap || type == PduType::inform;
}

Pdu answer_to(const Pdu& inform) {
    Pdu out = inform;
    out.type = PduType::response;
    out.error_status = out.error_index = 0;
    return out;
}

ReceivedTrap dropped(TrapDrop drop) {
    return {drop, std::nullopt, {}};
}

}  // namespace

std::string_view trap_drop_name(TrapDrop drop) {
    switch (drop) {
        case TrapDrop::none:
            break;
        case TrapDrop::malformed:
            return "malformed";
        case TrapDrop::wrong_community:
            return "wrong_community";
        case TrapDrop::not_authentic:
            return "not_authentic";
        case TrapDrop::not_in_time:
            return "not_in_time";
        case TrapDrop::not_a_trap:
            return "not_a_trap";
    }
    return "none";
}

TrapDecoder::TrapDecoder(std::shared_ptr<const Credentials> credentials, std::string_view host_name,
                         std::int64_t started_s)
    : credentials_(std::move(credentials)) {
    // RFC 3411, snmpEngineID: the new form, no enterprise, a text: stable for this host.
    own_.id = {0x80, 0, 0, 0, 4};
    const Bytes digest = crypto::hash(crypto::HashName::sha256, {as_bytes(host_name)});
    own_.id.insert(own_.id.end(), digest.begin(), digest.begin() + 16);
    own_.boots = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(started_s - 1'600'000'000, 1, 0x7ffffffe));
    own_.read_at_s = started_s;
    localise(credentials_->user, own_);
    std::array<std::uint8_t, 8> salt{};
    crypto::random_bytes(salt);
    salt_ = load_be64(salt.data());
}

ReceivedTrap TrapDecoder::take(ByteView datagram, std::int64_t now_s) {
    const auto version = message_version(datagram);
    if (!version)
        return dropped(TrapDrop::malformed);
    if (version == Version::v3)
        return take_v3(datagram, now_s);
    auto message = read_community_message(datagram);
    if (!message)
        return dropped(TrapDrop::malformed);
    if (!crypto::equal(as_bytes(message->community), as_bytes(credentials_->community.value)))
        return dropped(TrapDrop::wrong_community);
    if (!is_notification(message->pdu.type))
        return dropped(TrapDrop::not_a_trap);
    ReceivedTrap out;
    if (message->pdu.type == PduType::inform)
        out.reply = write_community_message(
            {message->version, message->community, answer_to(message->pdu)});
    out.notification = notification_of(std::move(message->pdu), message->version);
    return out.notification ? std::move(out) : dropped(TrapDrop::malformed);
}

// An engine is kept once its keys have fitted: strangers can push no known sender out.
boost::system::result<V3Message, V3Fault> TrapDecoder::open_v3(ByteView datagram,
                                                               const V3Header& header) {
    const User& user = credentials_->user;
    if (header.engine_id == own_.id)
        return read_v3(datagram, &user, &own_);
    if (const auto known = engines_.find(header.engine_id); known != engines_.end())
        return read_v3(datagram, &user, &known->second);
    Engine engine;
    engine.id = header.engine_id;
    localise(user, engine);
    auto message = read_v3(datagram, &user, &engine);
    if (message && message->authenticated) {
        if (engines_.size() >= max_engines)
            engines_.erase(engines_.begin());
        engines_.emplace(engine.id, std::move(engine));
    }
    return message;
}

// RFC 3414 section 3.2, step 7b: the sender's clock as it was last told, and as it has run since.
bool TrapDecoder::sent_in_time(const V3Message& message, std::int64_t now_s) {
    const auto known = engines_.find(message.engine_id);
    if (known == engines_.end())
        return true;  // not authenticated: no clock either
    Engine& sender = known->second;
    const bool newer = message.boots > sender.boots ||
                       (message.boots == sender.boots && message.time > sender.time);
    if (sender.read_at_s == 0 || newer) {
        sender.boots = message.boots;
        sender.time = message.time;
        sender.read_at_s = now_s;
    }
    return message.boots == sender.boots && message.boots != boots_max &&
           std::uint64_t{message.time} + time_window_s >= sender.time_at(now_s);
}

Bytes TrapDecoder::report(const V3Header& to, std::uint32_t counter, bool authenticated,
                          std::int64_t now_s) {
    V3Message out;
    out.id = to.id;
    out.authenticated = authenticated;
    out.engine_id = out.context_engine_id = own_.id;
    out.boots = own_.boots;
    out.time = own_.time_at(now_s);
    out.user = to.user;
    out.pdu.type = PduType::report;
    out.pdu.varbinds = {
        {Oid{1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0}, {Type::counter32, std::uint64_t{1}}}};
    return write_v3(out, credentials_->user, own_, 0);
}

ReceivedTrap TrapDecoder::take_v3(ByteView datagram, std::int64_t now_s) {
    const auto header = read_v3_header(datagram);
    if (!header)
        return dropped(TrapDrop::malformed);
    const User& user = credentials_->user;
    const bool reportable = (header->flags & flag_reportable) != 0;
    if (user.name.empty())
        return dropped(TrapDrop::not_authentic);
    ReceivedTrap out;
    if (reportable && header->engine_id != own_.id) {
        // A sender of informs that looks for our engine.
        out.reply = report(*header, 4, false, now_s);
        return out;
    }
    if (header->user != user.name)
        return dropped(TrapDrop::not_authentic);
    auto message = open_v3(datagram, *header);
    if (!message)
        return dropped(message.error() == V3Fault::malformed ? TrapDrop::malformed
                                                             : TrapDrop::not_authentic);
    // Not below the level of the user.
    if (message->authenticated != (user.auth != Auth::none) ||
        message->encrypted != (user.priv != Priv::none))
        return dropped(TrapDrop::not_authentic);
    if (!is_notification(message->pdu.type) || message->pdu.type == PduType::trap_v1)
        return dropped(TrapDrop::not_a_trap);
    if (message->pdu.type == PduType::inform) {
        if (header->engine_id != own_.id)
            return dropped(TrapDrop::not_authentic);
        const std::uint32_t time = own_.time_at(now_s);
        const bool in_time = !message->authenticated || (message->boots == own_.boots &&
                                                         message->time + time_window_s >= time &&
                                                         message->time <= time + time_window_s);
        if (!in_time) {
            out.reply = report(*header, 2, (header->flags & flag_auth) != 0, now_s);
            return out;
        }
        V3Message reply = *message;
        reply.pdu = answer_to(message->pdu);
        reply.reportable = false;
        reply.time = time;
        out.reply = write_v3(reply, user, own_, ++salt_);
    } else if (!sent_in_time(*message, now_s)) {
        return dropped(TrapDrop::not_in_time);
    }
    out.notification = notification_of(std::move(message->pdu), Version::v3);
    return out.notification ? std::move(out) : dropped(TrapDrop::malformed);
}

bool SourceLimit::allow(const std::string& source, double now_s) {
    auto known = buckets_.find(source);
    if (known == buckets_.end() && buckets_.size() >= max_sources)
        std::erase_if(buckets_, [&](const auto& one) {
            return one.second.tokens + (now_s - one.second.at_s) * per_second_ >= 2 * per_second_;
        });
    if (known == buckets_.end())
        known = buckets_
                    .try_emplace(buckets_.size() < max_sources ? source : std::string(),
                                 Bucket{2 * per_second_, now_s})
                    .first;
    Bucket& bucket = known->second;
    bucket.tokens = std::min(bucket.tokens + (now_s - bucket.at_s) * per_second_, 2 * per_second_);
    bucket.at_s = now_s;
    if (bucket.tokens < 1)
        return false;
    bucket.tokens -= 1;
    return true;
}

messaging::DeviceTelemetry trap_record(const Notification& trap, const std::string& device_id,
                                       const std::string& address, UnixNanos time_ns) {
    messaging::DeviceTelemetry record;
    record.set_device_id(device_id);
    record.set_device_type("NETWORK");
    record.set_protocol("SNMP");
    record.set_collection_agent("amoskys-snmp");
    record.set_agent_version(AMOSKYS_VERSION);
    record.set_timestamp_ns(time_ns);
    record.mutable_metadata()->set_ip_address(address);
    const std::uint32_t standard = standard_number(trap.oid);
    const std::string name = name_of(trap.oid);
    const bool warns = standard == link_down || standard == authentication_failure;
    messaging::TelemetryEvent& event = *record.add_events();
    event.set_event_type("LOG");
    event.set_severity(warns ? "WARN" : "INFO");
    event.set_source_component("snmptrap");
    messaging::LogData& log = *event.mutable_log_data();
    log.set_log_level(trap.inform ? "inform" : "trap");
    log.set_message(name);
    log.set_security_relevant(standard == authentication_failure);
    auto& fields = *log.mutable_fields();
    fields["snmpTrapOID"] = format_oid(trap.oid);
    fields["sysUpTime"] = std::to_string(trap.uptime_ticks);
    std::string row;
    for (const Varbind& varbind : trap.varbinds) {
        if (fields.size() >= max_fields)
            break;
        fields[format_oid(varbind.oid)] = value_text(varbind.value);
        if (starts_with(varbind.oid, if_index))
            row = value_text(varbind.value);
    }
    if (standard == link_down || standard == link_up) {
        messaging::TelemetryEvent& second = *record.add_events();
        second.set_event_type("ALARM");
        second.set_severity(warns ? "WARN" : "INFO");
        second.set_source_component("snmptrap");
        messaging::AlarmData& alarm = *second.mutable_alarm_data();
        alarm.set_alarm_id(device_id + "/link_down" + (row.empty() ? "" : '/' + row));
        alarm.set_alarm_name("link_down");
        alarm.set_alarm_type("TRAP");
        alarm.set_state(standard == link_down ? "ACTIVE" : "CLEARED");
        alarm.set_description(name + (row.empty() ? "" : " of interface " + row));
        alarm.set_priority(standard == link_down ? "HIGH" : "LOW");
        (standard == link_down ? alarm.set_alarm_time_ns(time_ns)
                               : alarm.set_clear_time_ns(time_ns));
        if (!row.empty())
            (*second.mutable_attributes())["index"] = row;
    }
    record.set_batch_size(static_cast<std::uint32_t>(record.events_size()));
    return record;
}

}  // namespace amoskys::snmp
