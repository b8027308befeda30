// Reading one YAML file into a flat list of entries with their positions, before any typing.
// Used by load.cc. Limits: 1 MiB, depth 32, one document, no aliases, anchors, tags or duplicate
// keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace amoskys::config {

// Something wrong in a source; `where` begins the line of the message.
struct Problem {
    std::string where;  // "conf/amoskys.yaml:14:5", "environment AMOSKYS_BUS__LISTEN"
    std::string code;
    std::string text;
    std::string hint = {};
    // Order of the report: the source, then the place in it (0-based).
    std::size_t source = 0;
    int line = 0;
    int column = 0;
};

enum class EntryKind { scalar, list, null, group };

struct Entry {
    std::string key;  // "agent.snmp.interval"
    EntryKind kind = EntryKind::scalar;
    std::vector<std::string> items;
    int line = 0;  // of the key, 0-based
    int column = 0;
};

struct YamlFile {
    std::vector<Entry> entries;  // in file order; a group stands before what is in it
    std::vector<Problem> problems;
};

// `name` is the file's name as the user gave it, for the positions.
YamlFile parse_yaml(std::string_view content, std::string_view name);

// "NAME:LINE:COLUMN", counted from 1.
std::string position_text(std::string_view name, int line, int column);

}  // namespace amoskys::config
