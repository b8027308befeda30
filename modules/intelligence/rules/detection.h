// The `detection` part of a rule to its graph: selections, modifiers, the condition. Inside this
// folder only.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/config/yaml_tree.h"
#include "modules/intelligence/rules/rule.h"

namespace amoskys::rules {

// Errors: "rule_invalid", "rule_unsupported"; `file` begins their positions.
Error rule_error(std::string_view code, std::string_view file, const config::YamlNode& at,
                 std::string_view text);

// Adds nodes to a detection and keeps it within its limits.
class GraphBuilder {
  public:
    using Kind = Detection::Node::Kind;
    static constexpr std::size_t most_nodes = 20'000;

    std::uint32_t atom(Atom atom);
    // One part is that part.
    std::uint32_t join(Kind kind, std::vector<std::uint32_t> parts);
    std::uint32_t negated(std::uint32_t part);
    bool full() const { return detection_.nodes.size() > most_nodes; }
    Detection take(std::uint32_t root);

  private:
    std::uint32_t add(Detection::Node node);
    Detection detection_;
};

using Selections = std::map<std::string, std::uint32_t>;

Result<Detection> read_detection(const config::YamlNode& detection, std::string_view file);

// One map, list or text below a name of `detection`.
Result<std::uint32_t> read_selection(const config::YamlNode& node, std::string_view file,
                                     GraphBuilder& graph);

// "(a or 1 of b*) and not c" over the selections. The error has no position.
Result<std::uint32_t> read_condition(std::string_view text, const Selections& selections,
                                     GraphBuilder& graph);

}  // namespace amoskys::rules
