// A Sigma rule (specification 2.1) as plain data: what it looks for as a graph of and, or, not over
// atoms, and what it says of itself. Sans-io; made by parse_rules, then const.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "modules/intelligence/rules/network.h"
#include "modules/intelligence/rules/regex.h"

namespace amoskys::rules {

// One question to one field of an event.
struct Atom {
    enum class Kind : std::uint8_t {
        equals,
        starts,
        ends,
        contains,
        pattern,  // wildcards within
        regex,
        network,
        less,
        less_equal,
        greater,
        greater_equal,
        present,
        absent,  // not there, or empty
    };
    std::string field;  // as the rule names it; "" = anywhere in the event (keywords)
    Kind kind = Kind::equals;
    bool cased = false;
    bool other_field = false;  // equals, starts, ends, contains: `text` names a field (fieldref)
    std::string text;          // literal, regular expression, name of a field
    std::vector<std::uint16_t> pattern;  // bytes, any_one, any_many
    Regex::Flags flags;
    Network network;
    double number = 0;
};
inline constexpr std::uint16_t any_one = 256, any_many = 257;

struct Detection {
    struct Node {
        enum class Kind : std::uint8_t { all, any, negated, atom } kind = Kind::all;
        std::vector<std::uint32_t> parts;  // nodes; of `negated` one; of `atom` the atom's number
    };
    std::vector<Node> nodes;  // parts stand before what is made of them
    std::vector<Atom> atoms;
    std::uint32_t root = 0;
};

struct LogSource {
    std::string category, product, service;
    bool operator==(const LogSource&) const = default;
};
std::string to_text(const LogSource& source);  // "process_creation/linux", "linux:sshd"

struct Correlation {
    enum class Kind : std::uint8_t { event_count, value_count, temporal, temporal_ordered };
    enum class Compare : std::uint8_t { less, less_equal, greater, greater_equal, equal };
    Kind kind = Kind::event_count;
    std::vector<std::string> rules;  // by name or id
    std::vector<std::string> group_by;
    struct Alias {
        std::string name, rule, field;
    };
    std::vector<Alias> aliases;  // a name of group_by that is another field in each rule
    Duration timespan{};
    std::vector<std::pair<Compare, std::uint64_t>> conditions;  // all of them
    std::string value_field;                                    // value_count
    bool generate = false;  // the rules that it refers to give alerts of their own as well
};

// From the custom field `amoskys` of our own rules: how its alerts behave.
struct Handling {
    Duration suppress = std::chrono::hours(1);  // the same alert again only so long afterwards
    std::vector<std::string> group_by;          // one alert for each value; besides the device
    std::vector<std::string> responses;         // what a person might do; never executed
    std::uint64_t min_devices = 1;              // a correlation over at least so many
    double score = 0;                           // 0 = by level
    std::string pattern;                        // name of an attack pattern
    bool building_block = false;                // alone no alert: it is for correlations
};

struct Rule {
    std::string file;  // and where in it the rule is, for messages
    std::string id, name, title, description, status, level, author;
    std::vector<std::string> tags, false_positives;
    LogSource source;
    Detection detection;
    std::optional<Correlation> correlation;
    Handling handling;

    std::vector<std::string> techniques() const;  // tags attack.t1059.004 as T1059.004
    std::string_view key() const { return id.empty() ? title : id; }
};

// What a file held. A rule with a fault is never run; the fault is what the user is told.
struct ParsedRule {
    Rule rule;
    enum class Fault : std::uint8_t { none, invalid, unsupported } fault = Fault::none;
    std::string reason;  // with FILE:LINE:COL
};
// Every document of the text. A text that is no YAML is one invalid rule.
std::vector<ParsedRule> parse_rules(std::string_view text, std::string_view file);

// 1 informational .. 5 critical; of an unknown word as of medium.
int level_rank(std::string_view level);

}  // namespace amoskys::rules
