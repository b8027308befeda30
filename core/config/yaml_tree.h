// A YAML document as a tree with positions, for files that a flat list of settings does not fit:
// the trust map (its keys are agent names, in which a dot is nothing special) and rules (lists of
// mappings). Refused: more than 4 MiB, depth over 16, aliases, anchors, tags, duplicate keys, more
// documents than asked for.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace amoskys::config {

struct YamlNode {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    bool flow_style = false;   // lists and maps: {...} or [...]
    bool quoted = false;       // scalars: '...', "...", | or >, which are never numbers or true
    std::string text;          // scalars
    int line = 0, column = 0;  // 0-based; columns count characters
    std::vector<std::pair<YamlNode, YamlNode>>
        entries;                  // maps: key (a scalar), value; in file order
    std::vector<YamlNode> items;  // lists

    const YamlNode* find(std::string_view key) const;
};

// What the errors are called.
struct YamlErrors {
    ErrorKind kind = ErrorKind::config;
    std::string_view code;
};

// `name` begins the positions in messages. An empty file is one null.
Result<YamlNode> parse_yaml_tree(std::string_view text, std::string_view name,
                                 const YamlErrors& errors);
// Documents divided by `---`: at least one, at most `most`.
Result<std::vector<YamlNode>> parse_yaml_documents(std::string_view text, std::string_view name,
                                                   const YamlErrors& errors, std::size_t most);

// "NAME:LINE:COLUMN", counted from 1.
std::string yaml_position(std::string_view name, const YamlNode& node);

}  // namespace amoskys::config
