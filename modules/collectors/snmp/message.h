// PDUs and the messages of SNMP versions 1 and 2c (RFC 1157, 1901, 3416). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "modules/collectors/snmp/ber.h"

namespace amoskys::snmp {

enum class PduType : std::uint8_t {
    get = 0xa0,
    get_next = 0xa1,
    response = 0xa2,
    trap_v1 = 0xa4,
    get_bulk = 0xa5,
    inform = 0xa6,
    trap = 0xa7,
    report = 0xa8,
};

struct Pdu {
    PduType type = PduType::get;
    std::int64_t request_id = 0;
    std::int64_t error_status = 0;  // get_bulk: non-repeaters
    std::int64_t error_index = 0;   // get_bulk: max-repetitions
    std::vector<Varbind> varbinds;
    // trap_v1 only, in place of the three numbers
    Oid enterprise;
    std::string agent_address;  // 4 octets
    std::int64_t generic_trap = 0, specific_trap = 0;
    std::uint64_t uptime_ticks = 0;
};

// Nothing for what is no PDU of the types above, for more than max_varbinds, or for an OID or value
// that is malformed; a value of an unknown type is read as null.
inline constexpr std::size_t max_varbinds = 100'000;
std::optional<Pdu> read_pdu(const BerItem& item);
void write_pdu(BerWriter& out, const Pdu& pdu);

enum class Version : std::uint8_t { v1, v2c, v3 };

struct CommunityMessage {
    Version version = Version::v2c;
    std::string community;
    Pdu pdu;
};
std::optional<CommunityMessage> read_community_message(ByteView message);
Bytes write_community_message(const CommunityMessage& message);

// The version that a message says it has.
std::optional<Version> message_version(ByteView message);

}  // namespace amoskys::snmp
