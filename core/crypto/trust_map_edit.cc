// Edits of the trust map's text: the parsed positions say where, and the result is parsed again.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/text.h"
#include "core/crypto/trust_map.h"
#include "core/crypto/yaml_tree.h"

namespace amoskys::crypto {
namespace {

constexpr std::string_view file_word = "trust map";

Error cannot_edit(std::string_view by_hand) {
    return make_error(ErrorKind::config, "trust_map_edit",
                      "the trust map is written in a form that is not changed automatically",
                      fmt::format("write it by hand, under `agents:`: {}", by_hand));
}

// Byte offset of a node; none where its line has other than ASCII before it (columns count
// characters).
std::optional<std::size_t> offset_of(std::string_view text, const YamlNode& node) {
    std::size_t start = 0;
    for (int line = 0; line < node.line; ++line) {
        start = text.find('\n', start);
        if (start == std::string_view::npos)
            return std::nullopt;
        ++start;
    }
    const auto column = static_cast<std::size_t>(node.column);
    const auto line = text.substr(start, column);
    const bool ascii = std::all_of(line.begin(), line.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (line.size() != column || !ascii)
        return std::nullopt;
    return start + column;
}

// Length of a scalar as it stands in the text: plain or in quotes without escapes; 0 where it is
// neither.
std::size_t written_length(std::string_view text, std::size_t at, std::string_view value) {
    const auto rest = text.substr(at);
    if (rest.starts_with(value))
        return value.size();
    for (const char quote : {'"', '\''})
        if (rest.starts_with(quote + std::string(value) + quote))
            return value.size() + 2;
    return 0;
}

std::string key_text(std::string_view agent_id) {
    const bool plain = std::isalpha(static_cast<unsigned char>(agent_id.front())) != 0 &&
                       agent_id != "null" && agent_id != "Null" && agent_id != "NULL";
    return plain ? std::string(agent_id) : fmt::format("\"{}\"", agent_id);
}

Result<YamlNode> agents_of(std::string_view yaml) {
    AMOSKYS_TRY(root, parse_yaml_tree(yaml, file_word));
    const YamlNode* agents = root.find("agents");
    if (agents == nullptr ||
        (agents->kind != YamlNode::Kind::map && agents->kind != YamlNode::Kind::null))
        return make_error(ErrorKind::config, "trust_map_edit",
                          "the trust map has no mapping `agents`");
    return *agents;
}

// The same agents in the same order, and the entry in question as it should be.
bool same_but(const YamlNode& before, const YamlNode& after, std::string_view agent_id) {
    std::vector<std::string_view> left, right;
    for (const auto& [key, value] : before.entries)
        if (key.text != agent_id)
            left.push_back(key.text);
    for (const auto& [key, value] : after.entries)
        if (key.text != agent_id)
            right.push_back(key.text);
    return left == right && after.find(agent_id) != nullptr;
}

}  // namespace

Result<std::string> add_trusted_agent(std::string_view yaml, std::string_view agent_id,
                                      std::string_view public_key_path) {
    const std::string entry = key_text(agent_id) + ": " + std::string(public_key_path);
    AMOSKYS_TRY(agents, agents_of(yaml));
    if (agents.find(agent_id) != nullptr)
        return make_error(ErrorKind::cannot_create, "agent_exists",
                          fmt::format("the trust map has an agent {} already", agent_id));
    std::string text(yaml);
    std::string indent = "  ";
    if (agents.kind == YamlNode::Kind::map && agents.flow_style) {
        const auto at = offset_of(text, agents);
        if (!agents.entries.empty() || !at || text.substr(*at, 2) != "{}")
            return cannot_edit(entry);
        text.erase(*at, 2);
    } else if (!agents.entries.empty()) {
        indent = std::string(static_cast<std::size_t>(agents.entries.front().first.column), ' ');
    }
    // `agents` is the only key of the file, so its mapping goes on to the end.
    if (!text.empty() && text.back() != '\n')
        text += '\n';
    text += indent + entry + "\n";
    const auto after = agents_of(text);
    if (!after || !same_but(agents, *after, agent_id) ||
        after->find(agent_id)->text != public_key_path)
        return cannot_edit(entry);
    return text;
}

Result<std::string> revoke_trusted_agent(std::string_view yaml, std::string_view agent_id) {
    AMOSKYS_TRY(agents, agents_of(yaml));
    const YamlNode* entry = agents.find(agent_id);
    if (entry == nullptr)
        return make_error(ErrorKind::no_input, "no_such_agent",
                          fmt::format("the trust map has no agent {}", printable(agent_id)));
    const std::string by_hand = key_text(agent_id) + ": {..., revoked: true}";
    std::string text(yaml);
    if (entry->kind == YamlNode::Kind::scalar) {
        const auto at = offset_of(text, *entry);
        const auto length = at ? written_length(text, *at, entry->text) : 0;
        if (length == 0)
            return cannot_edit(by_hand);
        text.replace(*at, length,
                     "{public_key_path: " + text.substr(*at, length) + ", revoked: true}");
    } else if (const YamlNode* revoked = entry->find("revoked")) {
        const auto at = offset_of(text, *revoked);
        const auto length = at ? written_length(text, *at, revoked->text) : 0;
        if (length == 0)
            return cannot_edit(by_hand);
        text.replace(*at, length, "true");
    } else {
        const auto at =
            entry->entries.empty() ? std::nullopt : offset_of(text, entry->entries.front().first);
        if (!at)
            return cannot_edit(by_hand);
        const auto column = static_cast<std::size_t>(entry->entries.front().first.column);
        text.insert(*at, entry->flow_style ? "revoked: true, "
                                           : "revoked: true\n" + std::string(column, ' '));
    }
    const auto after = agents_of(text);
    if (!after || !same_but(agents, *after, agent_id))
        return cannot_edit(by_hand);
    const YamlNode* revoked = after->find(agent_id)->find("revoked");
    if (revoked == nullptr || revoked->text != "true")
        return cannot_edit(by_hand);
    return text;
}

}  // namespace amoskys::crypto
