#include "modules/intelligence/rules/engine.h"

#include <algorithm>
#include <map>
#include <set>

#include "modules/intelligence/rules/encodings.h"

namespace amoskys::rules {
namespace {

using State = Placement::State;

// "and program is sshd": the events of a class that are of a rule's service.
Detection narrowed(const Detection& rule, const EventClass::Source& source,
                   const std::string& service) {
    Detection out = rule;
    std::vector<std::uint32_t> all = {rule.root};
    for (const EventClass::Wanted& wanted : source.when) {
        std::vector<std::uint32_t> any;
        for (const std::string& value : wanted.values) {
            Atom atom;
            atom.field = wanted.field;
            const std::string& text = value == "$service" ? service : value;
            out.atoms.push_back(text_atom(std::move(atom), Atom::Kind::equals, pattern_of(text)));
            out.nodes.push_back(
                {Detection::Node::Kind::atom, {static_cast<std::uint32_t>(out.atoms.size() - 1)}});
            any.push_back(static_cast<std::uint32_t>(out.nodes.size() - 1));
        }
        out.nodes.push_back({Detection::Node::Kind::any, std::move(any)});
        all.push_back(static_cast<std::uint32_t>(out.nodes.size() - 1));
    }
    out.nodes.push_back({Detection::Node::Kind::all, std::move(all)});
    out.root = static_cast<std::uint32_t>(out.nodes.size() - 1);
    return out;
}

std::string unknown_fields(const Detection& rule, const EventClass& kind) {
    std::set<std::string> names;
    for (const Atom& atom : rule.atoms) {
        if (!kind.knows(atom.field))
            names.insert(atom.field);
        if (atom.other_field && !kind.knows(atom.text))
            names.insert(atom.text);
    }
    std::string out;
    for (const std::string& name : names)
        out += (out.empty() ? "" : ", ") + (name.empty() ? "keywords" : name);
    return out;
}

}  // namespace

std::string_view state_name(State state) {
    switch (state) {
        case State::ready:
            return "ready";
        case State::partial:
            return "partial";
        case State::unsupported:
            return "unsupported";
        case State::invalid:
            return "invalid";
        case State::no_source:
            return "no_source";
    }
    return "";
}

bool is_named(const Rule& rule, std::string_view reference) {
    return !reference.empty() && (rule.name == reference || rule.id == reference);
}

bool Engine::usable(std::size_t rule) const {
    const State state = placements_[rule].state;
    return state == State::ready || state == State::partial;
}

void Engine::place(std::size_t number, std::vector<std::vector<const Detection*>>& wanted) {
    const Rule& rule = rules_[number].rule;
    Placement& placement = placements_[number];
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        Lane& lane = lanes_[i];
        const EventClass::Source* source = lane.kind->find(rule.source);
        if (source == nullptr)
            continue;
        placement.classes.push_back(lane.kind->name);
        const std::string unknown = unknown_fields(rule.detection, *lane.kind);
        if (!unknown.empty()) {
            placement.state = State::partial;
            placement.reason = lane.kind->name + " events have no " + unknown;
        }
        const Detection* detection = &rule.detection;
        if (!source->when.empty())
            detection =
                &lane.changed.emplace_back(narrowed(rule.detection, *source, rule.source.service));
        lane.rules.push_back(number);
        wanted[i].push_back(detection);
    }
    if (placement.classes.empty()) {
        placement.state = State::no_source;
        placement.reason = "no events here are of the log source " + to_text(rule.source);
    }
}

