#include "modules/intelligence/rules/detector.h"

#include <algorithm>

namespace amoskys::rules {
namespace {

std::vector<const Rule*> usable_rules(const Engine& engine) {
    std::vector<const Rule*> out;
    for (std::size_t i = 0; i < engine.rules().size(); ++i)
        out.push_back(engine.usable(i) ? &engine.rules()[i].rule : nullptr);
    return out;
}

}  // namespace

double score_of_level(std::string_view level) {
    constexpr double scores[] = {0.2, 0.4, 0.6, 0.8, 0.95};
    return scores[level_rank(level) - 1];
}

Detector::Detector(Engine& engine) : engine_(engine), correlator_(usable_rules(engine)) {}

module::Alert Detector::alert_of(std::size_t number) const {
    const Rule& rule = engine_.rules()[number].rule;
    module::Alert alert;
    alert.source = "rules";
    alert.rule = rule.key();
    alert.title = rule.title;
    alert.pattern = rule.handling.pattern;
    alert.level = rule.level;
    alert.score = rule.handling.score > 0 ? rule.handling.score : score_of_level(rule.level);
    alert.techniques = rule.techniques();
    alert.responses = rule.handling.responses;
    return alert;
}

void Detector::observe(const wire::Event& event, int min_level, const Raise& raise) {
    const auto span = engine_.match(event);
    if (span.empty())
        return;
    const std::vector<Engine::Match> matches(span.begin(), span.end());
    for (const Engine::Match& match : matches) {
        const Rule& rule = engine_.rules()[match.rule].rule;
        if (!correlator_.silenced(match.rule) && level_rank(rule.level) >= min_level) {
            module::Alert alert = alert_of(match.rule);
            alert.devices = {std::string(event.device)};
            alert.first_ns = alert.last_ns = event.time_ns;
            alert.evidence = {event.offset};
            for (const std::string& name : rule.handling.group_by)
                alert.values.emplace_back(name, engine_.text_of(*match.kind, event, name));
            raise(std::move(alert), rule.handling.suppress);
        }
        if (!correlator_.is_part(match.rule))
            continue;
        const Occurrence occurrence{event.time_ns, event.offset, std::string(event.device), 0, {}};
        const auto text_of = [&](std::string_view field) {
            return engine_.text_of(*match.kind, event, field);
        };
        for (const Fired& fired : correlator_.add(match.rule, occurrence, text_of)) {
            const Rule& outer = engine_.rules()[fired.rule].rule;
            if (correlator_.silenced(fired.rule) || level_rank(outer.level) < min_level)
                continue;
            module::Alert alert = alert_of(fired.rule);
            alert.first_ns = fired.evidence.front().time_ns;
            alert.last_ns = fired.evidence.back().time_ns;
            alert.values = fired.values;
            for (const Occurrence& each : fired.evidence) {
                alert.evidence.push_back(each.offset);
                alert.devices.push_back(each.device);
            }
            std::sort(alert.devices.begin(), alert.devices.end());
            alert.devices.erase(std::unique(alert.devices.begin(), alert.devices.end()),
                                alert.devices.end());
            raise(std::move(alert), outer.handling.suppress);
        }
    }
}

}  // namespace amoskys::rules
