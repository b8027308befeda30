#include "modules/intelligence/rules/detection.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <span>

#include "core/base/text.h"
#include "modules/intelligence/rules/encodings.h"
#include "modules/intelligence/rules/literals.h"

namespace amoskys::rules {
namespace {

using config::YamlNode;
using Join = GraphBuilder::Kind;

constexpr std::size_t max_values = 10'000;

struct Modifiers {
    Atom::Kind position = Atom::Kind::equals;  // where the value stands, or how it is compared
    bool all = false, cased = false, negated = false, windash = false, other_field = false;
    bool exists = false, wide = false, big_endian = false, byte_order_mark = false;
    bool base64 = false, base64_offset = false;
    Regex::Flags flags;
};

struct ModifierName {
    std::string_view name;
    bool Modifiers::*flag;
};
constexpr ModifierName flag_modifiers[] = {
    {"all", &Modifiers::all},
    {"cased", &Modifiers::cased},
    {"neq", &Modifiers::negated},
    {"windash", &Modifiers::windash},
    {"fieldref", &Modifiers::other_field},
    {"exists", &Modifiers::exists},
    {"wide", &Modifiers::wide},
    {"utf16le", &Modifiers::wide},
    {"base64", &Modifiers::base64},
    {"base64offset", &Modifiers::base64_offset},
};
struct PositionName {
    std::string_view name;
    Atom::Kind kind;
};
constexpr PositionName positions[] = {
    {"contains", Atom::Kind::contains}, {"startswith", Atom::Kind::starts},
    {"endswith", Atom::Kind::ends},     {"re", Atom::Kind::regex},
    {"cidr", Atom::Kind::network},      {"lt", Atom::Kind::less},
    {"lte", Atom::Kind::less_equal},    {"gt", Atom::Kind::greater},
    {"gte", Atom::Kind::greater_equal},
};
// Of the specification, and refused with the reason.
struct Refusal {
    std::string_view name, reason;
};
constexpr Refusal refusals[] = {
    {"expand", "placeholders (|expand) need lists of values that this program does not keep"},
    {"minute", "parts of a time (|minute) are no fields here"},
    {"hour", "parts of a time (|hour) are no fields here"},
    {"day", "parts of a time (|day) are no fields here"},
    {"week", "parts of a time (|week) are no fields here"},
    {"month", "parts of a time (|month) are no fields here"},
    {"year", "parts of a time (|year) are no fields here"},
};

bool is_text_position(Atom::Kind kind) {
    return kind == Atom::Kind::equals || kind == Atom::Kind::contains ||
           kind == Atom::Kind::starts || kind == Atom::Kind::ends;
}

class SelectionReader {
  public:
    SelectionReader(std::string_view file, GraphBuilder& graph) : file_(file), graph_(graph) {}

    Result<std::uint32_t> read(const YamlNode& node) {
        switch (node.kind) {
            case YamlNode::Kind::map:
                return map(node);
            case YamlNode::Kind::scalar:
                return keyword(node);
            case YamlNode::Kind::list:
                return list(node);
            case YamlNode::Kind::null:
                break;
        }
        return invalid(node, "an empty selection");
    }

  private:
    Error invalid(const YamlNode& at, std::string_view text) const {
        return rule_error("rule_invalid", file_, at, text);
    }

    Result<std::uint32_t> list(const YamlNode& node) {
        std::vector<std::uint32_t> parts;
        for (const YamlNode& item : node.items) {
            if (item.kind != YamlNode::Kind::map && item.kind != YamlNode::Kind::scalar)
                return invalid(item, "a list in a list, or an empty item");
            AMOSKYS_TRY(part, read(item));
            parts.push_back(part);
        }
        if (parts.empty())
            return invalid(node, "an empty list");
        return graph_.join(Join::any, std::move(parts));
    }

    Result<std::uint32_t> keyword(const YamlNode& node) {
        Modifiers modifiers;
        modifiers.position = Atom::Kind::contains;
        return value("", modifiers, node);
    }

    Result<std::uint32_t> map(const YamlNode& node) {
        std::vector<std::uint32_t> parts;
        for (const auto& [key, wanted] : node.entries) {
            AMOSKYS_TRY(part, item(key, wanted));
            parts.push_back(part);
        }
        if (parts.empty())
            return invalid(node, "an empty selection");
        return graph_.join(Join::all, std::move(parts));
    }

