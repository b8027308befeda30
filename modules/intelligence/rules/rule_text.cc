#include "modules/intelligence/rules/rule_text.h"

#include "core/base/clock.h"

namespace amoskys::rules {
namespace {

using Ask = Atom::Kind;

constexpr std::size_t most_lines = 200;

std::string pattern_text(const std::vector<std::uint16_t>& pattern) {
    std::string out;
    for (const std::uint16_t c : pattern) {
        if (c == '*' || c == '?')
            out += '\\';
        out += c == any_many ? '*' : c == any_one ? '?' : static_cast<char>(c);
    }
    return out;
}

std::string atom_text(const Atom& atom) {
    std::string out = atom.field.empty() ? "the text" : atom.field;
    const auto quoted = [&](std::string_view verb) {
        out += " " + std::string(verb);
        if (atom.other_field)
            out += " what is in " + atom.text;
        else
            out +=
                " '" + (atom.kind == Ask::pattern ? pattern_text(atom.pattern) : atom.text) + "'";
        if (atom.cased)
            out += " in this case";
    };
    switch (atom.kind) {
        case Ask::equals:
            quoted("is");
            break;
        case Ask::starts:
            quoted("starts with");
            break;
        case Ask::ends:
            quoted("ends with");
            break;
        case Ask::contains:
            quoted("contains");
            break;
        case Ask::pattern:
            quoted("is like");
            break;
        case Ask::regex:
            quoted("matches the expression");
            break;
        case Ask::network:
            quoted("is in the network");
            break;
        case Ask::less:
            quoted("is below");
            break;
        case Ask::less_equal:
            quoted("is at most");
            break;
        case Ask::greater:
            quoted("is above");
            break;
        case Ask::greater_equal:
            quoted("is at least");
            break;
        case Ask::present:
            out += " is there";
            break;
        case Ask::absent:
            out += " is not there, or empty";
            break;
    }
    return out;
}

void add_lines(const Detection& detection, std::uint32_t number, std::size_t depth,
               std::string_view before, std::vector<std::string>& lines) {
    if (lines.size() >= most_lines)
        return;
    const Detection::Node& node = detection.nodes[number];
    const std::string indent = std::string(2 * depth, ' ') + std::string(before);
    switch (node.kind) {
        case Detection::Node::Kind::atom:
            lines.push_back(indent + atom_text(detection.atoms[node.parts[0]]));
            return;
        case Detection::Node::Kind::negated:
            add_lines(detection, node.parts[0], depth, std::string(before) + "not: ", lines);
            return;
        case Detection::Node::Kind::all:
            lines.push_back(indent + "all of:");
            break;
        case Detection::Node::Kind::any:
            lines.push_back(indent + "any of:");
            break;
    }
    for (const std::uint32_t part : node.parts)
        add_lines(detection, part, depth + 1, "", lines);
}

std::string comparison_text(Correlation::Compare compare) {
    switch (compare) {
        case Correlation::Compare::less:
            return "below ";
        case Correlation::Compare::less_equal:
            return "at most ";
        case Correlation::Compare::greater:
            return "above ";
        case Correlation::Compare::greater_equal:
            return "at least ";
        case Correlation::Compare::equal:
            return "exactly ";
    }
    return "";
}

}  // namespace

std::vector<std::string> condition_lines(const Detection& detection) {
    std::vector<std::string> lines;
    if (detection.root < detection.nodes.size())
        add_lines(detection, detection.root, 0, "", lines);
    if (lines.size() >= most_lines)
        lines.push_back("and more");
    return lines;
}

std::vector<std::string> condition_lines(const Correlation& correlation) {
    std::string what;
    switch (correlation.kind) {
        case Correlation::Kind::event_count:
            what = "so many matches of one of:";
            break;
        case Correlation::Kind::value_count:
            what = "matches with so many different values of " + correlation.value_field + ", of:";
            break;
        case Correlation::Kind::temporal:
            what = "each of these at least once, in any order:";
            break;
        case Correlation::Kind::temporal_ordered:
            what = "each of these, in this order:";
            break;
    }
    std::vector<std::string> lines = {"within " + format_duration(correlation.timespan), what};
    for (const std::string& rule : correlation.rules)
        lines.push_back("  " + rule);
    for (const auto& [compare, count] : correlation.conditions)
        lines.push_back(comparison_text(compare) + std::to_string(count));
    for (const std::string& name : correlation.group_by)
        lines.push_back("for the same " + name);
    return lines;
}

Json rule_row(const Rule& rule, const Placement& placement) {
    return {{"id", rule.id},
            {"name", rule.name},
            {"title", rule.title},
            {"level", rule.level},
            {"state", std::string(state_name(placement.state))},
            {"logsource", rule.correlation ? "correlation" : to_text(rule.source)},
            {"techniques", rule.techniques()},
            {"looks_at", placement.classes},
            {"reason", placement.reason},
            {"file", rule.file}};
}

Json explanation(const Rule& rule, const Placement& placement) {
    Json out = rule_row(rule, placement);
    out["description"] = rule.description;
    out["author"] = rule.author;
    out["condition"] =
        rule.correlation ? condition_lines(*rule.correlation) : condition_lines(rule.detection);
    out["false_positives"] = rule.false_positives;
    out["pattern"] = rule.handling.pattern;
    out["min_devices"] = rule.handling.min_devices;
    out["suppress"] = format_duration(rule.handling.suppress);
    out["responses"] = rule.handling.responses;
    return out;
}

}  // namespace amoskys::rules
