#include "modules/intelligence/rules/regex.h"
#include "core/base/test/result_text.h"

#include <catch2/catch.hpp>
#include <random>
#include <regex>

using namespace amoskys;
using rules::Regex;

namespace {

bool finds(std::string_view pattern, std::string_view text, Regex::Flags flags = {}) {
    auto regex = Regex::compile(pattern, flags);
    INFO(pattern);
    REQUIRE(regex);
    return regex->search(text);
}

std::string refusal(std::string_view pattern) {
    const auto regex = Regex::compile(pattern, {});
    REQUIRE_FALSE(regex);
    CHECK(regex.error().code == "regex");
    return regex.error().message;
}

}  // namespace

TEST_CASE("literals, classes, groups and repetitions") {
    CHECK(finds("b", "abc"));
    CHECK_FALSE(finds("d", "abc"));
    CHECK(finds("", ""));
    CHECK(finds("a.c", "xabcx"));
    CHECK_FALSE(finds("a.c", "a\nc"));
    CHECK(finds("[a-c]x", "cx"));
    CHECK_FALSE(finds("[^a-c]x", "cx"));
    CHECK(finds("[]a]", "]"));
    CHECK(finds("[a-]", "-"));
    CHECK(finds("[\\d-]+$", "12-"));
    CHECK(finds("[[:alpha:]]{3}", "ab1abc"));
    CHECK(finds("^(a|bc)+$", "abca"));
    CHECK_FALSE(finds("^(a|bc)+$", "abcb"));
    CHECK(finds("(?:ab){2}", "abab"));
    CHECK(finds("(?<name>a)(?P<other>b)", "ab"));
    CHECK(finds("^a{2,3}$", "aaa"));
    CHECK_FALSE(finds("^a{2,3}$", "aaaa"));
    CHECK(finds("^a{2,}$", "aaaaaa"));
    CHECK_FALSE(finds("^a{2,}$", "a"));
    CHECK(finds("^a{0}b$", "b"));
    CHECK(finds("a{x", "a{x"));
    CHECK(finds("colou?r", "color"));
    CHECK(finds("a+?b", "aab"));
    CHECK(finds("\\x41\\x{42}\\.", "AB."));
    CHECK(finds("\\w+\\s\\D\\S\\W", "ab cd!"));
    CHECK(finds("(a|)b", "b"));
    CHECK(finds("(a*)*b", "aab"));
}

TEST_CASE("anchors and word borders look at what stands beside") {
    CHECK(finds("^a", "ab"));
    CHECK_FALSE(finds("^b", "ab"));
    CHECK(finds("b$", "ab"));
    CHECK(finds("b$", "ab\n"));
    CHECK_FALSE(finds("b\\z", "ab\n"));
    CHECK(finds("b\\Z", "ab\n"));
    CHECK_FALSE(finds("a$", "a\nb"));
    CHECK(finds("a$", "a\nb", {.multi_line = true}));
    CHECK(finds("^b", "a\nb", {.multi_line = true}));
    CHECK_FALSE(finds("\\Ab", "a\nb", {.multi_line = true}));
    CHECK(finds("\\bsh\\b", "a sh b"));
    CHECK_FALSE(finds("\\bsh\\b", "bash"));
    CHECK(finds("\\bsh", "sh"));
    CHECK(finds("a\\Bb", "ab"));
    CHECK_FALSE(finds("\\b", ""));
    CHECK(finds("^$", ""));
}

TEST_CASE("flags hold to the end of their group") {
    CHECK(finds("(?i)aB", "Ab"));
    CHECK(finds("x(?i:a)B", "xAB"));
    CHECK_FALSE(finds("x(?i:a)B", "xAb"));
    CHECK(finds("(a(?i)b)c", "aBc"));
    CHECK_FALSE(finds("(a(?i)b)c", "aBC"));
    CHECK(finds("(?s)a.b", "a\nb"));
    CHECK(finds("(?i-i)a", "a"));
    CHECK(finds("[a-z]", "Q", {.ignore_case = true}));
    CHECK_FALSE(finds("[^a]", "A", {.ignore_case = true}));
}

