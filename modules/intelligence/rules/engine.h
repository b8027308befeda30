// All rules of an installation over a stream of events: which rules match, one matcher for each
// kind of events. Rules that cannot work here are named with the reason. One thread each.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "modules/intelligence/rules/event_source.h"
#include "modules/intelligence/rules/matcher.h"
#include "modules/intelligence/rules/rule.h"

namespace amoskys::rules {

// Where a rule stands in this installation.
struct Placement {
    enum class State : std::uint8_t {
        ready,
        partial,      // a field that it asks for is never there; it can still match without it
        unsupported,  // the reason says what
        invalid,
        no_source,  // no events of its log source
    };
    State state = State::ready;
    std::string reason;
    std::vector<std::string> classes;  // kinds of events that it looks at
};
std::string_view state_name(Placement::State state);

class Engine {
  public:
    // Bad rules stay in the list with their placement. Two rules of the same id: the later counts.
    static Result<std::unique_ptr<Engine>> build(std::vector<ParsedRule> rules,
                                                 std::vector<EventClass> classes);

    std::span<const ParsedRule> rules() const { return rules_; }
    const Placement& placement(std::size_t rule) const { return placements_[rule]; }
    bool usable(std::size_t rule) const;

    struct Match {
        std::size_t rule;
        const EventClass* kind;
    };
    // Valid until the next call.
    std::span<const Match> match(const wire::Event& event);

    // The first text that a field of the event has, "" where there is none.
    std::string text_of(const EventClass& kind, const wire::Event& event, std::string_view field);

    Matcher::Counts counts() const;  // of all kinds

  private:
    struct Lane {
        const EventClass* kind = nullptr;
        std::vector<std::size_t> rules;  // by the matcher's number
        std::unique_ptr<Matcher> matcher;
        std::vector<std::vector<EventClass::Reader>> readers;  // by field; empty: by name
        std::deque<Detection> changed;                         // with what `when` adds
    };
    Engine() = default;
    void place(std::size_t rule, std::vector<std::vector<const Detection*>>& wanted);
    void place_correlations();

    std::vector<ParsedRule> rules_;
    std::vector<Placement> placements_;
    std::vector<EventClass> classes_;
    std::vector<Lane> lanes_;
    TextSink sink_;
    std::vector<Match> matches_;
};

// Whether `reference` of a correlation is this rule: by name, else by id.
bool is_named(const Rule& rule, std::string_view reference);

}  // namespace amoskys::rules
