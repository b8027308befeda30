// Object identifiers and the values that a device answers with. Plain values; no threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace amoskys::snmp {

// The vector's own order is SNMP's lexicographic order. At most 128 arcs (RFC 2578 section 3.5).
using Oid = std::vector<std::uint32_t>;
inline constexpr std::size_t max_oid_arcs = 128;

// "1.3.6.1" or ".1.3.6.1"; nothing for anything else.
std::optional<Oid> parse_oid(std::string_view text);
std::string format_oid(std::span<const std::uint32_t> oid);  // without a leading dot
bool starts_with(const Oid& oid, const Oid& prefix);

enum class Type : std::uint8_t {
    null,
    integer,     // int64_t
    octets,      // string
    oid,         // Oid
    ip_address,  // string of 4 bytes
    counter32,   // uint64_t, as the next three
    gauge32,
    time_ticks,
    counter64,
    real,    // double: net-snmp's float and double inside Opaque
    opaque,  // string
    no_such_object,
    no_such_instance,
    end_of_mib_view,
};

struct Value {
    Type type = Type::null;
    std::variant<std::monostate, std::int64_t, std::uint64_t, double, std::string, Oid> data;
};

// False for null and the three exceptions: nothing that a metric could be made of.
inline bool has_value(const Value& value) {
    return value.type != Type::null && value.type < Type::no_such_object;
}

struct Varbind {
    Oid oid;
    Value value;
};

}  // namespace amoskys::snmp
