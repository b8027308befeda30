#include "modules/intelligence/rules/matcher.h"

#include "core/base/test/result_text.h"
#include "modules/intelligence/rules/test/rule_cases.h"

using namespace amoskys;
using namespace amoskys::rules;

TEST_CASE("a plain value is the whole text, in either case") {
    CHECK(selects("Image: /bin/sh", {{"Image", {"/bin/SH"}}}));
    CHECK_FALSE(selects("Image: /bin/sh", {{"Image", {"/bin/sh2"}}}));
    CHECK_FALSE(selects("Image: /bin/sh", {{"Image", {"x/bin/sh"}}}));
    CHECK_FALSE(selects("Image: /bin/sh", {}));
}

TEST_CASE("contains, startswith and endswith") {
    CHECK(selects("C|contains: bcd", {{"C", {"aBCDe"}}}));
    CHECK_FALSE(selects("C|contains: bcd", {{"C", {"abc"}}}));
    CHECK(selects("C|startswith: ab", {{"C", {"abc"}}}));
    CHECK_FALSE(selects("C|startswith: bc", {{"C", {"abc"}}}));
    CHECK(selects("C|endswith: bc", {{"C", {"bc bc"}}}));
    CHECK_FALSE(selects("C|endswith: bc", {{"C", {"bcd"}}}));
}

TEST_CASE("a list is any of its values, with all every one") {
    CHECK(selects("C|contains: [x, b]", {{"C", {"abc"}}}));
    CHECK_FALSE(selects("C|contains|all: [x, b]", {{"C", {"abc"}}}));
    CHECK(selects("C|contains|all: [c, b]", {{"C", {"abc"}}}));
}

TEST_CASE("a mapping is all of its fields, a list of mappings any of them") {
    CHECK_FALSE(selects("{A: x, B: y}", {{"A", {"x"}}}));
    CHECK(selects("{A: x, B: y}", {{"A", {"x"}}, {"B", {"y"}}}));
    CHECK(matches("  s:\n    - {A: x}\n    - {B: y}\n  condition: s\n", {{"B", {"y"}}}));
    CHECK_FALSE(matches("  s:\n    - {A: x}\n    - {B: y}\n  condition: s\n", {{"B", {"x"}}}));
}

TEST_CASE("wildcards stand for one or any number of characters") {
    CHECK(selects("C: a*c", {{"C", {"abbc"}}}));
    CHECK(selects("C: a*c", {{"C", {"AC"}}}));
    CHECK_FALSE(selects("C: a*c", {{"C", {"abcd"}}}));
    CHECK(selects("C: a?c", {{"C", {"abc"}}}));
    CHECK_FALSE(selects("C: a?c", {{"C", {"ac"}}}));
    CHECK(selects("C|contains: 'a?c'", {{"C", {"xabcx"}}}));
    CHECK(selects("C: '*'", {{"C", {"anything"}}}));
    CHECK_FALSE(selects("C: '*'", {}));
    CHECK(selects("C: '*b*'", {{"C", {"abc"}}}));
    CHECK(selects("C: '**b'", {{"C", {"ab"}}}));
}

TEST_CASE("a backslash takes the meaning of a wildcard away and is itself elsewhere") {
    CHECK(selects("C: 'a\\*'", {{"C", {"a*"}}}));
    CHECK_FALSE(selects("C: 'a\\*'", {{"C", {"ab"}}}));
    CHECK(selects("C: 'a\\?'", {{"C", {"a?"}}}));
    CHECK(selects("C: 'a\\b'", {{"C", {"a\\b"}}}));
    CHECK(selects("C: 'a\\\\*'", {{"C", {"a\\bc"}}}));   // \\* = a backslash, then anything
    CHECK(selects("C: 'a\\\\\\*'", {{"C", {"a\\*"}}}));  // \\\* = a backslash and a star
    CHECK_FALSE(selects("C: 'a\\\\\\*'", {{"C", {"a\\b"}}}));
    CHECK(selects("C: '\\'", {{"C", {"\\"}}}));
}

TEST_CASE("cased minds the case of every letter") {
    CHECK(selects("C|cased: aB", {{"C", {"aB"}}}));
    CHECK_FALSE(selects("C|cased: aB", {{"C", {"ab"}}}));
    CHECK(selects("C|contains|cased: aB", {{"C", {"ab aB"}}}));
    CHECK_FALSE(selects("C|contains|cased: aB", {{"C", {"ab AB"}}}));
    CHECK(selects("C|cased: a*B", {{"C", {"axxB"}}}));
    CHECK_FALSE(selects("C|cased: a*B", {{"C", {"axxb"}}}));
    // The same letters with and without case, in one rule.
    CHECK_FALSE(
        matches("  a: {C|contains|cased: AB}\n  b: {C|contains: ab}\n  condition: a and b\n",
                {{"C", {"ab"}}}));
}

