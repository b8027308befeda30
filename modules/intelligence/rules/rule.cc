#include "modules/intelligence/rules/rule.h"

#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "modules/intelligence/rules/detection.h"
#include "modules/intelligence/rules/encodings.h"
#include "modules/intelligence/rules/literals.h"

namespace amoskys::rules {
namespace {

using config::YamlNode;

constexpr std::size_t max_documents = 1000;
constexpr std::size_t max_list = 1000;
constexpr std::uint64_t max_counted = 10'000;  // Correlator::max_of_group
constexpr config::YamlErrors yaml_errors{ErrorKind::bad_data, "rule_invalid"};
constexpr std::string_view levels[] = {"informational", "low", "medium", "high", "critical"};
constexpr auto longest_timespan = std::chrono::hours(24 * 7);

struct KindName {
    std::string_view name;
    Correlation::Kind kind;
};
constexpr KindName correlation_kinds[] = {
    {"event_count", Correlation::Kind::event_count},
    {"value_count", Correlation::Kind::value_count},
    {"temporal", Correlation::Kind::temporal},
    {"temporal_ordered", Correlation::Kind::temporal_ordered},
};
struct CompareName {
    std::string_view name;
    Correlation::Compare compare;
};
constexpr CompareName comparisons[] = {
    {"lt", Correlation::Compare::less},    {"lte", Correlation::Compare::less_equal},
    {"gt", Correlation::Compare::greater}, {"gte", Correlation::Compare::greater_equal},
    {"eq", Correlation::Compare::equal},
};

class RuleReader {
  public:
    RuleReader(std::string_view file, Rule& rule) : file_(file), rule_(rule) {}

    Result<> read(const YamlNode& root) {
        if (root.kind != YamlNode::Kind::map)
            return invalid(root, "a rule is a mapping");
        if (root.find("action") != nullptr)
            return unsupported(root, "action: (rule collections) is not part of Sigma 2");
        AMOSKYS_TRY_VOID(describe(root));
        if (const YamlNode* handling = root.find("amoskys"))
            AMOSKYS_TRY_VOID(read_handling(*handling));
        if (const YamlNode* correlation = root.find("correlation"))
            return read_correlation(*correlation);
        if (root.find("filter") != nullptr)
            return unsupported(root, "global filters are not supported");
        const YamlNode* source = root.find("logsource");
        if (source == nullptr || source->kind != YamlNode::Kind::map)
            return invalid(root, "logsource is missing");
        AMOSKYS_TRY_VOID(read_source(*source));
        const YamlNode* detection = root.find("detection");
        if (detection == nullptr)
            return invalid(root, "detection is missing");
        AMOSKYS_TRY(graph, read_detection(*detection, file_));
        rule_.detection = std::move(graph);
        return {};
    }

  private:
    Error invalid(const YamlNode& at, std::string_view text) const {
        return rule_error("rule_invalid", file_, at, text);
    }
    Error unsupported(const YamlNode& at, std::string_view text) const {
        return rule_error("rule_unsupported", file_, at, text);
    }

    Result<> text_of(const YamlNode& map, std::string_view key, std::string& out) const {
        const YamlNode* node = map.find(key);
        if (node == nullptr || node->kind == YamlNode::Kind::null)
            return {};
        if (node->kind != YamlNode::Kind::scalar)
            return invalid(*node, std::string(key) + ": a text is wanted");
        out = node->text;
        return {};
    }

    // One text, or a list of texts.
    Result<> list_of(const YamlNode& map, std::string_view key,
                     std::vector<std::string>& out) const {
        const YamlNode* node = map.find(key);
        if (node == nullptr || node->kind == YamlNode::Kind::null)
            return {};
        const auto* items = &node->items;
        const std::vector<YamlNode> one = {*node};
        if (node->kind == YamlNode::Kind::scalar)
            items = &one;
        if (items->size() > max_list)
            return invalid(*node, std::string(key) + ": more than 1000 items");
        for (const YamlNode& item : *items) {
            if (item.kind != YamlNode::Kind::scalar)
                return invalid(item, std::string(key) + ": a list of texts is wanted");
            out.push_back(item.text);
        }
        return {};
    }

