// What is read from a device: scalars and tables as data. Profiles are YAML files under conf/snmp,
// embedded in the binary. Immutable once parsed; shared by all devices that use it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/embedded_file.h"
#include "core/base/result.h"
#include "modules/collectors/snmp/oid.h"

namespace amoskys::snmp {

inline constexpr std::size_t max_profile_bytes = 1024 * 1024;  // of a profile's file

enum class MetricKind : std::uint8_t { gauge, counter, text };

// How the value on the wire becomes the value of the metric, where its ASN.1 type does not say.
enum class Read : std::uint8_t {
    as_sent,
    number,      // digits sent as text, "0.39"
    unsigned32,  // an Integer32 that agents let run over: negative is 2^32 less than meant
    date_time,   // DateAndTime of RFC 2579
    hint,        // octets by a DISPLAY-HINT of RFC 2579: "1x:" for a MAC address
};

struct Metric {
    std::string name;  // the standard object's own name
    Oid oid;           // of the instance (scalar) or of the column
    MetricKind kind = MetricKind::gauge;
    Read read = Read::as_sent;
    std::string unit;
    double scale = 1;      // of the number sent
    std::string hint;      // of Read::hint
    bool stored = true;    // false: read for metadata, labels, status or derived values alone
    double settles_s = 0;  // a 0 within so many seconds of the agent's start is no value
    std::string identity;  // what it says of the device: manufacturer, model, firmware, serial
    std::string vendor;    // a value at all means that this is the manufacturer
    std::vector<std::pair<std::int64_t, std::string>> names;  // of an enumeration's values
};

// A value made of others: of the scalars, or of one row of a table. Inputs are names of metrics or
// of derived values before it.
struct Derived {
    enum class Op : std::uint8_t {
        rate,     // per second, of the first counter that there is: 64-bit ones stand first
        rates,    // sum of the rates of all counters that there are
        sum,      // of all that there are
        first,    // the first that there is and is above 0
        percent,  // of the first in the second
        rest,     // 100 - percent
    };
    std::string name;
    Op op = Op::sum;
    std::vector<std::string> inputs;
    double scale = 1;
    std::string unit;
    bool stored = true;
    std::string limit;          // rate: the highest possible one, as the result is scaled
    std::string discontinuity;  // rate: another value of it means that the counter began anew
    // By resolve(): places among the metrics, and from metrics.size() on among the derived values.
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::vector<std::size_t> inputs_at;
    std::size_t limit_at = none, discontinuity_at = none;
};

// Columns that have the same index, of one or several MIB tables.
struct Table {
    std::string name;
    std::vector<Metric> columns;
    std::vector<std::size_t> labels;  // columns whose value labels every metric of the row
    std::vector<Derived> derived;
    std::size_t max_rows = 0;  // read of it at most, without that being a fault; 0 = no such limit
};

// A part of a text: after one text, up to another or the end; of what follows, `skip` parts that
// end with `until` are left out. `last`: the last word, where `after` stands anywhere.
struct Cut {
    std::string after, until;
    std::size_t skip = 0;
    bool last = false;
};
// What sysObjectID and sysDescr say where nothing better does.
struct Vendor {
    Oid oid;                                        // sysObjectID begins so
    std::string name;                               // "" = of many
    std::vector<std::pair<std::string, Cut>> cuts;  // model, firmware, serial
};

struct Profile {
    std::string name;
    std::string summary;
    std::vector<std::string>
        includes;  // other profiles that belong to it; resolved by find_profile
    std::vector<Metric> scalars;
    std::vector<Derived> derived;  // of scalars
    std::vector<Table> tables;
    std::vector<Vendor> vendors;  // of profile identity
    std::vector<Oid> match;       // a vendor's: added to devices whose sysObjectID begins so
    std::size_t stored_metrics() const;
};

// Finds the inputs of derived values. Errors: a name that is not there.
Result<> resolve(const std::vector<Metric>& metrics, std::vector<Derived>& derived);

// All errors at once, one line each: "FILE:LINE:COLUMN: what is wrong". At most 1 MiB.
Result<Profile> parse_profile(std::string_view yaml, std::string_view file_name);

std::span<const EmbeddedFile> embedded_profiles();  // of conf/snmp; the name of one is NAME.yaml
std::string_view profile_name(const EmbeddedFile& profile);  // NAME

// Names of those that have `match`, with what it says.
Result<std::vector<std::pair<Oid, std::string>>> vendor_profiles(const std::string& folder);

// The profile of a name, or of several ("standard+cisco"), with all that they include; what stands
// in several is read once. `folder` holds a user's own files, which go before the embedded ones of
// the same name; "" = none. The error names those that exist.
Result<std::shared_ptr<const Profile>> find_profile(std::string_view names,
                                                    const std::string& folder = "");

}  // namespace amoskys::snmp
