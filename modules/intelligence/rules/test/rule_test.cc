#include "modules/intelligence/rules/rule.h"

#include "core/base/test/result_text.h"
#include "modules/intelligence/rules/test/rule_cases.h"

using namespace amoskys;
using namespace amoskys::rules;

namespace {

// Selections a, b, c and _hidden are true where the field has an x.
bool holds(const std::string& condition, const std::string& trues) {
    std::string text;
    Fields fields;
    for (const std::string name : {"a", "b", "c", "b_two", "_hidden"}) {
        text += "  " + name + ": {" + name + ": x}\n";
        if (trues.find(name == "b_two"     ? '2'
                       : name == "_hidden" ? '_'
                                           : name[0]) != std::string::npos)
            fields[name] = {"x"};
    }
    return matches(text + "  condition: " + condition + "\n", fields);
}

std::string reason(const std::string& detection) {
    return refused_rule(with_detection(detection)).reason;
}

}  // namespace

TEST_CASE("not binds closer than and, and closer than or") {
    CHECK(holds("a or b and c", "a"));
    CHECK_FALSE(holds("(a or b) and c", "a"));
    CHECK(holds("not a and b", "b"));
    CHECK_FALSE(holds("not (a or b)", "b"));
    CHECK(holds("not not a", "a"));
    CHECK(holds("a AND NOT b", "a"));
    CHECK(holds("((a))and(b)", "ab"));
}

TEST_CASE("of counts selections by pattern or all of them") {
    CHECK(holds("1 of b*", "2"));
    CHECK_FALSE(holds("all of b*", "2"));
    CHECK(holds("all of b*", "b2"));
    CHECK(holds("any of them", "c"));
    CHECK_FALSE(holds("all of them", "ab2"));
    CHECK(holds("all of them", "abc2"));  // _hidden is not among them
    CHECK_FALSE(holds("1 of them", "_"));
    CHECK(holds("2 of them", "ac"));
    CHECK_FALSE(holds("2 of them", "a"));
    CHECK(holds("1 of b* and not all of b*", "b"));
    CHECK(holds("1 of _*", "_"));
}

TEST_CASE("several conditions are any of them") {
    CHECK(matches("  a: {A: x}\n  b: {B: x}\n  condition: [a, b]\n", {{"B", {"x"}}}));
}

TEST_CASE("a condition that cannot be read is refused with its place") {
    const std::string ab = "  a: {A: x}\n  bcd: {B: x}\n";
    CHECK_THAT(reason(ab + "  condition: a and\n"),
               Catch::StartsWith("test.yml:6:14: condition: "));
    CHECK_THAT(reason(ab + "  condition: a bcd\n"), Catch::Contains("one word too many"));
    CHECK_THAT(reason(ab + "  condition: (a\n"), Catch::Contains("a ( without )"));
    CHECK_THAT(reason(ab + "  condition: bce\n"), Catch::Contains("did you mean bcd?"));
    CHECK_THAT(reason(ab + "  condition: 3 of them\n"), Catch::Contains("can never be"));
    CHECK_THAT(reason(ab + "  condition: some of them\n"), Catch::Contains("'some of'"));
    CHECK_THAT(reason(ab + "  condition: 1 of z*\n"), Catch::Contains("no selection 'z*'"));
    CHECK_THAT(reason(ab), Catch::Contains("condition is missing"));
    CHECK_THAT(reason(ab + "  condition: " + std::string(300, '(') + "a\n"),
               Catch::Contains("nested more than 100 deep"));
    std::string nots;
    for (int i = 0; i < 300; ++i)
        nots += "not ";
    CHECK_THAT(reason(ab + "  condition: " + nots + "a\n"), Catch::Contains("100 deep"));
}

TEST_CASE("what Sigma 2 has not, or this engine has not, is named as unsupported") {
    const auto unsupported = [](const std::string& yaml) {
        const ParsedRule refused = refused_rule(yaml);
        CHECK(refused.fault == ParsedRule::Fault::unsupported);
        return refused.reason;
    };
    CHECK_THAT(unsupported(with_detection("  a: {A: x}\n  condition: a | count() by B > 3\n")),
               Catch::Contains("write a correlation rule"));
    CHECK_THAT(unsupported(with_detection("  a: {A|expand: '%x%'}\n  condition: a\n")),
               Catch::Contains("placeholders"));
    CHECK_THAT(unsupported(with_detection("  a: {A|hour: 3}\n  condition: a\n")),
               Catch::Contains("parts of a time"));
    CHECK_THAT(unsupported(with_detection("  a: {A|sounds: x}\n  condition: a\n")),
               Catch::Contains("'sounds' is not known"));
    CHECK_THAT(unsupported(with_detection("  a: {A|re: '(?=x)y'}\n  condition: a\n")),
               Catch::Contains("lookaround"));
    CHECK_THAT(unsupported("title: t\naction: global\n"), Catch::Contains("action"));
    CHECK_THAT(unsupported("title: t\ncorrelation:\n  type: value_avg\n  rules: [a]\n"
                           "  timespan: 5m\n"),
               Catch::Contains("value_avg"));
    CHECK_THAT(unsupported("title: t\ncorrelation:\n  type: event_count\n  rules: [a]\n"
                           "  timespan: 5m\n  condition: {gte: 10000}\n"),
               Catch::Contains("10000 or more"));
}