    Result<Modifiers> modifiers_of(const YamlNode& key, std::span<const std::string_view> names) {
        Modifiers out;
        for (const std::string_view name : names) {
            const auto refused = std::find_if(std::begin(refusals), std::end(refusals),
                                              [&](const auto& each) { return each.name == name; });
            if (refused != std::end(refusals))
                return rule_error("rule_unsupported", file_, key, refused->reason);
            const auto flag = std::find_if(std::begin(flag_modifiers), std::end(flag_modifiers),
                                           [&](const auto& each) { return each.name == name; });
            const auto position = std::find_if(std::begin(positions), std::end(positions),
                                               [&](const auto& each) { return each.name == name; });
            if (flag != std::end(flag_modifiers)) {
                out.*(flag->flag) = true;
            } else if (position != std::end(positions)) {
                if (out.position != Atom::Kind::equals)
                    return invalid(key, "two modifiers that exclude each other");
                out.position = position->kind;
            } else if (name == "utf16" || name == "utf16be") {
                out.wide = true;
                out.byte_order_mark = name == "utf16";
                out.big_endian = name == "utf16be";
            } else if (out.position == Atom::Kind::regex && name == "i") {
                out.flags.ignore_case = true;
            } else if (out.position == Atom::Kind::regex && name == "m") {
                out.flags.multi_line = true;
            } else if (out.position == Atom::Kind::regex && name == "s") {
                out.flags.dot_all = true;
            } else {
                return rule_error("rule_unsupported", file_, key,
                                  "the modifier '" + excerpt(name) + "' is not known");
            }
        }
        return check(key, out);
    }

    Result<Modifiers> check(const YamlNode& key, const Modifiers& out) {
        const bool encodes = out.base64 || out.base64_offset || out.wide || out.windash;
        if (encodes && (!is_text_position(out.position) || out.other_field))
            return invalid(key, "an encoding and a comparison that is no text's");
        if (out.base64 && out.base64_offset)
            return invalid(key, "base64 and base64offset");
        if (out.other_field && !is_text_position(out.position))
            return invalid(key, "fieldref goes with contains, startswith and endswith only");
        if (out.exists && (encodes || out.other_field || out.position != Atom::Kind::equals))
            return invalid(key, "exists goes with no other modifier");
        return out;
    }

    Result<std::uint32_t> item(const YamlNode& key, const YamlNode& wanted) {
        const std::vector<std::string_view> words = split(key.text, '|');
        AMOSKYS_TRY(modifiers, modifiers_of(key, std::span(words).subspan(1)));
        const std::string field(trim(words[0]));
        if (field.empty()) {  // '|all': keywords
            if (modifiers.position == Atom::Kind::equals)
                modifiers.position = Atom::Kind::contains;
            if (modifiers.position != Atom::Kind::contains &&
                modifiers.position != Atom::Kind::regex)
                return invalid(key, "keywords take no such modifier");
        }
        if (wanted.kind == YamlNode::Kind::map)
            return invalid(wanted, "a value, or a list of values, is wanted");
        std::vector<std::uint32_t> parts;
        if (wanted.kind != YamlNode::Kind::list) {
            AMOSKYS_TRY(part, value(field, modifiers, wanted));
            parts.push_back(part);
        }
        for (const YamlNode& each : wanted.items) {
            AMOSKYS_TRY(part, value(field, modifiers, each));
            parts.push_back(part);
        }
        if (parts.empty())
            return invalid(wanted, "an empty list");
        if (parts.size() > max_values)
            return invalid(wanted, "more than 10000 values");
        const std::uint32_t found =
            graph_.join(modifiers.all ? Join::all : Join::any, std::move(parts));
        return modifiers.negated ? graph_.negated(found) : found;
    }

    Result<std::uint32_t> value(const std::string& field, const Modifiers& modifiers,
                                const YamlNode& node) {
        if (graph_.full())
            return rule_error("rule_unsupported", file_, node, "a rule of more than 20000 parts");
        Atom atom;
        atom.field = field;
        atom.cased = modifiers.cased;
        if (node.kind == YamlNode::Kind::null) {
            if (field.empty())
                return invalid(node, "an empty keyword");
            atom.kind = Atom::Kind::absent;
            return graph_.atom(std::move(atom));
        }
        if (node.kind != YamlNode::Kind::scalar)
            return invalid(node, "a value is wanted");
        if (modifiers.exists)
            return exists(std::move(atom), node);
        if (modifiers.other_field) {
            atom.kind = modifiers.position;
            atom.other_field = true;
            atom.text = node.text;
            return graph_.atom(std::move(atom));
        }
        if (modifiers.position == Atom::Kind::regex)
            return regex(std::move(atom), modifiers, node);
        if (!is_text_position(modifiers.position))
            return compared(std::move(atom), modifiers, node);
        return text(atom, modifiers, node);
    }

    Result<std::uint32_t> exists(Atom atom, const YamlNode& node) {
        const std::string word = fold_case(node.text);
        if (word != "true" && word != "yes" && word != "false" && word != "no")
            return invalid(node, "exists takes true or false");
        atom.kind = Atom::Kind::present;
        const std::uint32_t found = graph_.atom(std::move(atom));
        return word == "true" || word == "yes" ? found : graph_.negated(found);
    }

    Result<std::uint32_t> regex(Atom atom, const Modifiers& modifiers, const YamlNode& node) {
        atom.kind = Atom::Kind::regex;
        atom.text = node.text;
        atom.flags = modifiers.flags;
        if (auto tried = Regex::compile(atom.text, atom.flags); !tried)
            return rule_error("rule_unsupported", file_, node, tried.error().message);
        return graph_.atom(std::move(atom));
    }

