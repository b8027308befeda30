#include "modules/intelligence/rules/matcher.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/intelligence/rules/encodings.h"

namespace amoskys::rules {
namespace {

using Kind = Atom::Kind;

constexpr double no_guard = std::numeric_limits<double>::infinity();
constexpr std::size_t most_guards = 10'000;
constexpr std::string_view key_separator("\0", 1);

// The same text for atoms that ask the same.
std::string key_of(const Atom& atom) {
    std::string key = atom.field;
    key += key_separator;
    key += static_cast<char>('a' + static_cast<int>(atom.kind));
    key += atom.cased ? 'C' : 'c';
    key += atom.other_field ? 'F' : 'f';
    key += static_cast<char>('0' + (atom.flags.ignore_case ? 1 : 0) +
                             (atom.flags.multi_line ? 2 : 0) + (atom.flags.dot_all ? 4 : 0));
    const bool exact = atom.cased || atom.other_field || atom.kind == Kind::regex;
    key += exact ? atom.text : fold_case(atom.text);
    for (const std::uint16_t c : atom.pattern) {
        key += static_cast<char>(c & 0xffU);
        key += static_cast<char>(c >> 8U);
    }
    return key;
}

// What every text that the atom takes contains: the longest literal in it.
std::string needed_literal(const Atom& atom) {
    switch (atom.kind) {
        case Kind::equals:
        case Kind::starts:
        case Kind::ends:
        case Kind::contains:
            return atom.other_field ? "" : atom.text;
        case Kind::pattern: {
            std::string longest, run;
            for (const std::uint16_t c : atom.pattern) {
                if (c < any_one)
                    run += static_cast<char>(c);
                else
                    run.clear();
                if (run.size() > longest.size())
                    longest = run;
            }
            return longest;
        }
        default:
            return "";
    }
}

bool same_text(std::string_view a, std::string_view b, bool cased) {
    return cased ? a == b : std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        const auto low = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        };
        return low(x) == low(y);
    });
}

bool stands_in(Kind kind, std::string_view wanted, std::string_view text, bool cased) {
    if (wanted.size() > text.size())
        return false;
    switch (kind) {
        case Kind::starts:
            return same_text(wanted, text.substr(0, wanted.size()), cased);
        case Kind::ends:
            return same_text(wanted, text.substr(text.size() - wanted.size()), cased);
        case Kind::contains:
            return cased ? text.find(wanted) != text.npos
                         : fold_case(text).find(fold_case(wanted)) != std::string::npos;
        default:
            return same_text(wanted, text, cased);
    }
}

}  // namespace

Result<Matcher> Matcher::compile(std::vector<const Detection*> rules) {
    Matcher matcher;
    for (const Detection* rule : rules)
        matcher.add_rule(*rule);
    matcher.guarded_.resize(matcher.questions_.size());
    const std::vector<double> weights = matcher.guard_weights();
    for (std::uint32_t rule = 0; rule < rules.size(); ++rule) {
        std::vector<std::uint32_t> questions;
        if (!matcher.guard_of(matcher.roots_[rule], weights, questions)) {
            matcher.always_.push_back(rule);
            continue;
        }
        for (const std::uint32_t question : questions)
            matcher.guarded_[question].push_back(rule);
    }
    for (Field& field : matcher.field_literals_)
        AMOSKYS_TRY_VOID(field.literals.build());
    matcher.answered_.assign(matcher.questions_.size(), 0);
    matcher.tried_.assign(matcher.questions_.size(), 0);
    matcher.held_.assign(matcher.nodes_.size(), 0);
    matcher.chosen_.assign(rules.size(), 0);
    return matcher;
}

std::uint32_t Matcher::field_number(const std::string& name) {
    const auto [place, is_new] =
        field_numbers_.try_emplace(name, static_cast<std::uint32_t>(fields_.size()));
    if (is_new) {
        fields_.push_back(name);
        field_literals_.emplace_back();
    }
    return place->second;
}

