// The text of a rule.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/text.h"
#include "core/module/threshold.h"

namespace amoskys::module {
namespace {

Error wrong(std::string_view rule, const std::string& what) {
    return make_error(ErrorKind::config, "threshold_invalid",
                      "agent.thresholds: " + printable(rule) + ": " + what,
                      "NAME: SUBJECT [where LABEL=GLOB] OP WARNING[/CRITICAL] [clear VALUE] [for "
                      "SAMPLES], as in load: laLoad5 > 8/16 clear 6");
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [at, failed] = std::from_chars(text.data(), end, value);
    if (text.empty() || failed != std::errc() || at != end || !std::isfinite(value))
        return std::nullopt;
    return value;
}

bool plain(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    });
}

// Words between blanks; what stands in parentheses is one word, with its blanks.
std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    bool inside = false, fresh = true;
    for (const char c : text) {
        if (c == '(')
            inside = true;
        if (c == ' ' && !inside) {
            fresh = true;
            continue;
        }
        if (fresh)
            words.emplace_back();
        fresh = false;
        words.back() += c;
        if (c == ')')
            inside = false;
    }
    return words;
}

bool read_subject(std::string_view word, ThresholdRule& rule) {
    const auto open = word.find('(');
    if (open == word.npos) {
        rule.metric = word;
        return plain(word);
    }
    if (!word.ends_with(')'))
        return false;
    const std::string_view what = word.substr(0, open);
    const std::string_view inner = word.substr(open + 1, word.size() - open - 2);
    if (what == "rate") {
        rule.subject = ThresholdRule::Subject::rate;
        rule.metric = trim(inner);
        return plain(rule.metric);
    }
    const auto of = inner.find(" of ");
    if ((what != "percent" && what != "used") || of == inner.npos)
        return false;
    rule.subject = what == "used" ? ThresholdRule::Subject::used : ThresholdRule::Subject::percent;
    rule.metric = trim(inner.substr(0, of));
    rule.whole = trim(inner.substr(of + 4));
    return plain(rule.metric) && plain(rule.whole);
}

}  // namespace

Result<ThresholdRule> parse_threshold(std::string_view text) {
    ThresholdRule rule;
    const auto colon = text.find(':');
    if (colon == text.npos || !plain(trim(text.substr(0, colon))))
        return wrong(text, "a rule begins with its name and a colon");
    rule.name = trim(text.substr(0, colon));
    const std::vector<std::string> words = words_of(text.substr(colon + 1));
    std::size_t at = 0;
    const auto next = [&]() -> std::string_view {
        return at < words.size() ? std::string_view(words[at++]) : std::string_view();
    };
    if (!read_subject(next(), rule))
        return wrong(text,
                     "the subject is a metric, rate(COUNTER), percent(METRIC of WHOLE) "
                     "or used(FREE of WHOLE)");
    std::string_view word = next();
    if (word == "where") {
        const std::string_view condition = next();
        const auto equals = condition.find('=');
        if (equals == condition.npos || !plain(condition.substr(0, equals)))
            return wrong(text, "after where comes LABEL=GLOB");
        rule.label = condition.substr(0, equals);
        rule.glob = condition.substr(equals + 1);
        word = next();
    }
    if (word != ">" && word != ">=" && word != "<" && word != "<=")
        return wrong(text, "the operator is one of > >= < <=");
    rule.above = word.starts_with('>');
    rule.or_equal = word.ends_with('=');
    const auto limits = split(next(), '/');
    const auto warning = number(limits[0]);
    if (!warning || limits.size() > 2)
        return wrong(text, "after the operator come one or two numbers, WARNING/CRITICAL");
    rule.warning = rule.clear = *warning;
    if (limits.size() == 2) {
        rule.critical = number(limits[1]);
        if (!rule.critical || (rule.above ? *rule.critical < *warning : *rule.critical > *warning))
            return wrong(text, "CRITICAL is a number beyond WARNING");
    }
    while (at < words.size()) {
        word = next();
        const auto value = number(next());
        if (word == "clear" && value && (rule.above ? *value <= *warning : *value >= *warning))
            rule.clear = *value;
        else if (word == "for" && value && *value >= 1 && *value <= 1000 &&
                 *value == std::floor(*value))
            rule.samples = static_cast<std::uint32_t>(*value);
        else
            return wrong(text,
                         "at the end stand clear VALUE (within WARNING) and for SAMPLES (1 "
                         "to 1000)");
    }
    return rule;
}

Result<Thresholds> make_thresholds(const std::vector<std::string>& rules) {
    std::vector<ThresholdRule> parsed;
    for (const std::string& text : rules) {
        AMOSKYS_TRY(rule, parse_threshold(text));
        if (std::ranges::find(parsed, rule.name, &ThresholdRule::name) != parsed.end())
            return wrong(text, "the name " + rule.name + " is taken by an earlier rule");
        parsed.push_back(std::move(rule));
    }
    return Thresholds(std::move(parsed));
}

}  // namespace amoskys::module