    Result<std::uint32_t> compared(Atom atom, const Modifiers& modifiers, const YamlNode& node) {
        atom.kind = modifiers.position;
        atom.text = node.text;
        if (atom.kind == Atom::Kind::network) {
            const auto network = parse_network(node.text);
            if (!network)
                return invalid(node, "'" + excerpt(node.text) + "' is no network (10.0.0.0/8)");
            atom.network = *network;
            return graph_.atom(std::move(atom));
        }
        const auto number = parse_decimal(node.text);
        if (!number)
            return invalid(node, "'" + excerpt(node.text) + "' is no number");
        atom.number = *number;
        return graph_.atom(std::move(atom));
    }

    Result<std::uint32_t> text(const Atom& atom, const Modifiers& modifiers, const YamlNode& node) {
        std::vector<Pattern> variants = {read_wildcards(node.text)};
        if (modifiers.windash) {
            variants = with_other_dashes(variants[0]);
            if (variants.empty())
                return rule_error("rule_unsupported", file_, node,
                                  "windash with more than 4 dashes");
        }
        const bool encodes = modifiers.wide || modifiers.base64 || modifiers.base64_offset;
        std::vector<std::uint32_t> parts;
        for (const Pattern& variant : variants) {
            std::vector<Pattern> coded = {variant};
            if (encodes) {
                auto bytes = literal_of(variant);
                if (!bytes)
                    return invalid(node, "wildcards cannot be encoded");
                if (modifiers.wide)
                    bytes = utf16(*bytes, modifiers.big_endian, modifiers.byte_order_mark);
                coded.clear();
                if (modifiers.base64_offset) {
                    for (const std::string& each : base64_offsets(*bytes))
                        coded.push_back(pattern_of(each));
                } else {
                    coded.push_back(pattern_of(modifiers.base64 ? base64(*bytes) : *bytes));
                }
            }
            for (const Pattern& each : coded)
                parts.push_back(graph_.atom(text_atom(atom, modifiers.position, each)));
        }
        return graph_.join(Join::any, std::move(parts));
    }

    std::string_view file_;
    GraphBuilder& graph_;
};

}  // namespace

Error rule_error(std::string_view code, std::string_view file, const YamlNode& at,
                 std::string_view text) {
    return make_error(ErrorKind::bad_data, code,
                      config::yaml_position(file, at) + ": " + std::string(text));
}

std::uint32_t GraphBuilder::add(Detection::Node node) {
    detection_.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(detection_.nodes.size() - 1);
}

std::uint32_t GraphBuilder::atom(Atom atom) {
    const auto number = static_cast<std::uint32_t>(detection_.atoms.size());
    detection_.atoms.push_back(std::move(atom));
    return add({Join::atom, {number}});
}

std::uint32_t GraphBuilder::join(Kind kind, std::vector<std::uint32_t> parts) {
    return parts.size() == 1 ? parts[0] : add({kind, std::move(parts)});
}

std::uint32_t GraphBuilder::negated(std::uint32_t part) {
    return add({Join::negated, {part}});
}

Detection GraphBuilder::take(std::uint32_t root) {
    detection_.root = root;
    return std::move(detection_);
}

Result<std::uint32_t> read_selection(const YamlNode& node, std::string_view file,
                                     GraphBuilder& graph) {
    return SelectionReader(file, graph).read(node);
}

Result<Detection> read_detection(const YamlNode& detection, std::string_view file) {
    if (detection.kind != YamlNode::Kind::map)
        return rule_error("rule_invalid", file, detection, "detection: a mapping is wanted");
    GraphBuilder graph;
    Selections selections;
    for (const auto& [name, node] : detection.entries) {
        if (name.text == "condition" || name.text == "timeframe")
            continue;
        AMOSKYS_TRY(selection, read_selection(node, file, graph));
        selections.emplace(name.text, selection);
    }
    const YamlNode* condition = detection.find("condition");
    if (condition == nullptr)
        return rule_error("rule_invalid", file, detection, "detection: condition is missing");
    std::vector<const YamlNode*> texts = {condition};
    if (condition->kind == YamlNode::Kind::list) {
        texts.clear();
        for (const YamlNode& each : condition->items)
            texts.push_back(&each);
    }
    std::vector<std::uint32_t> parts;
    for (const YamlNode* each : texts) {
        if (each->kind != YamlNode::Kind::scalar)
            return rule_error("rule_invalid", file, *each, "condition: a text is wanted");
        auto part = read_condition(each->text, selections, graph);
        if (!part)
            return rule_error(part.error().code, file, *each, part.error().message);
        parts.push_back(*part);
    }
    if (parts.empty())
        return rule_error("rule_invalid", file, *condition, "condition: an empty list");
    const std::uint32_t root = graph.join(Join::any, std::move(parts));
    if (graph.full())
        return rule_error("rule_unsupported", file, detection, "a rule of more than 20000 parts");
    return graph.take(root);
}

}  // namespace amoskys::rules