std::uint32_t Matcher::question_number(const Atom& atom) {
    const auto [place, is_new] =
        question_numbers_.try_emplace(key_of(atom), static_cast<std::uint32_t>(questions_.size()));
    if (!is_new)
        return place->second;
    Question question;
    question.atom = atom;
    question.field = field_number(atom.field);
    if (atom.other_field)
        question.other = field_number(atom.text);
    if (atom.kind == Kind::regex)
        if (auto regex = Regex::compile(atom.text, atom.flags))
            question.regex = std::make_unique<Regex>(std::move(*regex));
    questions_.push_back(std::move(question));
    look_for(place->second);
    return place->second;
}

void Matcher::look_for(std::uint32_t number) {
    Question& question = questions_[number];
    const std::string literal = needed_literal(question.atom);
    if (literal.empty())
        return;
    question.found_first = true;
    Field& field = field_literals_[question.field];
    const std::uint32_t literal_number = field.literals.add(literal);
    field.asked.resize(field.literals.size());
    field.asked[literal_number].push_back(number);
}

void Matcher::add_rule(const Detection& rule) {
    const auto base = static_cast<std::uint32_t>(nodes_.size());
    for (const Detection::Node& node : rule.nodes) {
        Node added{node.kind, static_cast<std::uint32_t>(parts_.size()),
                   static_cast<std::uint32_t>(node.parts.size())};
        for (const std::uint32_t part : node.parts)
            parts_.push_back(node.kind == Detection::Node::Kind::atom
                                 ? question_number(rule.atoms[part])
                                 : base + part);
        nodes_.push_back(added);
    }
    roots_.push_back(base + rule.root);
}

std::vector<double> Matcher::guard_weights() const {
    std::vector<double> weights(nodes_.size(), no_guard);
    for (std::size_t number = 0; number < nodes_.size(); ++number) {
        const Node& node = nodes_[number];
        double& weight = weights[number];
        const std::span parts(parts_.data() + node.first, node.count);
        if (node.kind == Detection::Node::Kind::atom) {
            const Question& question = questions_[parts[0]];
            // A whole text or its end is rarer than the same letters anywhere.
            const double length = static_cast<double>(needed_literal(question.atom).size());
            const bool anywhere = question.atom.kind == Kind::contains;
            if (question.found_first)
                weight = std::pow(2.0, -length) * (anywhere ? 4 : 1);
        } else if (node.kind == Detection::Node::Kind::all) {
            for (const std::uint32_t part : parts)
                weight = std::min(weight, weights[part]);
        } else if (node.kind == Detection::Node::Kind::any) {
            weight = 0;
            for (const std::uint32_t part : parts)
                weight += weights[part];
        }
    }
    return weights;
}

bool Matcher::guard_of(std::uint32_t number, const std::vector<double>& weights,
                       std::vector<std::uint32_t>& questions) const {
    const Node& node = nodes_[number];
    const std::span parts(parts_.data() + node.first, node.count);
    if (weights[number] == no_guard || questions.size() > most_guards)
        return false;
    if (node.kind == Detection::Node::Kind::atom) {
        questions.push_back(parts[0]);
        return true;
    }
    if (node.kind == Detection::Node::Kind::all)
        return guard_of(*std::min_element(parts.begin(), parts.end(),
                                          [&](std::uint32_t a, std::uint32_t b) {
                                              return weights[a] < weights[b];
                                          }),
                        weights, questions);
    return std::all_of(parts.begin(), parts.end(),
                       [&](std::uint32_t part) { return guard_of(part, weights, questions); });
}

void Matcher::hit(std::uint32_t number, std::string_view text, std::size_t end) {
    std::uint64_t& answered = answered_[number];
    if (answered == 2 * epoch_ + 1)
        return;
    const Question& question = questions_[number];
    const std::size_t length = question.atom.text.size();
    bool yes = false;
    switch (question.atom.kind) {
        case Kind::contains:
            yes = true;
            break;
        case Kind::starts:
            yes = end == length;
            break;
        case Kind::ends:
            yes = end == text.size();
            break;
        case Kind::equals:
            yes = end == length && end == text.size();
            break;
        default:  // a pattern: once for each text, however often its literal is in it
            if (tried_[number] == text_number_)
                return;
            tried_[number] = text_number_;
            yes = pattern_matches(question.atom.pattern, text, question.atom.cased);
            break;
    }
    if (yes && question.atom.cased && question.atom.kind != Kind::pattern)
        yes = text.substr(end - length, length) == question.atom.text;
    if (!yes)
        return;
    answered = 2 * epoch_ + 1;
    for (const std::uint32_t rule : guarded_[number])
        if (chosen_[rule] != epoch_) {
            chosen_[rule] = epoch_;
            candidates_.push_back(rule);
        }
}

