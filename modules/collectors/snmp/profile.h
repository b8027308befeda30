// What is read from a device: scalars and tables as data. Profiles are YAML files under conf/snmp,
// embedded in the binary. Immutable once parsed; shared by all devices that use it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "modules/collectors/snmp/oid.h"

namespace amoskys::snmp {

enum class MetricKind : std::uint8_t { gauge, counter, text };

// How the value on the wire becomes the value of the metric, where its ASN.1 type does not say.
enum class Read : std::uint8_t {
    as_sent,
    number,      // digits sent as text, "0.39"
    unsigned32,  // an Integer32 that agents let run over: negative is 2^32 less than meant
};

struct Metric {
    std::string name;  // the standard object's own name
    Oid oid;           // of the instance (scalar) or of the column
    MetricKind kind = MetricKind::gauge;
    Read read = Read::as_sent;
    std::string unit;
    bool stored = true;  // false: read for metadata, labels or status alone
    std::vector<std::pair<std::int64_t, std::string>> names;  // of an enumeration's values
};

// Columns that have the same index, of one or several MIB tables.
struct Table {
    std::string name;
    std::vector<Metric> columns;
    std::vector<std::size_t> labels;  // columns whose value labels every metric of the row
};

struct Profile {
    std::string name;
    std::string summary;
    std::vector<Metric> scalars;
    std::vector<Table> tables;
    std::size_t stored_metrics() const;
};

// All errors at once, one line each: "FILE:LINE:COLUMN: what is wrong". At most 1 MiB.
Result<Profile> parse_profile(std::string_view yaml, std::string_view file_name);

struct EmbeddedProfile {
    std::string_view name;  // file name without .yaml
    std::string_view yaml;
};
std::span<const EmbeddedProfile> embedded_profiles();  // generated from conf/snmp

// An embedded profile by name; the error names those that exist.
Result<std::shared_ptr<const Profile>> find_profile(std::string_view name);

}  // namespace amoskys::snmp
