// A second evaluator of Sigma rules, to compare the engine with: it walks the YAML itself for each
// event, knows no graph and no prefilter, and leaves regular expressions to std::regex. Of the
// modifiers it has those of the published Linux and network rules.
#pragma once

#include <algorithm>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/base/text.h"
#include "core/config/yaml_tree.h"
#include "modules/intelligence/rules/network.h"
#include "modules/intelligence/rules/test/rule_cases.h"

namespace amoskys::rules::naive {

using config::YamlNode;

inline char low(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// By recursion over the rule's text with its escapes.
inline bool like(std::string_view wanted, std::string_view text) {
    if (wanted.empty())
        return text.empty();
    if (wanted[0] == '*') {
        for (std::size_t i = 0; i <= text.size(); ++i)
            if (like(wanted.substr(1), text.substr(i)))
                return true;
        return false;
    }
    const bool escapes = wanted[0] == '\\' && wanted.size() > 1 &&
                         std::string("*?\\").find(wanted[1]) != std::string::npos;
    if (text.empty())
        return false;
    if (wanted[0] == '?')
        return like(wanted.substr(1), text.substr(1));
    const char c = escapes ? wanted[1] : wanted[0];
    return low(c) == low(text[0]) && like(wanted.substr(escapes ? 2 : 1), text.substr(1));
}

inline bool value_matches(const YamlNode& value, const std::set<std::string_view>& modifiers,
                          const std::string& text) {
    if (modifiers.contains("re")) {
        std::string pattern = value.text;
        auto flags = std::regex::ECMAScript;
        if (pattern.starts_with("(?i)")) {
            pattern.erase(0, 4);
            flags |= std::regex::icase;
        }
        return std::regex_search(text, std::regex(pattern, flags));
    }
    if (modifiers.contains("cidr"))
        return parse_network(value.text)->has(text);
    std::string wanted = value.text;
    if (modifiers.contains("contains") || modifiers.contains("endswith"))
        wanted = "*" + wanted;
    if (modifiers.contains("contains") || modifiers.contains("startswith")) {
        const std::size_t other = wanted.find_last_not_of('\\');
        const std::size_t at_end = wanted.size() - (other == std::string::npos ? 0 : other + 1);
        if (at_end % 2 == 1)
            wanted += '\\';  // the last one means itself, not the star
        wanted += "*";
    }
    return like(wanted, text);
}

inline bool item_matches(const std::string& key, const YamlNode& wanted, const Fields& fields) {
    const auto words = split(key, '|');
    const std::set<std::string_view> modifiers(words.begin() + 1, words.end());
    const auto found = fields.find(std::string(words[0]));
    const auto one = [&](const YamlNode& value) {
        if (value.kind == YamlNode::Kind::null || (value.text.empty() && value.quoted))
            return found == fields.end() ||
                   std::all_of(found->second.begin(), found->second.end(),
                               [](const std::string& text) { return text.empty(); });
        return found != fields.end() &&
               std::any_of(
                   found->second.begin(), found->second.end(),
                   [&](const std::string& text) { return value_matches(value, modifiers, text); });
    };
    if (wanted.kind != YamlNode::Kind::list)
        return one(wanted);
    return modifiers.contains("all") ? std::all_of(wanted.items.begin(), wanted.items.end(), one)
                                     : std::any_of(wanted.items.begin(), wanted.items.end(), one);
}

inline bool selection_matches(const YamlNode& node, const Fields& fields) {
    if (node.kind == YamlNode::Kind::map)
        return std::all_of(node.entries.begin(), node.entries.end(), [&](const auto& entry) {
            const std::string key = entry.first.text.starts_with('|')
                                        ? "|contains" + entry.first.text
                                        : entry.first.text;
            return item_matches(key, entry.second, fields);
        });
    if (node.kind == YamlNode::Kind::list)
        return std::any_of(node.items.begin(), node.items.end(),
                           [&](const YamlNode& item) { return selection_matches(item, fields); });
    return item_matches("|contains", node, fields);
}

// The condition, read again for each event.
class Condition {
  public:
    Condition(const YamlNode& detection, const Fields& fields, std::string text)
        : detection_(detection), fields_(fields), text_(std::move(text)) {}

    bool holds() { return any(); }

  private:
    std::string next() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])))
            ++at_;
        if (at_ == text_.size())
            return "";
        std::size_t end = at_ + 1;
        if (text_[at_] != '(' && text_[at_] != ')')
            while (end < text_.size() && !std::isspace(static_cast<unsigned char>(text_[end])) &&
                   text_[end] != '(' && text_[end] != ')')
                ++end;
        return text_.substr(at_, end - at_);
    }
    bool takes(std::string_view word) {
        const std::string found = next();
        if (found != word)
            return false;
        at_ += found.size();
        return true;
    }
    std::string word() {
        std::string found = next();
        at_ += found.size();
        return found;
    }
    bool any() {
        bool value = every();
        while (takes("or"))
            value = every() || value;
        return value;
    }
    bool every() {
        bool value = part();
        while (takes("and"))
            value = part() && value;
        return value;
    }
    bool part() {
        if (takes("not"))
            return !part();
        if (takes("(")) {
            const bool value = any();
            takes(")");
            return value;
        }
        const std::string name = word();
        if (!takes("of"))
            return selection_matches(*detection_.find(name), fields_);
        const std::string pattern = word();
        std::size_t count = 0, all = 0;
        for (const auto& [key, node] : detection_.entries) {
            const bool named =
                pattern == "them" ? !key.text.starts_with("_") : glob_match(pattern, key.text);
            if (key.text == "condition" || key.text == "timeframe" || !named)
                continue;
            ++all;
            count += selection_matches(node, fields_) ? 1 : 0;
        }
        return name == "all" ? count == all : count >= 1;
    }

    const YamlNode& detection_;
    const Fields& fields_;
    std::string text_;
    std::size_t at_ = 0;
};

inline bool matches(const YamlNode& rule, const Fields& fields) {
    const YamlNode& detection = *rule.find("detection");
    return Condition(detection, fields, detection.find("condition")->text).holds();
}

}  // namespace amoskys::rules::naive