TEST_CASE("null is a field that is not there, and an empty text too") {
    CHECK(selects("C: null", {}));
    CHECK(selects("C: null", {{"C", {""}}}));
    CHECK_FALSE(selects("C: null", {{"C", {"x"}}}));
    CHECK(selects("C: ''", {}));
    CHECK(selects("C: [null, x]", {{"C", {"x"}}}));
}

TEST_CASE("exists asks whether the field is there") {
    CHECK(selects("C|exists: true", {{"C", {"x"}}}));
    CHECK_FALSE(selects("C|exists: true", {}));
    CHECK(selects("C|exists: false", {}));
    CHECK_FALSE(selects("C|exists: 'no'", {{"C", {"x"}}}));
}

TEST_CASE("neq turns the answer round") {
    CHECK(selects("C|neq: x", {{"C", {"y"}}}));
    CHECK_FALSE(selects("C|neq: x", {{"C", {"x"}}}));
    CHECK_FALSE(selects("C|contains|neq: [x, y]", {{"C", {"ay"}}}));
}

TEST_CASE("numbers are compared as numbers") {
    CHECK(selects("P|gt: 21", {{"P", {"100"}}}));
    CHECK_FALSE(selects("P|gt: 21", {{"P", {"21"}}}));
    CHECK(selects("P|gte: 21", {{"P", {"21"}}}));
    CHECK(selects("P|lt: 1.5", {{"P", {"1"}}}));
    CHECK(selects("P|lte: -1", {{"P", {"-1"}}}));
    CHECK_FALSE(selects("P|lt: 5", {{"P", {"abc"}}}));
    CHECK_FALSE(selects("P|lt: 5", {{"P", {"1e999"}}}));
    CHECK(selects("P: 22", {{"P", {"22"}}}));
    CHECK_FALSE(selects("P: 22", {{"P", {"2222"}}}));
}

TEST_CASE("networks hold the addresses of their own version") {
    CHECK(selects("A|cidr: 10.0.0.0/8", {{"A", {"10.200.3.4"}}}));
    CHECK_FALSE(selects("A|cidr: 10.0.0.0/8", {{"A", {"11.0.0.1"}}}));
    CHECK(selects("A|cidr: 192.0.2.128/25", {{"A", {"192.0.2.129"}}}));
    CHECK_FALSE(selects("A|cidr: 192.0.2.128/25", {{"A", {"192.0.2.127"}}}));
    CHECK(selects("A|cidr: 'fe80::/10'", {{"A", {"febf::1"}}}));
    CHECK_FALSE(selects("A|cidr: 'fe80::/10'", {{"A", {"fec0::1"}}}));
    CHECK(selects("A|cidr: 0.0.0.0/0", {{"A", {"1.2.3.4"}}}));
    CHECK_FALSE(selects("A|cidr: 0.0.0.0/0", {{"A", {"::1"}}}));
    CHECK_FALSE(selects("A|cidr: 10.0.0.0/8", {{"A", {"10.0.0"}}}));
}

TEST_CASE("regular expressions mind the case unless told otherwise") {
    CHECK(selects("C|re: 'a[bc]+d'", {{"C", {"xxabcbdxx"}}}));
    CHECK_FALSE(selects("C|re: 'a[bc]+d'", {{"C", {"ABD"}}}));
    CHECK(selects("C|re|i: 'a[bc]+d'", {{"C", {"ABD"}}}));
    CHECK(selects("C|re|m: '^b$'", {{"C", {"a\nb\nc"}}}));
    CHECK(selects("C|re|s: 'a.b'", {{"C", {"a\nb"}}}));
    CHECK_FALSE(selects("C|re: 'a.b'", {{"C", {"a\nb"}}}));
}

TEST_CASE("base64 and base64offset look for the encoded text") {
    CHECK(selects("C|base64: /bin/bash", {{"C", {"L2Jpbi9iYXNo"}}}));
    CHECK(selects("C|base64|contains: /bin/bash", {{"C", {"echo L2Jpbi9iYXNo|sh"}}}));
    // "foo", "xfoo" and "xxfoo" with more behind: the three places modulo 3.
    for (const char* text : {"Zm9vYmFyYmF6", "eGZvb2JhcmJheg==", "eHhmb29iYXJiYXo="})
        CHECK(selects("C|base64offset|contains: foobar", {{"C", {text}}}));
    CHECK_FALSE(selects("C|base64offset|contains: foobaz", {{"C", {"Zm9vYmFyYmF6"}}}));
    // PowerShell's encoding: UTF-16.
    CHECK(selects("C|wide|base64offset|contains: ping", {{"C", {"-enc cABpAG4AZwAgADEA"}}}));
    CHECK(selects("C|utf16le|base64|contains: ping", {{"C", {"cABpAG4AZwA="}}}));
    CHECK(selects("C|utf16be|base64: p", {{"C", {"AHA="}}}));
    CHECK(selects("C|utf16|base64: p", {{"C", {"//5wAA=="}}}));
}