    Result<> describe(const YamlNode& root) {
        struct Part {
            std::string_view key;
            std::string* out;
        };
        for (const Part& part :
             {Part{"id", &rule_.id}, Part{"name", &rule_.name}, Part{"title", &rule_.title},
              Part{"status", &rule_.status}, Part{"description", &rule_.description},
              Part{"author", &rule_.author}, Part{"level", &rule_.level}})
            AMOSKYS_TRY_VOID(text_of(root, part.key, *part.out));
        AMOSKYS_TRY_VOID(list_of(root, "tags", rule_.tags));
        AMOSKYS_TRY_VOID(list_of(root, "falsepositives", rule_.false_positives));
        if (rule_.title.empty())
            return invalid(root, "title is missing");
        if (rule_.level.empty())
            rule_.level = "medium";
        if (std::find(std::begin(levels), std::end(levels), rule_.level) == std::end(levels))
            return invalid(*root.find("level"), "level '" + excerpt(rule_.level) +
                                                    "': allowed are informational, low, medium, "
                                                    "high and critical");
        return {};
    }

    Result<> read_source(const YamlNode& node) {
        AMOSKYS_TRY_VOID(text_of(node, "category", rule_.source.category));
        AMOSKYS_TRY_VOID(text_of(node, "product", rule_.source.product));
        AMOSKYS_TRY_VOID(text_of(node, "service", rule_.source.service));
        if (rule_.source == LogSource{})
            return invalid(node, "logsource: category, product or service is wanted");
        return {};
    }

    Result<std::uint64_t> count_of(const YamlNode& node) const {
        std::uint64_t value = 0;
        const std::string& text = node.text;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (node.kind != YamlNode::Kind::scalar || error != std::errc() ||
            end != text.data() + text.size() || value > 1'000'000)
            return invalid(node, "'" + excerpt(text) + "': a number from 0 to 1000000 is wanted");
        return value;
    }

    // "30s", "5m", "1h", "1d".
    Result<Duration> span_of(const YamlNode& node) const {
        std::uint64_t count = 0;
        const std::string& text = node.text;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        const std::string_view unit(end, text.data() + text.size());
        const std::uint64_t seconds = unit == "s"   ? 1
                                      : unit == "m" ? 60
                                      : unit == "h" ? 3600
                                      : unit == "d" ? 86'400
                                                    : 0;
        if (node.kind != YamlNode::Kind::scalar || error != std::errc() || seconds == 0 ||
            count == 0 || count > 1'000'000)
            return invalid(node, "'" + excerpt(text) + "': a time such as 30s, 5m, 1h or 1d");
        const auto span = std::chrono::seconds(count * seconds);
        if (span > longest_timespan)
            return unsupported(node, "a time of more than 7 days");
        return Duration(span);
    }

    Result<> read_handling(const YamlNode& node) {
        Handling& out = rule_.handling;
        if (const YamlNode* each = node.find("suppress")) {
            AMOSKYS_TRY(span, span_of(*each));
            out.suppress = span;
        }
        if (const YamlNode* each = node.find("min-devices")) {
            AMOSKYS_TRY(count, count_of(*each));
            out.min_devices = count;
        }
        if (const YamlNode* each = node.find("score")) {
            const auto score = parse_decimal(each->text);
            if (!score || *score < 0 || *score > 1)
                return invalid(*each, "score: a number from 0 to 1 is wanted");
            out.score = *score;
        }
        if (const YamlNode* each = node.find("building-block"))
            out.building_block = each->text == "true";
        AMOSKYS_TRY_VOID(text_of(node, "pattern", out.pattern));
        AMOSKYS_TRY_VOID(list_of(node, "group-by", out.group_by));
        return list_of(node, "responses", out.responses);
    }

    Result<> read_aliases(const YamlNode& node, Correlation& out) const {
        for (const auto& [name, fields] : node.entries)
            for (const auto& [rule, field] : fields.entries) {
                if (field.kind != YamlNode::Kind::scalar)
                    return invalid(field, "aliases: the name of a field is wanted");
                out.aliases.push_back({name.text, rule.text, field.text});
            }
        return {};
    }

    Result<> read_correlation_condition(const YamlNode& node, Correlation& out) const {
        if (node.kind != YamlNode::Kind::map)
            return unsupported(node, "correlation.condition: only comparisons (gte: 10) are known");
        for (const auto& [name, value] : node.entries) {
            if (name.text == "field") {
                if (value.kind != YamlNode::Kind::scalar)
                    return unsupported(value, "correlation.condition.field: one field is wanted");
                out.value_field = value.text;
                continue;
            }
            const auto known = std::find_if(std::begin(comparisons), std::end(comparisons),
                                            [&](const auto& c) { return c.name == name.text; });
            if (known == std::end(comparisons))
                return unsupported(name, "correlation.condition: '" + excerpt(name.text) +
                                             "'; known are lt, lte, gt, gte, eq and field");
            AMOSKYS_TRY(count, count_of(value));
            if (count >= max_counted)
                return unsupported(value,
                                   "a count of 10000 or more: so many matches of a group "
                                   "are not kept");
            out.conditions.emplace_back(known->compare, count);
        }
        return {};
    }

