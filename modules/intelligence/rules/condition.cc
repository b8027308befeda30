// condition = term {"or" term}; term = factor {"and" factor}; factor = "not" factor | "(" condition
// ")" | selection | ("1" | "any" | "all" | number) "of" (pattern | "them").
#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "modules/intelligence/rules/detection.h"
#include "modules/intelligence/rules/literals.h"

namespace amoskys::rules {
namespace {

constexpr int max_condition_depth = 100;
constexpr std::size_t max_condition_bytes = 16'384;
// Of "3 of them": every choice of three is written out.
constexpr std::size_t max_choices = 1000;

Error condition_error(std::string_view code, std::string_view text) {
    return make_error(ErrorKind::bad_data, code, "condition: " + std::string(text));
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            ++i;
            continue;
        }
        std::size_t end = i + 1;
        if (c != '(' && c != ')' && c != '|')
            end = std::min(text.find_first_of(" \t\r\n()|", i), text.size());
        words.push_back(text.substr(i, end - i));
        i = end;
    }
    return words;
}

class ConditionReader {
  public:
    ConditionReader(std::vector<std::string_view> words, const Selections& selections,
                    GraphBuilder& graph)
        : words_(std::move(words)), selections_(selections), graph_(graph) {}

    Result<std::uint32_t> read() {
        AMOSKYS_TRY(root, choice(0));
        if (at_ < words_.size())
            return condition_error("rule_invalid",
                                   "'" + excerpt(words_[at_]) + "' is one word too many");
        return root;
    }

  private:
    bool takes(std::string_view word) {
        if (at_ == words_.size() || fold_case(words_[at_]) != word)
            return false;
        ++at_;
        return true;
    }

    Result<std::uint32_t> choice(int depth) {
        if (depth > max_condition_depth)
            return condition_error("rule_invalid", "nested more than 100 deep");
        std::vector<std::uint32_t> parts;
        do {
            std::vector<std::uint32_t> factors;
            do {
                AMOSKYS_TRY(part, factor(depth));
                factors.push_back(part);
            } while (takes("and"));
            parts.push_back(graph_.join(GraphBuilder::Kind::all, std::move(factors)));
        } while (takes("or"));
        return graph_.join(GraphBuilder::Kind::any, std::move(parts));
    }

    Result<std::uint32_t> factor(int depth) {
        if (takes("not")) {
            if (depth >= max_condition_depth)
                return condition_error("rule_invalid", "nested more than 100 deep");
            AMOSKYS_TRY(part, factor(depth + 1));
            return graph_.negated(part);
        }
        if (takes("(")) {
            AMOSKYS_TRY(part, choice(depth + 1));
            if (!takes(")"))
                return condition_error("rule_invalid", "a ( without )");
            return part;
        }
        if (at_ == words_.size())
            return condition_error("rule_invalid", "it ends where a selection is wanted");
        const std::string_view word = words_[at_++];
        if (at_ < words_.size() && fold_case(words_[at_]) == "of") {
            ++at_;
            return some_of(fold_case(word));
        }
        const auto found = selections_.find(std::string(word));
        if (found == selections_.end())
            return unknown(word);
        return found->second;
    }

    Error unknown(std::string_view word) const {
        std::vector<std::string_view> names;
        for (const auto& [name, node] : selections_)
            names.push_back(name);
        const std::string_view near = nearest(word, names);
        return condition_error(
            "rule_invalid", "there is no selection '" + excerpt(word) + "'" +
                                (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
    }

    Result<std::uint32_t> some_of(std::string_view quantity) {
        if (at_ == words_.size())
            return condition_error("rule_invalid", "it ends after 'of'");
        const std::string_view pattern = words_[at_++];
        const bool them = fold_case(pattern) == "them";
        std::vector<std::uint32_t> parts;
        for (const auto& [name, node] : selections_)
            if (them ? !name.starts_with('_') : glob_match(pattern, name))
                parts.push_back(node);
        if (parts.empty())
            return unknown(pattern);
        if (quantity == "all")
            return graph_.join(GraphBuilder::Kind::all, std::move(parts));
        std::size_t least = 1;
        if (quantity != "any") {
            const auto [end, error] =
                std::from_chars(quantity.data(), quantity.data() + quantity.size(), least);
            if (error != std::errc() || end != quantity.data() + quantity.size() || least == 0)
                return condition_error(
                    "rule_invalid",
                    "'" + excerpt(quantity) + " of': allowed are all, any and 1, 2...");
        }
        if (least > parts.size())
            return condition_error("rule_invalid", std::to_string(least) + " of " +
                                                       std::to_string(parts.size()) +
                                                       " selections can never be");
        return at_least(std::move(parts), least);
    }

    Result<std::uint32_t> at_least(std::vector<std::uint32_t> parts, std::size_t least) {
        if (least == 1)
            return graph_.join(GraphBuilder::Kind::any, std::move(parts));
        std::vector<bool> chosen(parts.size(), false);
        std::fill(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(least), true);
        std::vector<std::uint32_t> choices;
        do {
            std::vector<std::uint32_t> one;
            for (std::size_t i = 0; i < parts.size(); ++i)
                if (chosen[i])
                    one.push_back(parts[i]);
            choices.push_back(graph_.join(GraphBuilder::Kind::all, std::move(one)));
            if (choices.size() > max_choices)
                return condition_error("rule_unsupported",
                                       "more than 1000 ways to choose " + std::to_string(least) +
                                           " of " + std::to_string(parts.size()) + " selections");
        } while (std::prev_permutation(chosen.begin(), chosen.end()));
        return graph_.join(GraphBuilder::Kind::any, std::move(choices));
    }

    std::vector<std::string_view> words_;
    std::size_t at_ = 0;
    const Selections& selections_;
    GraphBuilder& graph_;
};

}  // namespace

Result<std::uint32_t> read_condition(std::string_view text, const Selections& selections,
                                     GraphBuilder& graph) {
    if (text.size() > max_condition_bytes)
        return condition_error("rule_invalid", "longer than 16384 bytes");
    std::vector<std::string_view> words = words_of(text);
    const auto pipe = std::find(words.begin(), words.end(), "|");
    if (pipe != words.end())
        return condition_error("rule_unsupported",
                               "'" + excerpt(text.substr(text.find('|'))) +
                                   "': aggregations behind | are not part of Sigma 2; write a "
                                   "correlation rule");
    return ConditionReader(std::move(words), selections, graph).read();
}

}  // namespace amoskys::rules