TEST_CASE("windash takes every dash, and a slash, for a dash") {
    for (const char* text : {"cmd -f x", "cmd /f x",
                             "cmd \xe2\x80\x93"
                             "f x",
                             "cmd \xe2\x80\x94"
                             "f x",
                             "cmd \xe2\x80\x95"
                             "f x"})
        CHECK(selects("C|windash|contains: ' -f '", {{"C", {text}}}));
    CHECK_FALSE(selects("C|windash|contains: ' -f '", {{"C", {"cmd +f x"}}}));
    CHECK(selects("C|contains|windash: ' -a -b'", {{"C", {"x /a -b"}}}));
    CHECK(selects("C|windash|contains: 'x-y'", {{"C", {"x-y"}}}));  // not before a word
    CHECK_FALSE(selects("C|windash|contains: 'x-y'", {{"C", {"x/y"}}}));
}

TEST_CASE("fieldref compares two fields of the event") {
    CHECK(selects("A|fieldref: B", {{"A", {"x"}}, {"B", {"X"}}}));
    CHECK_FALSE(selects("A|fieldref: B", {{"A", {"x"}}, {"B", {"y"}}}));
    CHECK_FALSE(selects("A|fieldref: B", {{"A", {"x"}}}));
    CHECK(selects("A|fieldref|endswith: B", {{"A", {"/usr/bin/x"}}, {"B", {"/X"}}}));
    CHECK(selects("A|fieldref|contains: B", {{"A", {"axb"}}, {"B", {"x"}}}));
    CHECK_FALSE(selects("A|fieldref|startswith|cased: B", {{"A", {"xa"}}, {"B", {"X"}}}));
}

TEST_CASE("keywords are looked for in the whole text") {
    const std::string any = "  keywords: [segfault, 'general * fault']\n  condition: keywords\n";
    CHECK(matches(any, {{"", {"nginx: SEGFAULT at 0"}}}));
    CHECK(matches(any, {{"", {"a general protection fault ip"}}}));
    CHECK_FALSE(matches(any, {{"", {"all well"}}, {"Other", {"segfault"}}}));
    const std::string all = "  keywords:\n    '|all': [rm, foo]\n  condition: keywords\n";
    CHECK(matches(all, {{"", {"rm -rf foo"}}}));
    CHECK_FALSE(matches(all, {{"", {"rm -rf bar"}}}));
    CHECK(matches("  keywords:\n    '|re': 'f[o0]+'\n  condition: keywords\n", {{"", {"rm f0o"}}}));
}

TEST_CASE("any of several values of a field is enough") {
    CHECK(selects("query|endswith: .onion", {{"query", {"a.example", "b.onion"}}}));
    CHECK_FALSE(selects("query|endswith: .onion", {{"query", {"a.example", "b.example"}}}));
}

TEST_CASE("a pattern whose literal stands in the text very often is still quick") {
    std::string text;
    for (int i = 0; i < 20'000; ++i)
        text += "ab";
    CHECK_FALSE(selects("C: '*ab*c?d*'", {{"C", {text}}}));
}

TEST_CASE("one pass finds the rules that match among many, and looks at few of them") {
    std::vector<Rule> rules;
    for (int i = 0; i < 500; ++i)
        rules.push_back(only_rule(with_detection("  s: {Image|endswith: /tool" + std::to_string(i) +
                                                 "}\n  f: {C|contains: no}\n"
                                                 "  condition: s and not f\n")));
    std::vector<const Detection*> detections;
    for (const Rule& rule : rules)
        detections.push_back(&rule.detection);
    auto matcher = Matcher::compile(detections);
    REQUIRE(matcher);
    const auto found = matcher->match(texts_of(*matcher, {{"Image", {"/x/TOOL17"}}}));
    REQUIRE(found.size() == 1);
    CHECK(found[0] == 17);
    CHECK(matcher->match(texts_of(*matcher, {{"Image", {"/x/tool17"}}, {"C", {"no"}}})).empty());
    CHECK(matcher->match(texts_of(*matcher, {})).empty());
    CHECK(matcher->counts().events == 3);
    CHECK(matcher->counts().rules_looked_at == 2);
}