    Result<> read_correlation(const YamlNode& node) {
        Correlation out;
        std::string type;
        AMOSKYS_TRY_VOID(text_of(node, "type", type));
        const auto known = std::find_if(std::begin(correlation_kinds), std::end(correlation_kinds),
                                        [&](const auto& each) { return each.name == type; });
        if (known == std::end(correlation_kinds))
            return unsupported(node, "correlation.type '" + excerpt(type) +
                                         "': known are event_count, value_count, temporal and "
                                         "temporal_ordered");
        out.kind = known->kind;
        AMOSKYS_TRY_VOID(list_of(node, "rules", out.rules));
        AMOSKYS_TRY_VOID(list_of(node, "group-by", out.group_by));
        if (out.rules.empty() || out.rules.size() > 64)
            return invalid(node, "correlation.rules: 1 to 64 rules are wanted");
        for (std::size_t i = 0; i < out.rules.size(); ++i)
            if (std::find(out.rules.begin(), out.rules.begin() + static_cast<std::ptrdiff_t>(i),
                          out.rules[i]) != out.rules.begin() + static_cast<std::ptrdiff_t>(i))
                return invalid(node, "correlation.rules: '" + excerpt(out.rules[i]) +
                                         "' stands here a second time: one event would be both");
        const YamlNode* span = node.find("timespan");
        if (span == nullptr)
            return invalid(node, "correlation.timespan is missing");
        AMOSKYS_TRY(timespan, span_of(*span));
        out.timespan = timespan;
        if (const YamlNode* aliases = node.find("aliases"))
            AMOSKYS_TRY_VOID(read_aliases(*aliases, out));
        if (const YamlNode* condition = node.find("condition"))
            AMOSKYS_TRY_VOID(read_correlation_condition(*condition, out));
        if (const YamlNode* generate = node.find("generate"))
            out.generate = generate->text == "true";
        const bool counts = out.kind == Correlation::Kind::event_count ||
                            out.kind == Correlation::Kind::value_count;
        if (counts && out.conditions.empty())
            return invalid(node, "correlation.condition is missing");
        if (!counts && !out.conditions.empty())
            return unsupported(node, "conditions of temporal correlations");
        if (out.kind == Correlation::Kind::value_count && out.value_field.empty())
            return invalid(node, "correlation.condition.field is missing");
        // Without an upper number that can be reached by waiting there is nothing to say at once.
        for (const auto& [compare, count] : out.conditions)
            if (compare == Correlation::Compare::less ||
                compare == Correlation::Compare::less_equal)
                return unsupported(node,
                                   "counts below a number (lt, lte) are known only once the "
                                   "time is over");
        rule_.correlation = std::move(out);
        return {};
    }

    std::string_view file_;
    Rule& rule_;
};

}  // namespace

std::string to_text(const LogSource& source) {
    std::string out = source.product;
    for (const std::string* part : {&source.category, &source.service})
        if (!part->empty())
            out += (out.empty() ? "" : "/") + *part;
    return out;
}

std::vector<std::string> Rule::techniques() const {
    std::vector<std::string> out;
    for (const std::string& tag : tags)
        if (tag.size() > 8 && tag.starts_with("attack.t") && tag[8] >= '0' && tag[8] <= '9') {
            out.push_back(tag.substr(7));
            out.back()[0] = 'T';
        }
    return out;
}

int level_rank(std::string_view level) {
    const auto found = std::find(std::begin(levels), std::end(levels), level);
    return found == std::end(levels) ? 3 : static_cast<int>(found - std::begin(levels)) + 1;
}

std::vector<ParsedRule> parse_rules(std::string_view text, std::string_view file) {
    std::vector<ParsedRule> out;
    const auto documents = config::parse_yaml_documents(text, file, yaml_errors, max_documents);
    if (!documents) {
        out.emplace_back();
        out[0].rule.file = file;
        out[0].fault = ParsedRule::Fault::invalid;
        out[0].reason = documents.error().message;
        return out;
    }
    for (const YamlNode& document : *documents) {
        if (document.kind == YamlNode::Kind::null && documents->size() > 1)
            continue;  // `---` at the end
        ParsedRule& parsed = out.emplace_back();
        parsed.rule.file = config::yaml_position(file, document);
        const auto read = RuleReader(file, parsed.rule).read(document);
        if (read)
            continue;
        parsed.fault = read.error().code == "rule_unsupported" ? ParsedRule::Fault::unsupported
                                                               : ParsedRule::Fault::invalid;
        parsed.reason = read.error().message;
    }
    return out;
}

}  // namespace amoskys::rules
