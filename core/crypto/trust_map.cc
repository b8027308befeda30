#include "core/crypto/trust_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/config/yaml_tree.h"
#include "core/crypto/inline_key.h"

namespace amoskys::crypto {
namespace {

constexpr std::size_t max_file_bytes = 4U << 20U;
constexpr std::size_t max_keys_per_agent = 32;
constexpr std::size_t max_devices_per_agent = 1024;
constexpr std::size_t max_resets_per_agent = 64;
constexpr std::size_t max_problems = 20;

constexpr std::string_view agent_fields[] = {"public_key_path", "public_keys",    "algorithm",
                                             "permissions",     "devices",        "rate_limit",
                                             "revoked",         "accepted_resets"};
struct PermissionName {
    std::string_view name;
    bool Permissions::*member;
};
constexpr PermissionName permission_table[] = {
    {"publish", &Permissions::publish},
    {"subscribe", &Permissions::subscribe},
    {"register", &Permissions::register_devices},
    {"admin", &Permissions::admin},
    {"publish_unsequenced", &Permissions::publish_unsequenced},
};
constexpr Permissions all_permissions{true, true, true, true, true};

constexpr std::string_view key_fields[] = {"path", "not_before", "not_after", "status"};

using config::yaml_position;
using config::YamlNode;
using Kind = YamlNode::Kind;
constexpr config::YamlErrors yaml_errors{ErrorKind::config, "trust_map_yaml"};

// Reads one tree into agents; every problem becomes a line.
class Reader {
  public:
    Reader(std::string_view file_name, const KeyLoader& load_key)
        : file_name_(file_name), load_key_(load_key) {}

    std::map<std::string, TrustedAgent, std::less<>> agents;

    void read(const YamlNode& root);
    std::string problems() const { return problems_; }

  private:
    void problem(const YamlNode& node, std::string_view text);
    bool wants(const YamlNode& node, Kind kind, std::string_view what, std::string_view allowed);
    void known_fields(const YamlNode& map, std::span<const std::string_view> fields);
    void read_agent(const YamlNode& name, const YamlNode& value);
    void read_long_form(const YamlNode& name, const YamlNode& value, TrustedAgent& agent);
    void read_keys(const YamlNode& name, const YamlNode& value, TrustedAgent& agent);
    void read_key(const YamlNode& item, TrustedAgent& agent);
    void read_permissions(const YamlNode& value, Permissions& out);
    void read_devices(const YamlNode& value, std::vector<std::string>& out);
    void read_rate_limit(const YamlNode& value, double& out);
    void read_revoked(const YamlNode& value, bool& out);
    void read_resets(const YamlNode& value, TrustedAgent& agent);
    void read_time(const YamlNode& value, UnixNanos& out);
    void read_status(const YamlNode& value, KeyStatus& out);
    void add_key(const YamlNode& path, TrustedKey key, TrustedAgent& agent);

