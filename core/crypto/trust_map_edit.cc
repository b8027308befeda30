// Edits of the trust map's text: the parsed positions say where, and the result is parsed again.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "core/base/text.h"
#include "core/config/yaml_tree.h"
#include "core/crypto/trust_map.h"

namespace amoskys::crypto {
namespace {

using config::YamlNode;

constexpr std::string_view file_word = "trust map";
constexpr config::YamlErrors edit_errors{ErrorKind::config, "trust_map_yaml"};

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
    AMOSKYS_TRY(root, config::parse_yaml_tree(yaml, file_word, edit_errors));
    const YamlNode* agents = root.find("agents");
    if (agents == nullptr ||
        (agents->kind != YamlNode::Kind::map && agents->kind != YamlNode::Kind::null))
        return make_error(ErrorKind::config, "trust_map_edit",
                          "the trust map has no mapping `agents`");
    return *agents;
}

// The other agents in the same order.
bool others_same(const YamlNode& before, const YamlNode& after, std::string_view agent_id) {
    std::vector<std::string_view> left, right;
    for (const auto& [key, value] : before.entries)
        if (key.text != agent_id)
            left.push_back(key.text);
    for (const auto& [key, value] : after.entries)
        if (key.text != agent_id)
            right.push_back(key.text);
    return left == right;
}

// ... and the entry in question there.
bool same_but(const YamlNode& before, const YamlNode& after, std::string_view agent_id) {
    return others_same(before, after, agent_id) && after.find(agent_id) != nullptr;
}

// Always in quotes, unless it is plain in every YAML.
std::string yaml_text(std::string_view text) {
    const bool plain = !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
                       std::all_of(text.begin(), text.end(), [](char c) {
                           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' ||
                                  c == '.' || c == '_' || c == '-';
                       });
    if (plain)
        return std::string(text);
    std::string out = "\"";
    for (const char c : text)
        out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return out + "\"";
}

std::string entry_text(const TrustedAgent& agent, const std::string& indent) {
    const std::string inner = indent + "  ";
    std::string out = indent + key_text(agent.agent_id) + ":\n" + inner + "public_keys:\n";
    for (const TrustedKey& key : agent.keys) {
        out += inner + "  - {path: " + yaml_text(key.path);
        if (key.not_before_ns != 0)
            out += ", not_before: " + format_time(key.not_before_ns);
        if (key.not_after_ns != std::numeric_limits<UnixNanos>::max())
            out += ", not_after: " + format_time(key.not_after_ns);
        out += fmt::format(", status: {}}}\n", key_status_name(key.status));
    }
    const Algorithm algorithm = agent.keys.front().algorithm;
    if (algorithm != Algorithm::ed25519_sha256)
        out += fmt::format("{}algorithm: {}\n", inner, algorithm_name(algorithm));
    out += fmt::format("{}permissions: [{}]\n", inner,
                       fmt::join(permission_names(agent.permissions), ", "));
    std::vector<std::string> globs;
    for (const std::string& glob : agent.devices)
        globs.push_back(yaml_text(glob));
    if (!globs.empty())
        out += fmt::format("{}devices: [{}]\n", inner, fmt::join(globs, ", "));
    if (agent.rate_limit_events > 0)
        out += fmt::format("{}rate_limit: {}\n", inner, agent.rate_limit_events);
    if (agent.revoked)
        out += inner + "revoked: true\n";
    if (!agent.accepted_resets.empty())
        out += inner + "accepted_resets:\n";
    for (const auto& [lane, time_ns] : agent.accepted_resets)
        out += fmt::format("{}  \"{}\": {}\n", inner, lane, format_time(time_ns));
    return out;
}

// The lines of an agent's entry: from its name to the last line before the next entry that is
// neither blank nor a comment.
struct Lines {
    std::vector<std::string_view> all;
    std::size_t begin = 0, end = 0;
    std::string indent;
};

Result<Lines> lines_of(std::string_view yaml, const YamlNode& agents, std::string_view agent_id) {
    const auto& entries = agents.entries;
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const auto& e) { return e.first.text == agent_id; });
    if (found == entries.end())
        return make_error(ErrorKind::no_input, "no_such_agent",
                          fmt::format("the trust map has no agent {}", printable(agent_id)));
    if (agents.flow_style)
        return cannot_edit(key_text(agent_id) + ": {...}");
    Lines out;
    out.all = split(yaml, '\n');
    if (!out.all.empty() && out.all.back().empty())
        out.all.pop_back();
    out.begin = static_cast<std::size_t>(found->first.line);
    out.end = std::next(found) == entries.end()
                  ? out.all.size()
                  : static_cast<std::size_t>(std::next(found)->first.line);
    const auto filler = [&](std::size_t line) {
        const auto text = trim(out.all[line]);
        return text.empty() || text.starts_with('#');
    };
    while (out.end > out.begin + 1 && filler(out.end - 1))
        --out.end;
    out.indent = std::string(static_cast<std::size_t>(found->first.column), ' ');
    return out;
}

std::string joined(std::span<const std::string_view> lines) {
    std::string out;
    for (const std::string_view line : lines)
        out += std::string(line) + "\n";
    return out;
}

}  // namespace

Result<std::string> remove_trusted_agent(std::string_view yaml, std::string_view agent_id) {
    AMOSKYS_TRY(agents, agents_of(yaml));
    AMOSKYS_TRY(lines, lines_of(yaml, agents, agent_id));
    const std::span<const std::string_view> all(lines.all);
    const std::string text = joined(all.first(lines.begin)) + joined(all.subspan(lines.end));
    const auto after = agents_of(text);
    if (!after || !others_same(agents, *after, agent_id) || after->find(agent_id) != nullptr)
        return cannot_edit(fmt::format("nothing of {}", agent_id));
    return text;
}

Result<std::string> replace_trusted_agent(std::string_view yaml, const TrustedAgent& agent) {
    AMOSKYS_TRY(agents, agents_of(yaml));
    AMOSKYS_TRY(lines, lines_of(yaml, agents, agent.agent_id));
    const std::span<const std::string_view> all(lines.all);
    std::string text = joined(all.first(lines.begin));
    for (const std::string_view line : all.subspan(lines.begin, lines.end - lines.begin))
        if (trim(line).starts_with('#'))
            text += lines.indent + std::string(trim(line)) + "\n";
    const std::string entry = entry_text(agent, lines.indent);
    text += entry + joined(all.subspan(lines.end));
    const auto after = agents_of(text);
    if (!after || !same_but(agents, *after, agent.agent_id))
        return cannot_edit(entry);
    return text;
}

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
