// Rules against plain fields, for tests.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "modules/intelligence/rules/matcher.h"
#include "modules/intelligence/rules/rule.h"

namespace amoskys::rules {

using Fields = std::map<std::string, std::vector<std::string>>;  // "" = what keywords look in

inline EventTexts texts_of(const Matcher& matcher, const Fields& fields) {
    EventTexts out;
    for (const std::string& name : matcher.fields()) {
        out.begin.push_back(static_cast<std::uint32_t>(out.texts.size()));
        const auto found = fields.find(name);
        if (found != fields.end())
            out.texts.insert(out.texts.end(), found->second.begin(), found->second.end());
    }
    out.begin.push_back(static_cast<std::uint32_t>(out.texts.size()));
    return out;
}

inline Rule only_rule(const std::string& yaml) {
    auto parsed = parse_rules(yaml, "test.yml");
    REQUIRE(parsed.size() == 1);
    INFO(parsed[0].reason);
    REQUIRE(parsed[0].fault == ParsedRule::Fault::none);
    return std::move(parsed[0].rule);
}

inline ParsedRule refused_rule(const std::string& yaml) {
    auto parsed = parse_rules(yaml, "test.yml");
    REQUIRE(parsed.size() == 1);
    REQUIRE(parsed[0].fault != ParsedRule::Fault::none);
    return std::move(parsed[0]);
}

// A rule with this below `detection:`, indented by two.
inline std::string with_detection(const std::string& detection) {
    return "title: t\nlogsource: {product: linux}\ndetection:\n" + detection;
}

inline bool matches(const std::string& detection, const Fields& fields) {
    const Rule rule = only_rule(with_detection(detection));
    auto matcher = Matcher::compile({&rule.detection});
    REQUIRE(matcher);
    return !matcher->match(texts_of(*matcher, fields)).empty();
}

// The same with one selection.
inline bool selects(const std::string& selection, const Fields& fields) {
    return matches("  selection:\n    " + selection + "\n  condition: selection\n", fields);
}

}  // namespace amoskys::rules