    std::string_view file_name_;
    const KeyLoader& load_key_;
    std::map<PublicKey, std::string> owners_;
    std::string problems_;
    std::size_t problem_count_ = 0;
};

void Reader::problem(const YamlNode& node, std::string_view text) {
    if (++problem_count_ > max_problems)
        return;
    problems_ += (problems_.empty() ? "" : "\n") + yaml_position(file_name_, node) + ": " +
                 (problem_count_ == max_problems ? "and further problems" : std::string(text));
}

std::string shown(const YamlNode& node) {
    return node.kind == Kind::scalar ? "`" + printable(node.text.substr(0, 64)) + "`"
           : node.kind == Kind::null ? "nothing"
           : node.kind == Kind::list ? "a list"
                                     : "a mapping";
}

bool Reader::wants(const YamlNode& node, Kind kind, std::string_view what,
                   std::string_view allowed) {
    if (node.kind == kind)
        return true;
    problem(node, fmt::format("{}: {}; allowed is {}", what, shown(node), allowed));
    return false;
}

void Reader::known_fields(const YamlNode& map, std::span<const std::string_view> fields) {
    for (const auto& [key, value] : map.entries) {
        if (std::find(fields.begin(), fields.end(), key.text) != fields.end())
            continue;
        const auto near = nearest(key.text, fields);
        problem(key, near.empty()
                         ? fmt::format("unknown key {}; allowed: {}", shown(key),
                                       fmt::join(fields, ", "))
                         : fmt::format("unknown key {}; did you mean `{}`?", shown(key), near));
    }
}

void Reader::read(const YamlNode& root) {
    constexpr std::string_view top_fields[] = {"agents"};
    if (!wants(root, Kind::map, "trust map", "a mapping with the key `agents`"))
        return;
    known_fields(root, top_fields);
    const YamlNode* list = root.find("agents");
    if (list == nullptr) {
        problem(root, "the key `agents` is missing");
        return;
    }
    if (list->kind == Kind::null ||
        !wants(*list, Kind::map, "agents", "a mapping of agent names to keys"))
        return;
    for (const auto& [name, value] : list->entries)
        read_agent(name, value);
}

void Reader::read_agent(const YamlNode& name, const YamlNode& value) {
    if (!valid_agent_id(name.text)) {
        problem(name, fmt::format("agent name {}; allowed are 1 to 64 of A-Z a-z 0-9 . _ -",
                                  shown(name)));
        return;
    }
    TrustedAgent agent;
    agent.agent_id = name.text;
    if (value.kind == Kind::scalar)
        add_key(value, {}, agent);
    else if (wants(value, Kind::map, agent.agent_id, "the path of a public key, or a mapping"))
        read_long_form(name, value, agent);
    agents.emplace(agent.agent_id, std::move(agent));
}

void Reader::read_long_form(const YamlNode& name, const YamlNode& value, TrustedAgent& agent) {
    known_fields(value, agent_fields);
    if (const YamlNode* node = value.find("permissions"))
        read_permissions(*node, agent.permissions);
    if (const YamlNode* node = value.find("devices"))
        read_devices(*node, agent.devices);
    if (const YamlNode* node = value.find("rate_limit"))
        read_rate_limit(*node, agent.rate_limit_events);
    if (const YamlNode* node = value.find("revoked"))
        read_revoked(*node, agent.revoked);
    if (const YamlNode* node = value.find("accepted_resets"))
        read_resets(*node, agent);
    read_keys(name, value, agent);
    const YamlNode* algorithm = value.find("algorithm");
    if (algorithm == nullptr ||
        !wants(*algorithm, Kind::scalar, "algorithm", "Ed25519-SHA256 or Ed25519"))
        return;
    const auto parsed = parse_algorithm(algorithm->text);
    if (!parsed)
        problem(*algorithm, parsed.error().message);
    else
        for (TrustedKey& key : agent.keys)
            key.algorithm = *parsed;
}

void Reader::read_keys(const YamlNode& name, const YamlNode& value, TrustedAgent& agent) {
    const YamlNode* one = value.find("public_key_path");
    const YamlNode* many = value.find("public_keys");
    if ((one != nullptr) == (many != nullptr)) {
        problem(name, fmt::format("{}: needs public_key_path or public_keys, one of them",
                                  agent.agent_id));
        return;
    }
    if (one != nullptr) {
        if (wants(*one, Kind::scalar, "public_key_path", "a path"))
            add_key(*one, {}, agent);
        return;
    }
    if (!wants(*many, Kind::list, "public_keys", "a list of {path, not_before, not_after, status}"))
        return;
    if (many->items.empty() || many->items.size() > max_keys_per_agent) {
        problem(*many, fmt::format("public_keys: {} keys; allowed are 1 to {}", many->items.size(),
                                   max_keys_per_agent));
        return;
    }
    for (const YamlNode& item : many->items)
        read_key(item, agent);
}

void Reader::read_key(const YamlNode& item, TrustedAgent& agent) {
    if (!wants(item, Kind::map, "public_keys", "{path, not_before, not_after, status}"))
        return;
    known_fields(item, key_fields);
    TrustedKey key;
    if (const YamlNode* node = item.find("not_before"))
        read_time(*node, key.not_before_ns);
    if (const YamlNode* node = item.find("not_after"))
        read_time(*node, key.not_after_ns);
    if (const YamlNode* node = item.find("status"))
        read_status(*node, key.status);
    if (key.not_before_ns > key.not_after_ns)
        problem(item, "not_before is later than not_after");
    const YamlNode* path = item.find("path");
    if (path == nullptr)
        problem(item, "public_keys: the key `path` is missing");
    else if (wants(*path, Kind::scalar, "path", "a path"))
        add_key(*path, std::move(key), agent);
}

void Reader::add_key(const YamlNode& path, TrustedKey key, TrustedAgent& agent) {
    if (path.text.empty() || path.text.find('\0') != std::string::npos) {
        problem(path, "the path of a public key is empty or holds a zero byte");
        return;
    }
    const auto loaded = load_key_(path.text);
    if (!loaded) {
        problem(path, printable(loaded.error().message));
        return;
    }
    const auto [owner, added] = owners_.emplace(*loaded, agent.agent_id);
    if (!added) {
        problem(path, fmt::format("{} is already the key of {}; a key has one use",
                                  printable(path.text), owner->second));
        return;
    }
    key.key = *loaded;
    key.id = key_id(*loaded);
    key.path = path.text;
    agent.keys.push_back(std::move(key));
}

void Reader::read_permissions(const YamlNode& value, Permissions& out) {
    if (!wants(value, Kind::list, "permissions", "a list"))
        return;
    out = {.publish = false, .register_devices = false};
    for (const YamlNode& item : value.items) {
        if (item.kind != Kind::scalar || !set_permission(out, item.text))
            problem(item, fmt::format("permission {}; allowed: {}", shown(item),
                                      fmt::join(permission_names(all_permissions), ", ")));
    }
}

void Reader::read_devices(const YamlNode& value, std::vector<std::string>& out) {
    if (!wants(value, Kind::list, "devices", "a list of patterns with * and ?"))
        return;
    // An empty list would otherwise read as "any device", the opposite of what it says.
    if (value.items.empty() || value.items.size() > max_devices_per_agent)
        problem(value,
                fmt::format("devices: {} patterns; allowed are 1 to {} (leave the key out for "
                            "any device)",
                            value.items.size(), max_devices_per_agent));
    for (const YamlNode& item : value.items) {
        if (item.kind == Kind::scalar && !item.text.empty() && item.text.size() <= 256)
            out.push_back(item.text);
        else
            problem(item,
                    fmt::format("device pattern {}; allowed are 1 to 256 bytes", shown(item)));
    }
}

void Reader::read_rate_limit(const YamlNode& value, double& out) {
    const char* end = value.text.data() + value.text.size();
    const auto parsed = std::from_chars(value.text.data(), end, out);
    if (value.kind == Kind::scalar && parsed.ec == std::errc() && parsed.ptr == end &&
        std::isfinite(out) && out >= 0 && out <= 1e9)
        return;
    out = 0;
    problem(value,
            fmt::format("rate_limit: {}; allowed are 0 to 1e9 events per second", shown(value)));
}

void Reader::read_revoked(const YamlNode& value, bool& out) {
    if (value.kind == Kind::scalar && (value.text == "true" || value.text == "false"))
        out = value.text == "true";
    else
        problem(value, fmt::format("revoked: {}; allowed: true, false", shown(value)));
}

void Reader::read_resets(const YamlNode& value, TrustedAgent& agent) {
    if (!wants(value, Kind::map, "accepted_resets", "a mapping of lanes to times"))
        return;
    if (value.entries.size() > max_resets_per_agent)
        problem(value, fmt::format("accepted_resets: {} lanes; allowed are at most {}",
                                   value.entries.size(), max_resets_per_agent));
    for (const auto& [lane, time] : value.entries) {
        if (valid_lane(lane.text))
            read_time(time, agent.accepted_resets[lane.text]);
        else
            problem(lane, fmt::format("lane {}; allowed are 1 to 32 of a-z 0-9 _ -", shown(lane)));
    }
}

void Reader::read_time(const YamlNode& value, UnixNanos& out) {
    const bool relative = value.text.starts_with('-');
    const auto parsed = parse_time(value.text, 0);
    if (value.kind == Kind::scalar && !relative && parsed)
        out = *parsed;
    else
        problem(value,
                fmt::format("time {}; allowed is RFC 3339 (2026-11-21T00:00:00Z)", shown(value)));
}

void Reader::read_status(const YamlNode& value, KeyStatus& out) {
    for (const auto status : {KeyStatus::active, KeyStatus::retiring, KeyStatus::revoked}) {
        if (value.kind == Kind::scalar && value.text == key_status_name(status)) {
            out = status;
            return;
        }
    }
    problem(value, fmt::format("status {}; allowed: active, retiring, revoked", shown(value)));
}

}  // namespace

std::vector<std::string_view> permission_names(const Permissions& permissions) {
    std::vector<std::string_view> names;
    for (const PermissionName& each : permission_table)
        if (permissions.*(each.member))
            names.push_back(each.name);
    return names;
}

bool set_permission(Permissions& permissions, std::string_view name) {
    const auto* found = std::find_if(std::begin(permission_table), std::end(permission_table),
                                     [&](const auto& each) { return each.name == name; });
    if (found == std::end(permission_table))
        return false;
    permissions.*(found->member) = true;
    return true;
}

namespace {

Result<PublicKey> key_at(const std::filesystem::path& folder, const std::filesystem::path& path) {
    const std::string text = path.string();
    if (!text.starts_with(inline_key))
        return load_public_key(folder / path);
    Bytes raw;
    if (!from_base64(std::string_view(text).substr(inline_key.size()), raw) ||
        raw.size() != PublicKey().size())
        return make_error(ErrorKind::bad_data, "not_a_key",
                          text + ": base64: wants the 32 bytes of an Ed25519 public key");
    return parse_public_key(as_text(raw), text);
}

}  // namespace

std::string_view key_status_name(KeyStatus status) {
    return status == KeyStatus::active     ? "active"
           : status == KeyStatus::retiring ? "retiring"
                                           : "revoked";
}

std::string_view key_state_at(const TrustedAgent& agent, const TrustedKey& key, UnixNanos now_ns) {
    if (agent.revoked || key.status == KeyStatus::revoked)
        return key_status_name(KeyStatus::revoked);
    if (now_ns < key.not_before_ns)
        return "not_yet_valid";
    return now_ns > key.not_after_ns ? "expired" : key_status_name(key.status);
}

Result<std::shared_ptr<const TrustMap>> TrustMap::load(const std::filesystem::path& file) {
    AMOSKYS_TRY(text, read_file(file, max_file_bytes));
    return parse(text, file.parent_path(), file.string());
}

Result<std::shared_ptr<const TrustMap>> TrustMap::parse(std::string_view yaml,
                                                        const std::filesystem::path& folder,
                                                        std::string_view file_name) {
    return parse(yaml, file_name,
                 [&](const std::filesystem::path& path) { return key_at(folder, path); });
}

Result<std::shared_ptr<const TrustMap>> TrustMap::parse(std::string_view yaml,
                                                        std::string_view file_name,
                                                        const KeyLoader& load_key) {
    AMOSKYS_TRY(root, config::parse_yaml_tree(yaml, file_name, yaml_errors));
    Reader reader(file_name, load_key);
    reader.read(root);
    if (!reader.problems().empty())
        return make_error(ErrorKind::config, "trust_map_invalid", reader.problems());
    auto map = std::make_shared<TrustMap>();
    map->agents_ = std::move(reader.agents);
    return std::shared_ptr<const TrustMap>(std::move(map));
}

const TrustedAgent* TrustMap::find(std::string_view agent_id) const {
    const auto found = agents_.find(agent_id);
    return found == agents_.end() ? nullptr : &found->second;
}

const TrustedKey* TrustMap::find_key(const TrustedAgent& agent, std::string_view key_id) const {
    const TrustedKey* only = nullptr;
    for (const TrustedKey& key : agent.keys) {
        if (key.status == KeyStatus::revoked)
            continue;
        if (key.id == key_id)
            return &key;
        if (key_id.empty() && only != nullptr)
            return nullptr;
        only = &key;
    }
    return key_id.empty() ? only : nullptr;
}

bool TrustMap::may_send_device(const TrustedAgent& agent, std::string_view device_id) const {
    return agent.devices.empty() ||
           std::any_of(agent.devices.begin(), agent.devices.end(),
                       [&](const std::string& glob) { return glob_match(glob, device_id); });
}

}  // namespace amoskys::crypto
