// The documents that are generated from the option tables: defaults, effective configuration,
// schema.
#include <algorithm>
#include <cmath>

#include "core/base/text.h"
#include "core/config/config.h"
#include "core/config/key_table.h"
#include "core/json/json.h"
#include "core/json/yaml_text.h"

namespace amoskys::config {
namespace {

// Options as a tree of groups, in the order of the tables.
struct Node {
    std::string name;
    const KnownKey* leaf = nullptr;
    std::vector<Node> children = {};

    Node& child(std::string_view child_name) {
        const auto found = std::find_if(children.begin(), children.end(),
                                        [&](const Node& n) { return n.name == child_name; });
        if (found != children.end())
            return *found;
        children.push_back({std::string(child_name)});
        return children.back();
    }
};

Node tree_of(const KeyTable& keys) {
    Node root;
    for (const KnownKey& known : keys.keys()) {
        if (known.option->flags.command_line_only)
            continue;
        Node* node = &root;
        for (const auto part : split(known.key, '.'))
            node = &node->child(part);
        node->leaf = &known;
    }
    return root;
}

// Default-constructed config structs, one per section.
std::vector<std::shared_ptr<void>> default_configs(std::span<const Section> sections) {
    std::vector<std::shared_ptr<void>> configs;
    for (const Section& section : sections)
        configs.push_back(section.make());
    return configs;
}

std::string number_text(double value) {
    return json::dump(std::abs(value) < 9e15 && std::trunc(value) == value
                          ? Json(static_cast<std::int64_t>(value))
                          : Json(value));
}

std::string bound_text(const Option& option, double bound) {
    if (option.type == Type::duration)
        return format_duration(
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bound)));
    if (option.type == Type::size)
        return detail::show_value(Size{static_cast<std::uint64_t>(bound)});
    return number_text(bound);
}

// "100ms to 1h", "at least 1", "debug, info, off"; "" = anything of the type.
std::string allowed_text(const Option& option) {
    if (!option.flags.choices.empty()) {
        std::string text;
        for (const auto choice : split(option.flags.choices, '|'))
            text += (text.empty() ? "" : ", ") + std::string(choice);
        return text;
    }
    const bool has_min = std::isfinite(option.bounds.min);
    const bool has_max = std::isfinite(option.bounds.max);
    if (has_min && has_max)
        return bound_text(option, option.bounds.min) + " to " +
               bound_text(option, option.bounds.max);
    if (has_min)
        return "at least " + bound_text(option, option.bounds.min);
    return has_max ? "at most " + bound_text(option, option.bounds.max) : "";
}

std::string capitalised(std::string_view text) {
    std::string out(text);
    if (!out.empty() && out[0] >= 'a' && out[0] <= 'z')
        out[0] = static_cast<char>(out[0] - 32);
    return out;
}

// "# Address to serve on (reloadable)." wrapped at 100 columns.
std::string comment(const Option& option, const std::string& indent) {
    std::string text = capitalised(option.help);
    std::string notes;
    const auto note = [&](const std::string& more) { notes += (notes.empty() ? "" : "; ") + more; };
    if (!option.unit.empty() && option.type != Type::duration && option.type != Type::size)
        note("in " + std::string(option.unit));
    if (const auto allowed = allowed_text(option); !allowed.empty())
        note(allowed);
    if (option.flags.required)
        note("required");
    if (option.flags.reloadable)
        note("reloadable");
    if (option.secret)
        note("secret: @FILE, credential:NAME or -");
    if (!notes.empty())
        text += " (" + notes + ")";
    std::string out;
    std::string line = indent + "#";
    for (const auto word : split(text, ' ')) {
        if (line.size() + 1 + word.size() > 100) {
            out += line + "\n";
            line = indent + "#";
        }
        line += " " + std::string(word);
    }
    return out + line + "\n";
}

// True where the shown default loads: a required option's empty default may not.
bool default_loads(const Option& option, const Section& section, const std::string& shown) {
    if (option.secret || option.flags.required)
        return false;
    if (option.type == Type::text || option.type == Type::text_list)
        return option.flags.choices.empty() || shown != "\"\"";
    const auto scratch = section.make();
    return option.assign(option, scratch.get(), shown).has_value();
}

void append_defaults(std::string& out, const Node& node, unsigned depth,
                     std::span<const Section> sections,
                     const std::vector<std::shared_ptr<void>>& configs) {
    const std::string indent(depth * 2, ' ');
    for (const Node& child : node.children) {
        if (depth == 0 && !out.empty())
            out += "\n";
        if (child.leaf == nullptr) {
            out += indent + child.name + ":\n";
            append_defaults(out, child, depth + 1, sections, configs);
            continue;
        }
        const KnownKey& known = *child.leaf;
        const std::string shown = known.option->show(configs[known.section].get());
        out += comment(*known.option, indent) + indent;
        if (!default_loads(*known.option, sections[known.section], shown))
            out += "# ";
        out += child.name + ": " + shown + "\n";
    }
}

