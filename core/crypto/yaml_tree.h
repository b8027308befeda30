// A YAML document as a tree with positions, for the trust map: its keys are agent names, in which a
// dot is nothing special, and its lists hold mappings, so core/config's flat list of settings does
// not fit. Refused: more than 4 MiB, depth over 16, a second document, aliases, anchors, tags,
// duplicate keys.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace amoskys::crypto {

struct YamlNode {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    bool flow_style = false;   // lists and maps: {...} or [...]
    std::string text;          // scalars
    int line = 0, column = 0;  // 0-based; columns count characters
    std::vector<std::pair<YamlNode, YamlNode>>
        entries;                  // maps: key (a scalar), value; in file order
    std::vector<YamlNode> items;  // lists

    const YamlNode* find(std::string_view key) const;
};

// `name` begins the positions in messages. Errors: config "trust_map_yaml".
Result<YamlNode> parse_yaml_tree(std::string_view text, std::string_view name);

// "NAME:LINE:COLUMN", counted from 1.
std::string yaml_position(std::string_view name, const YamlNode& node);

}  // namespace amoskys::crypto
