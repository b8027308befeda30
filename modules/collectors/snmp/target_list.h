// All devices to poll, with what holds for each: from the options, and from a file of targets (YAML
// or CSV). A field of a target goes before that of its credentials, and that before the options.
// Read once at the start.
//
//   credentials:                                        (YAML; a CSV file has one header line with
//     - {name: ops, version: 3, user: ops,               the names of the fields of a target)
//        auth_protocol: sha256, auth_password: "@/etc/amoskys/ops.auth"}
//   targets:
//     - {target: "core1=udp:192.0.2.7", credentials: ops, profile: standard+cisco, interval: 30s}
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "modules/collectors/snmp/config.h"
#include "modules/collectors/snmp/dialog.h"
#include "modules/collectors/snmp/target.h"

namespace amoskys::snmp {

struct TargetSettings {
    Target target;
    std::shared_ptr<const Credentials> credentials;  // shared by all that have the same
    std::string profile;
    Duration interval{}, timeout{};
    unsigned retries = 0;
};

inline constexpr std::size_t max_targets = 100'000;
inline constexpr std::size_t max_target_file_bytes = 32 * 1024 * 1024;

// Every problem at once, each with its place. Derives the keys of version 3, once per password and
// hash.
Result<std::vector<TargetSettings>> list_targets(const SnmpConfig& config);

// What the options alone say: of traps.
Result<std::shared_ptr<const Credentials>> option_credentials(const SnmpConfig& config);

// The rows of a file: fields in the order of their names. Secrets are as written, not yet resolved.
struct TargetRow {
    std::vector<std::pair<std::string, std::string>> fields;  // name, value
    std::string place;                                        // FILE:LINE:COLUMN
};
struct TargetFile {
    std::vector<TargetRow> credentials, targets;
};
Result<TargetFile> parse_target_file(std::string_view text, const std::string& file_name);

}  // namespace amoskys::snmp
