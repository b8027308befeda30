// Many rules against one event. Compiled once: the literals of all rules are looked for in one pass
// over each field's text, which answers every question about a literal; a rule is looked at only
// where something that it cannot do without was found. Wildcards, regular expressions, networks and
// numbers are asked only where such a rule needs them, each once per event.
// match() keeps its answers of the event inside: one object per thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "modules/intelligence/rules/literals.h"
#include "modules/intelligence/rules/rule.h"

namespace amoskys::rules {

// The texts of an event, by the number of the field: those of field f are
// texts[begin[f]] .. texts[begin[f + 1]]. A field without texts is not there.
struct EventTexts {
    std::vector<std::string_view> texts;
    std::vector<std::uint32_t> begin;
    std::span<const std::string_view> of(std::size_t field) const {
        return {texts.data() + begin[field], begin[field + 1] - begin[field]};
    }
};

class Matcher {
  public:
    // The rules must live as long. bad_data: too much text to look for.
    static Result<Matcher> compile(std::vector<const Detection*> rules);

    // What the rules ask for, by number; "" = keywords.
    const std::vector<std::string>& fields() const { return fields_; }

    // The numbers of the rules that match, rising; valid until the next call.
    std::span<const std::uint32_t> match(const EventTexts& event);

    struct Counts {
        std::uint64_t events = 0, rules_looked_at = 0;
    };
    const Counts& counts() const { return counts_; }

  private:
    struct Question {  // an atom that several rules may share
        Atom atom;
        std::uint32_t field = 0, other = 0;
        std::unique_ptr<Regex> regex;
        bool found_first = false;  // its literal is looked for; no hit = no
    };
    struct Field {
        Literals literals;
        std::vector<std::vector<std::uint32_t>> asked;  // questions by literal
    };
    // Nodes of all rules in one array; parts are [first, first + count) of parts_.
    struct Node {
        Detection::Node::Kind kind;
        std::uint32_t first = 0, count = 0;
    };

    std::uint32_t field_number(const std::string& name);
    std::uint32_t question_number(const Atom& atom);
    void look_for(std::uint32_t question);
    void add_rule(const Detection& rule);
    // How common a yes is likely to be among the questions of which at least one is answered yes
    // wherever the node holds; infinite where there are none such. By node.
    std::vector<double> guard_weights() const;
    // Those questions; false where there are too many.
    bool guard_of(std::uint32_t node, const std::vector<double>& weights,
                  std::vector<std::uint32_t>& questions) const;

    void hit(std::uint32_t question, std::string_view text, std::size_t end);
    bool ask(std::uint32_t question);
    bool holds(std::uint32_t node);
    bool parts_hold(const Node& node);
    bool answer(const Question& question, std::string_view text) const;

    std::vector<std::string> fields_;
    std::vector<Field> field_literals_;
    std::vector<Question> questions_;
    std::map<std::string, std::uint32_t, std::less<>> question_numbers_, field_numbers_;
    std::vector<Node> nodes_;
    std::vector<std::uint32_t> parts_, roots_;
    std::vector<std::uint32_t> always_;                // rules without a guard
    std::vector<std::vector<std::uint32_t>> guarded_;  // rules by question

    const EventTexts* event_ = nullptr;
    std::uint64_t epoch_ = 1;
    std::vector<std::uint64_t> answered_;  // 2 * epoch: no; 2 * epoch + 1: yes
    std::vector<std::uint64_t> held_;      // the same of nodes
    std::vector<std::uint64_t> tried_;     // patterns: the last text they were tried on
    std::uint64_t text_number_ = 0;
    std::vector<std::uint64_t> chosen_;  // rules: the last epoch
    std::vector<std::uint32_t> candidates_, matched_;
    Counts counts_;
};

}  // namespace amoskys::rules