void Engine::place_correlations() {
    // A correlation of correlations waits for those: as many rounds as there are levels.
    bool again = true;
    std::set<std::size_t> placed;
    const auto target = [&](std::string_view reference) -> std::ptrdiff_t {
        for (std::size_t i = rules_.size(); i-- > 0;)
            if (is_named(rules_[i].rule, reference))
                return static_cast<std::ptrdiff_t>(i);
        return -1;
    };
    while (again) {
        again = false;
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            Placement& placement = placements_[i];
            const auto& correlation = rules_[i].rule.correlation;
            if (!correlation || placed.contains(i) || placement.state == State::invalid ||
                placement.state == State::unsupported)
                continue;
            std::string missing;
            bool waits = false;
            for (const std::string& reference : correlation->rules) {
                const std::ptrdiff_t found = target(reference);
                const auto at = static_cast<std::size_t>(found);
                if (found < 0 || !(usable(at) || placements_[at].state == State::no_source))
                    missing += (missing.empty() ? "" : ", ") + reference;
                else if (rules_[at].rule.correlation && !placed.contains(at))
                    waits = true;
                else if (!usable(at))
                    missing += (missing.empty() ? "" : ", ") + reference;
            }
            if (waits && missing.empty())
                continue;
            placed.insert(i);
            again = true;
            placement.classes = {"correlation"};
            if (!missing.empty()) {
                placement.state = State::unsupported;
                placement.reason = "correlation.rules: not there, or not usable: " + missing;
            }
        }
    }
    for (std::size_t i = 0; i < rules_.size(); ++i)
        if (rules_[i].rule.correlation && !placed.contains(i) &&
            placements_[i].state == State::ready) {
            placements_[i].state = State::unsupported;
            placements_[i].reason = "correlations that refer to each other in a circle";
        }
}

Result<std::unique_ptr<Engine>> Engine::build(std::vector<ParsedRule> rules,
                                              std::vector<EventClass> classes) {
    std::unique_ptr<Engine> engine(new Engine);
    std::map<std::string, std::size_t> by_id;
    for (ParsedRule& parsed : rules) {
        const std::string id = parsed.rule.id;
        const auto [place, is_new] = by_id.try_emplace(id, engine->rules_.size());
        if (is_new || id.empty())
            engine->rules_.push_back(std::move(parsed));
        else
            engine->rules_[place->second] = std::move(parsed);
    }
    engine->classes_ = std::move(classes);
    engine->placements_.resize(engine->rules_.size());
    engine->lanes_.resize(engine->classes_.size());
    for (std::size_t i = 0; i < engine->lanes_.size(); ++i)
        engine->lanes_[i].kind = &engine->classes_[i];
    std::vector<std::vector<const Detection*>> wanted(engine->lanes_.size());
    for (std::size_t i = 0; i < engine->rules_.size(); ++i) {
        const ParsedRule& parsed = engine->rules_[i];
        Placement& placement = engine->placements_[i];
        if (parsed.fault != ParsedRule::Fault::none) {
            placement.state =
                parsed.fault == ParsedRule::Fault::invalid ? State::invalid : State::unsupported;
            placement.reason = parsed.reason;
        } else if (!parsed.rule.correlation) {
            engine->place(i, wanted);
        }
    }
    engine->place_correlations();
    for (std::size_t i = 0; i < engine->lanes_.size(); ++i) {
        Lane& lane = engine->lanes_[i];
        AMOSKYS_TRY(matcher, Matcher::compile(std::move(wanted[i])));
        lane.matcher = std::make_unique<Matcher>(std::move(matcher));
        for (const std::string& field : lane.matcher->fields()) {
            const auto known = lane.kind->fields.find(field);
            lane.readers.push_back(known == lane.kind->fields.end()
                                       ? std::vector<EventClass::Reader>()
                                       : known->second);
        }
    }
    return engine;
}

std::span<const Engine::Match> Engine::match(const wire::Event& event) {
    matches_.clear();
    for (Lane& lane : lanes_) {
        if (lane.rules.empty() || !lane.kind->takes(event))
            continue;
        sink_.clear();
        const std::vector<std::string>& fields = lane.matcher->fields();
        for (std::size_t field = 0; field < fields.size(); ++field) {
            sink_.begin_field();
            if (lane.readers[field].empty())
                lane.kind->read(event, fields[field], sink_);
            for (const EventClass::Reader reader : lane.readers[field])
                reader(event, sink_);
        }
        sink_.end();
        for (const std::uint32_t number : lane.matcher->match(sink_.texts()))
            matches_.push_back({lane.rules[number], lane.kind});
    }
    return matches_;
}

std::string Engine::text_of(const EventClass& kind, const wire::Event& event,
                            std::string_view field) {
    sink_.clear();
    sink_.begin_field();
    kind.read(event, field, sink_);
    sink_.end();
    const auto texts = sink_.texts().of(0);
    return texts.empty() ? std::string() : std::string(texts[0]);
}

Matcher::Counts Engine::counts() const {
    Matcher::Counts sum;
    for (const Lane& lane : lanes_) {
        sum.events += lane.matcher->counts().events;
        sum.rules_looked_at += lane.matcher->counts().rules_looked_at;
    }
    return sum;
}

}  // namespace amoskys::rules