bool Matcher::answer(const Question& question, std::string_view text) const {
    const Atom& atom = question.atom;
    switch (atom.kind) {
        case Kind::regex:
            return question.regex != nullptr && question.regex->search(text);
        case Kind::network:
            return atom.network.has(text);
        case Kind::pattern:
            return pattern_matches(atom.pattern, text, atom.cased);
        case Kind::less:
        case Kind::less_equal:
        case Kind::greater:
        case Kind::greater_equal: {
            const auto number = parse_decimal(text);
            if (!number)
                return false;
            return atom.kind == Kind::less         ? *number < atom.number
                   : atom.kind == Kind::less_equal ? *number <= atom.number
                   : atom.kind == Kind::greater    ? *number > atom.number
                                                   : *number >= atom.number;
        }
        default:
            break;
    }
    for (const std::string_view wanted : event_->of(question.other))
        if (stands_in(atom.kind, wanted, text, atom.cased))
            return true;
    return false;
}

bool Matcher::ask(std::uint32_t number) {
    std::uint64_t& answered = answered_[number];
    if (answered == 2 * epoch_ + 1)
        return true;
    const Question& question = questions_[number];
    if (question.found_first || answered == 2 * epoch_)
        return false;
    const auto texts = event_->of(question.field);
    bool yes = false;
    if (question.atom.kind == Kind::present)
        yes = !texts.empty();
    else if (question.atom.kind == Kind::absent)
        yes = std::all_of(texts.begin(), texts.end(), [](auto text) { return text.empty(); });
    else
        yes = std::any_of(texts.begin(), texts.end(),
                          [&](std::string_view text) { return answer(question, text); });
    answered = 2 * epoch_ + (yes ? 1 : 0);
    return yes;
}

bool Matcher::parts_hold(const Node& node) {
    const auto begin = parts_.begin() + node.first;
    const auto end = begin + node.count;
    const auto part_holds = [this](std::uint32_t part) { return holds(part); };
    switch (node.kind) {
        case Detection::Node::Kind::atom:
            return ask(*begin);
        case Detection::Node::Kind::negated:
            return !holds(*begin);
        case Detection::Node::Kind::all:
            return std::all_of(begin, end, part_holds);
        case Detection::Node::Kind::any:
            return std::any_of(begin, end, part_holds);
    }
    return false;
}

bool Matcher::holds(std::uint32_t number) {
    if (held_[number] >= 2 * epoch_)
        return held_[number] == 2 * epoch_ + 1;
    const bool yes = parts_hold(nodes_[number]);
    held_[number] = 2 * epoch_ + (yes ? 1 : 0);
    return yes;
}

std::span<const std::uint32_t> Matcher::match(const EventTexts& event) {
    ++epoch_;
    event_ = &event;
    candidates_ = always_;
    matched_.clear();
    for (std::size_t field = 0; field < fields_.size(); ++field) {
        const Field& wanted = field_literals_[field];
        if (wanted.literals.size() > 0)
            for (const std::string_view text : event.of(field)) {
                ++text_number_;
                wanted.literals.scan(text, [&](std::uint32_t literal, std::size_t end) {
                    for (const std::uint32_t question : wanted.asked[literal])
                        hit(question, text, end);
                });
            }
    }
    for (const std::uint32_t rule : candidates_)
        if (holds(roots_[rule]))
            matched_.push_back(rule);
    std::sort(matched_.begin(), matched_.end());
    ++counts_.events;
    counts_.rules_looked_at += candidates_.size();
    return matched_;
}

}  // namespace amoskys::rules
