#include "modules/collectors/snmp/message.h"

namespace amoskys::snmp {
namespace {

std::optional<std::vector<Varbind>> read_varbinds(ByteView content) {
    std::vector<Varbind> out;
    BerReader list(content);
    while (!list.done()) {
        const auto one = list.next(tag::sequence);
        if (!one || out.size() == max_varbinds)
            return std::nullopt;
        BerReader pair(*one);
        const auto name = pair.next(tag::oid);
        const auto item = pair.next();
        if (!name || !item || !pair.done())
            return std::nullopt;
        auto oid = ber_oid(*name);
        if (!oid)
            return std::nullopt;
        auto value = ber_value(*item);
        out.push_back({std::move(*oid), value ? std::move(*value) : Value{}});
    }
    return out;
}

bool read_trap_v1(BerReader& reader, Pdu& pdu) {
    const auto enterprise = reader.next(tag::oid);
    const auto address = reader.next(tag::ip_address);
    const auto generic = reader.integer(), specific = reader.integer();
    const auto ticks = reader.next(tag::time_ticks);
    if (!enterprise || !address || !generic || !specific || !ticks)
        return false;
    auto oid = ber_oid(*enterprise);
    const auto uptime = ber_unsigned(*ticks);
    if (!oid || !uptime)
        return false;
    pdu.enterprise = std::move(*oid);
    pdu.agent_address = to_string(*address);
    pdu.generic_trap = *generic;
    pdu.specific_trap = *specific;
    pdu.uptime_ticks = *uptime;
    return true;
}

}  // namespace

std::optional<Pdu> read_pdu(const BerItem& item) {
    Pdu pdu;
    pdu.type = static_cast<PduType>(item.tag);
    BerReader reader(item.content);
    switch (pdu.type) {
        case PduType::trap_v1:
            if (!read_trap_v1(reader, pdu))
                return std::nullopt;
            break;
        case PduType::get:
        case PduType::get_next:
        case PduType::response:
        case PduType::get_bulk:
        case PduType::inform:
        case PduType::trap:
        case PduType::report: {
            const auto id = reader.integer(), status = reader.integer(), index = reader.integer();
            if (!id || !status || !index)
                return std::nullopt;
            pdu.request_id = *id;
            pdu.error_status = *status;
            pdu.error_index = *index;
            break;
        }
        default:
            return std::nullopt;
    }
    const auto list = reader.next(tag::sequence);
    if (!list)
        return std::nullopt;
    auto varbinds = read_varbinds(*list);
    if (!varbinds)
        return std::nullopt;
    pdu.varbinds = std::move(*varbinds);
    return pdu;
}

void write_pdu(BerWriter& out, const Pdu& pdu) {
    const std::size_t whole = out.mark();
    for (std::size_t i = pdu.varbinds.size(); i-- > 0;) {
        const std::size_t one = out.mark();
        out.value(pdu.varbinds[i].value);
        out.oid(pdu.varbinds[i].oid);
        out.wrap(tag::sequence, one);
    }
    out.wrap(tag::sequence, whole);
    if (pdu.type == PduType::trap_v1) {
        out.unsigned_integer(pdu.uptime_ticks, tag::time_ticks);
        out.integer(pdu.specific_trap);
        out.integer(pdu.generic_trap);
        out.octets(as_bytes(pdu.agent_address), tag::ip_address);
        out.oid(pdu.enterprise);
    } else {
        out.integer(pdu.error_index);
        out.integer(pdu.error_status);
        out.integer(pdu.request_id);
    }
    out.wrap(static_cast<std::uint8_t>(pdu.type), whole);
}

std::optional<Version> message_version(ByteView message) {
    BerReader outer(message);
    const auto body = outer.next(tag::sequence);
    if (!body)
        return std::nullopt;
    const auto version = BerReader(*body).integer();
    if (version == 0)
        return Version::v1;
    if (version == 1)
        return Version::v2c;
    if (version == 3)
        return Version::v3;
    return std::nullopt;
}

std::optional<CommunityMessage> read_community_message(ByteView message) {
    BerReader outer(message);
    const auto body = outer.next(tag::sequence);
    if (!body)
        return std::nullopt;
    BerReader reader(*body);
    const auto version = reader.integer();
    const auto community = reader.next(tag::octets);
    const auto item = reader.next();
    if ((version != 0 && version != 1) || !community || !item)
        return std::nullopt;
    auto pdu = read_pdu(*item);
    if (!pdu)
        return std::nullopt;
    return CommunityMessage{version == 0 ? Version::v1 : Version::v2c, to_string(*community),
                            std::move(*pdu)};
}

Bytes write_community_message(const CommunityMessage& message) {
    BerWriter out;
    write_pdu(out, message.pdu);
    out.octets(as_bytes(message.community));
    out.integer(message.version == Version::v1 ? 0 : 1);
    out.wrap(tag::sequence, 0);
    return out.take();
}

}  // namespace amoskys::snmp