void append_effective(std::string& out, const Node& node, unsigned depth,
                      std::span<const Section> sections, const Loaded& loaded, bool origins) {
    const std::string indent(depth * 2, ' ');
    for (const Node& child : node.children) {
        if (child.leaf == nullptr) {
            out += indent + child.name + ":\n";
            append_effective(out, child, depth + 1, sections, loaded, origins);
            continue;
        }
        const KnownKey& known = *child.leaf;
        const auto config = loaded.section(sections[known.section].root);
        out += indent + child.name + ": " + known.option->show(config.get());
        if (origins)
            out += "  # " + printable(loaded.origin(known.key));
        out += "\n";
    }
}

// A number where it is one, so that the schema's limits are exact.
Json bound_json(double bound) {
    if (std::abs(bound) < 9e15 && std::trunc(bound) == bound)
        return Json(static_cast<std::int64_t>(bound));
    return Json(bound);
}

void add_bounds(Json& schema, const Option& option) {
    if (std::isfinite(option.bounds.min))
        schema["minimum"] = bound_json(option.bounds.min);
    if (std::isfinite(option.bounds.max))
        schema["maximum"] = bound_json(option.bounds.max);
}

Json choices_json(const Option& option) {
    Json choices = Json::array();
    for (const auto choice : split(option.flags.choices, '|'))
        choices.push_back(std::string(choice));
    return choices;
}

void add_type(Json& schema, const Option& option) {
    switch (option.type) {
        case Type::boolean:
            schema["type"] = "boolean";
            return;
        case Type::integer:
            schema["type"] = "integer";
            add_bounds(schema, option);
            return;
        case Type::number:
            schema["type"] = "number";
            add_bounds(schema, option);
            return;
        case Type::duration:
            // Limits of durations are in the description: a pattern cannot compare.
            schema["type"] = Json::array({"string", "integer"});
            schema["pattern"] = "^-?([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d))+$|^0$";
            schema["maximum"] = 0;
            return;
        case Type::size:
            schema["type"] = Json::array({"string", "integer"});
            schema["pattern"] = "^[0-9]+ *([KMGT]i?B|B)?$";
            add_bounds(schema, option);
            return;
        case Type::text_list:
            schema["type"] = Json::array({"array", "string"});
            schema["items"] = Json::object({{"type", Json::array({"string", "number"})}});
            if (!option.flags.choices.empty())
                schema["items"] = Json::object({{"enum", choices_json(option)}});
            return;
        case Type::text:
            break;
    }
    schema["type"] = Json::array({"string", "number"});
    if (!option.flags.choices.empty()) {
        schema["type"] = "string";
        schema["enum"] = choices_json(option);
    }
}

Json leaf_schema(const KnownKey& known, const void* config) {
    const Option& option = *known.option;
    Json schema = Json::object();
    std::string description = capitalised(option.help);
    const auto allowed = allowed_text(option);
    if (!allowed.empty() && (option.type == Type::duration || option.type == Type::size))
        description += " (" + allowed + ")";
    schema["description"] = description;
    add_type(schema, option);
    if (!option.secret && !option.flags.required) {
        const std::string shown = option.show(config);
        // Scalars that are not JSON themselves (5s, a plain text) are strings.
        const auto value = Json::parse(shown, nullptr, false);
        if (option.type != Type::text_list)
            schema["default"] = value.is_discarded() ? Json(shown) : value;
    }
    if (!option.unit.empty())
        schema["x-unit"] = std::string(option.unit);
    if (option.secret)
        schema["x-secret"] = true;
    if (option.flags.reloadable)
        schema["x-reloadable"] = true;
    schema["x-environment"] = environment_name(known.key);
    return schema;
}

Json schema_of(const Node& node, const std::vector<std::shared_ptr<void>>& configs) {
    if (node.leaf != nullptr)
        return leaf_schema(*node.leaf, configs[node.leaf->section].get());
    Json properties = Json::object();
    for (const Node& child : node.children)
        properties[child.name] = schema_of(child, configs);
    Json schema = Json::object();
    schema["type"] = Json::array({"object", "null"});
    schema["additionalProperties"] = false;
    schema["properties"] = std::move(properties);
    return schema;
}

}  // namespace

std::string defaults_yaml(std::span<const Section> sections) {
    const KeyTable keys(sections);
    std::string out;
    append_defaults(out, tree_of(keys), 0, sections, default_configs(sections));
    return out;
}

std::string effective_yaml(std::span<const Section> sections, const Loaded& loaded, bool origins) {
    const KeyTable keys(sections);
    std::string out;
    append_effective(out, tree_of(keys), 0, sections, loaded, origins);
    return out;
}

std::string schema_json(std::span<const Section> sections) {
    const KeyTable keys(sections);
    Json schema = Json::object();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    schema["$id"] = "https://amoskys.invalid/schema/amoskys.config/1";
    schema["title"] = "Configuration of amoskys";
    const Json root = schema_of(tree_of(keys), default_configs(sections));
    for (const auto& [key, value] : root.items())
        schema[key] = value;
    schema["type"] = "object";
    return json::dump_pretty(schema) + "\n";
}

}  // namespace amoskys::config