TEST_CASE("what has no linear form, or is broken, is refused by name") {
    CHECK_THAT(refusal("(?=a)"), Catch::Contains("lookaround"));
    CHECK_THAT(refusal("(?<!a)b"), Catch::Contains("lookaround"));
    CHECK_THAT(refusal("(a)\\1"), Catch::Contains("back references"));
    CHECK_THAT(refusal("a++"), Catch::Contains("possessive"));
    CHECK_THAT(refusal("(?>a)"), Catch::Contains("atomic"));
    CHECK_THAT(refusal("\\p{L}"), Catch::Contains("\\p is not supported"));
    CHECK_THAT(refusal("(a"), Catch::Contains("( without )"));
    CHECK_THAT(refusal("a)"), Catch::Contains(") without ("));
    CHECK_THAT(refusal("[a"), Catch::Contains("[ without ]"));
    CHECK_THAT(refusal("[b-a]"), Catch::Contains("ends before"));
    CHECK_THAT(refusal("*a"), Catch::Contains("nothing to repeat"));
    CHECK_THAT(refusal("a{3,2}"), Catch::Contains("m below n"));
    CHECK_THAT(refusal("a{1001}"), Catch::Contains("1000 repetitions"));
    CHECK_THAT(refusal("a\\"), Catch::Contains("backslash at the end"));
    CHECK_THAT(refusal("[\xc3\xa4]"), Catch::Contains("other than ASCII"));
    CHECK_THAT(refusal(std::string(200, '(')), Catch::Contains("100 deep"));
    CHECK_THAT(refusal(std::string(5000, 'a')), Catch::Contains("allowed are 4096"));
}

TEST_CASE("bombs are refused or stay linear") {
    CHECK_THAT(refusal("(a{1000}){1000}"), Catch::Contains("instructions"));
    CHECK_THAT(refusal("(((){1000}){1000}){1000}"), Catch::Contains("instructions"));
    const std::string text(20'000, 'a');
    CHECK_FALSE(finds("(a*)*b", text));
    CHECK_FALSE(finds("(a|aa)+$b", text));
    CHECK_FALSE(finds("(a|a)*(a|a)*(a|a)*(a|a)*b", text));
    CHECK(finds("(.){200,}", text));
    CHECK_FALSE(finds("[^/]{100,}$", text + "/"));
    // More states than are kept: forgotten, and made again.
    CHECK_FALSE(finds("a.{14}b.{0,3}z", [] {
        std::string mixed;
        std::mt19937 random(7);
        for (int i = 0; i < 60'000; ++i)
            mixed += "ab"[random() % 2];
        return mixed;
    }()));
}

TEST_CASE("the same as another engine on random patterns and texts") {
    std::mt19937 random(20240606);
    const auto pick = [&](std::string_view from) { return from[random() % from.size()]; };
    int compared = 0, found = 0;
    for (int round = 0; round < 3000; ++round) {
        std::string pattern;
        int open = 0;
        for (int i = 0; i < 8; ++i) {
            switch (random() % 9) {
                case 0:
                    pattern += "(";
                    ++open;
                    break;
                case 1:
                    if (open > 0 && pattern.back() != '(' && pattern.back() != '|') {
                        pattern += ")";
                        --open;
                    }
                    break;
                case 2:
                    if (!pattern.empty() && pattern.back() != '(')
                        pattern += "|";
                    break;
                case 3:
                    if (!pattern.empty() &&
                        std::isalnum(static_cast<unsigned char>(pattern.back())))
                        pattern += pick("*+?");
                    break;
                case 4:
                    pattern += "[ab]";
                    break;
                case 5:
                    pattern += random() % 4 == 0 ? "\\b" : ".";
                    break;
                case 6:
                    pattern += random() % 6 == 0 ? "^" : "";
                    break;
                default:
                    pattern += pick("abc ");
            }
        }
        while (open-- > 0)
            pattern += "a)";
        auto ours = Regex::compile(pattern, {});
        std::regex theirs;
        try {
            theirs = std::regex(pattern);
        } catch (const std::regex_error&) {
            continue;
        }
        INFO("pattern " << pattern);
        REQUIRE(ours);
        for (int i = 0; i < 10; ++i) {
            std::string text;
            for (std::size_t length = random() % 10; length > 0; --length)
                text += pick("abc ");
            INFO("text '" << text << "'");
            const bool expected = std::regex_search(text, theirs);
            REQUIRE(ours->search(text) == expected);
            ++compared;
            found += expected ? 1 : 0;
        }
    }
    CHECK(compared > 10'000);
    CHECK(found > 1'000);
    CHECK(found < compared - 1'000);
}
