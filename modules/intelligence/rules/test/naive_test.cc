// The naive evaluator and the engine on a rule of this project's own, with generated texts: holds
// the comparison where the published rules are not there.
#include <random>

#include "core/base/test/result_text.h"
#include "modules/intelligence/rules/test/naive.h"

using namespace amoskys;
using namespace amoskys::rules;

TEST_CASE("the engine and the naive evaluator agree on random events") {
    const std::string yaml =
        "title: t\nlogsource: {product: linux}\ndetection:\n"
        "  one: {A|startswith: [ab, 'b*a'], B|contains|all: [a, b]}\n"
        "  two_x: [{A: 'a?b*'}, {B|endswith: ba}, {C|re: '(ab)+$'}]\n"
        "  two_y: {A|contains: [bb, 'a\\*']}\n"
        "  filter_a: {B: [null, ab]}\n"
        "  words: [aab, 'b?b']\n"
        "  condition: (one or all of two_*) and not 1 of filter_* or words and not two_y\n";
    const Rule rule = only_rule(yaml);
    constexpr config::YamlErrors errors{ErrorKind::bad_data, "test"};
    const auto tree = config::parse_yaml_tree(yaml, "t", errors).value();
    auto matcher = Matcher::compile({&rule.detection});
    REQUIRE(matcher);
    std::mt19937 random(3);
    int matched = 0;
    for (int round = 0; round < 20'000; ++round) {
        Fields fields;
        for (const char* name : {"A", "B", "C", ""})
            for (std::size_t count = random() % 3; count > 0; --count) {
                std::string text;
                for (std::size_t length = random() % 6; length > 0; --length)
                    text += "abAB*"[random() % 5];
                fields[name].push_back(text);
            }
        const bool expected = naive::matches(tree, fields);
        const bool found = !matcher->match(texts_of(*matcher, fields)).empty();
        if (found != expected) {
            for (const auto& [name, texts] : fields)
                for (const std::string& text : texts)
                    UNSCOPED_INFO(name << " = '" << text << "'");
            REQUIRE(found == expected);
        }
        matched += found ? 1 : 0;
    }
    CHECK(matched > 500);
    CHECK(matched < 19'500);
}