TEST_CASE("a rule that says nonsense is invalid, with its place") {
    const auto invalid = [](const std::string& yaml) {
        const ParsedRule refused = refused_rule(yaml);
        CHECK(refused.fault == ParsedRule::Fault::invalid);
        return refused.reason;
    };
    CHECK_THAT(invalid("[]"), Catch::Contains("a rule is a mapping"));
    CHECK_THAT(invalid("a: ["), Catch::StartsWith("test.yml:"));
    CHECK_THAT(invalid("logsource: {product: x}\ndetection: {}\n"), Catch::Contains("title"));
    CHECK_THAT(invalid("title: t\ndetection: {}\n"), Catch::Contains("logsource"));
    CHECK_THAT(invalid("title: t\nlogsource: {product: x}\n"), Catch::Contains("detection"));
    CHECK_THAT(invalid("title: t\nlevel: bad\n"), Catch::Contains("allowed are informational"));
    CHECK_THAT(invalid(with_detection("  a: {A|contains|startswith: x}\n  condition: a\n")),
               Catch::Contains("exclude each other"));
    CHECK_THAT(invalid(with_detection("  a: {A|cidr: x}\n  condition: a\n")),
               Catch::Contains("no network"));
    CHECK_THAT(invalid(with_detection("  a: {A|gt: x}\n  condition: a\n")),
               Catch::Contains("no number"));
    CHECK_THAT(invalid(with_detection("  a: {A|base64: 'x*'}\n  condition: a\n")),
               Catch::Contains("wildcards"));
    CHECK_THAT(invalid(with_detection("  a: {A: {B: x}}\n  condition: a\n")),
               Catch::Contains("a value"));
    CHECK_THAT(invalid(with_detection("  a: []\n  condition: a\n")), Catch::Contains("empty"));
    CHECK_THAT(invalid(with_detection("  a: {A: [[x]]}\n  condition: a\n")),
               Catch::Contains("a value"));
    CHECK_THAT(invalid("title: &x t\n"), Catch::Contains("anchors"));
    CHECK_THAT(invalid("title: t\ncorrelation: {type: temporal, rules: [a, a], timespan: 5m}\n"),
               Catch::Contains("'a' stands here a second time"));
}

TEST_CASE("a rule that unfolds without end is refused") {
    std::string values;
    for (int i = 0; i < 10'001; ++i)
        values += (i == 0 ? "" : ",") + std::to_string(i);
    CHECK_THAT(reason("  a: {A: [" + values + "]}\n  condition: a\n"),
               Catch::Contains("more than 10000 values"));
    CHECK_THAT(reason("  a: {A|windash: ' -a -b -c -d -e'}\n  condition: a\n"),
               Catch::Contains("more than 4 dashes"));
    std::string many;
    for (int i = 0; i < 40; ++i)
        many += "  s" + std::to_string(i) + ": {A: x}\n";
    CHECK_THAT(reason(many + "  condition: 20 of them\n"), Catch::Contains("more than 1000 ways"));
}

TEST_CASE("what a rule says of itself is kept") {
    const Rule rule = only_rule(
        "title: T\nid: i\nlevel: high\ntags: [attack.execution, attack.t1059.004, attack.t1105]\n"
        "author: someone\nlogsource: {product: linux, category: process_creation}\n"
        "detection: {s: {A: x}, condition: s}\nfalsepositives: [none]\n"
        "amoskys: {suppress: 10m, group-by: [A], score: 0.7, responses: [look]}\n");
    CHECK(rule.techniques() == std::vector<std::string>{"T1059.004", "T1105"});
    CHECK(to_text(rule.source) == "linux/process_creation");
    CHECK(rule.handling.suppress == std::chrono::minutes(10));
    CHECK(rule.handling.score == 0.7);
    CHECK(level_rank(rule.level) == 4);
}

TEST_CASE("a file may hold several rules") {
    const auto parsed = parse_rules(with_detection("  s: {A: x}\n  condition: s\n") + "---\n" +
                                        with_detection("  s: {A: x}\n  condition: t\n"),
                                    "f.yml");
    REQUIRE(parsed.size() == 2);
    CHECK(parsed[0].fault == ParsedRule::Fault::none);
    CHECK(parsed[1].fault == ParsedRule::Fault::invalid);
    CHECK_THAT(parsed[1].rule.file, Catch::StartsWith("f.yml:7"));
}
