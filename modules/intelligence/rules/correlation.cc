#include "modules/intelligence/rules/correlation.h"

#include <algorithm>
#include <set>

#include "modules/intelligence/rules/engine.h"

namespace amoskys::rules {
namespace {

using Way = Correlation::Kind;
using Compare = Correlation::Compare;

constexpr int max_levels = 8;  // correlations of correlations

bool counts_enough(const Correlation& correlation, std::uint64_t count) {
    return std::all_of(correlation.conditions.begin(), correlation.conditions.end(),
                       [count](const auto& condition) {
                           const auto& [compare, wanted] = condition;
                           return compare == Compare::greater         ? count > wanted
                                  : compare == Compare::greater_equal ? count >= wanted
                                                                      : count == wanted;
                       });
}

// The rule's own name for a field of group-by.
std::string_view field_in(const Correlation& correlation, std::string_view name,
                          std::string_view rule) {
    for (const Correlation::Alias& alias : correlation.aliases)
        if (alias.name == name && alias.rule == rule)
            return alias.field;
    return name;
}

std::size_t devices_in(const std::vector<Occurrence>& evidence) {
    std::set<std::string_view> devices;
    for (const Occurrence& each : evidence)
        devices.insert(each.device);
    return devices.size();
}

UnixNanos begin_of(UnixNanos end, Duration timespan) {
    const auto span = static_cast<UnixNanos>(timespan.count());
    return end > span ? end - span : 0;
}

// One match of each rule, in this order of time, from `first` on.
bool chain_from(const std::vector<Occurrence>& kept, std::size_t first, UnixNanos end,
                std::uint32_t parts, std::vector<Occurrence>& evidence) {
    evidence.clear();
    for (std::size_t i = first; i < kept.size() && kept[i].time_ns <= end; ++i)
        if (kept[i].part == evidence.size()) {
            evidence.push_back(kept[i]);
            if (evidence.size() == parts)
                return true;
        }
    return false;
}

// One match of each rule, in any order.
bool all_from(const std::vector<Occurrence>& kept, std::size_t first, UnixNanos end,
              std::uint32_t parts, std::vector<Occurrence>& evidence) {
    evidence.clear();
    std::set<std::uint32_t> seen;
    for (std::size_t i = first; i < kept.size() && kept[i].time_ns <= end; ++i)
        if (seen.insert(kept[i].part).second)
            evidence.push_back(kept[i]);
    return seen.size() == parts;
}

}  // namespace

Correlator::Correlator(std::vector<const Rule*> rules) : rules_(std::move(rules)) {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        if (rules_[i] == nullptr || !rules_[i]->correlation)
            continue;
        const Correlation& correlation = *rules_[i]->correlation;
        for (std::uint32_t part = 0; part < correlation.rules.size(); ++part)
            for (std::size_t j = rules_.size(); j-- > 0;)
                if (rules_[j] != nullptr && is_named(*rules_[j], correlation.rules[part])) {
                    parts_of_[j].push_back({i, part});
                    break;
                }
    }
}

bool Correlator::silenced(std::size_t rule) const {
    if (rules_[rule]->handling.building_block)
        return true;
    const auto parts = parts_of_.find(rule);
    return parts != parts_of_.end() &&
           std::any_of(parts->second.begin(), parts->second.end(), [this](const Part& part) {
               const Rule& outer = *rules_[part.correlation];
               // Attack patterns look at rules that stay alerts in their own right.
               return !outer.correlation->generate && outer.handling.pattern.empty();
           });
}

// Looks at the windows that the match added at `added` is in.
bool Correlator::fires(const Rule& rule, const std::vector<Occurrence>& kept, std::size_t added,
                       std::vector<Occurrence>& evidence) const {
    const Correlation& correlation = *rule.correlation;
    const auto parts = static_cast<std::uint32_t>(correlation.rules.size());
    const UnixNanos time = kept[added].time_ns;
    const auto span = static_cast<UnixNanos>(correlation.timespan.count());
    const auto enough_devices = [&] { return devices_in(evidence) >= rule.handling.min_devices; };
    if (correlation.kind == Way::event_count || correlation.kind == Way::value_count) {
        std::size_t first = 0;
        for (std::size_t last = added; last < kept.size() && kept[last].time_ns <= time + span;
             ++last) {
            const UnixNanos begin = begin_of(kept[last].time_ns, correlation.timespan);
            while (kept[first].time_ns < begin)
                ++first;
            std::size_t count = last - first + 1;
            if (correlation.kind == Way::value_count) {
                std::set<std::string_view> values;
                for (std::size_t i = first; i <= last; ++i)
                    values.insert(kept[i].value);
                count = values.size();
            }
            if (!counts_enough(correlation, count))
                continue;
            evidence.assign(kept.begin() + static_cast<std::ptrdiff_t>(first),
                            kept.begin() + static_cast<std::ptrdiff_t>(last) + 1);
            if (enough_devices())
                return true;
        }
        return false;
    }
    for (std::size_t first = added + 1; first-- > 0;) {
        if (kept[first].time_ns < begin_of(time, correlation.timespan))
            break;
        const UnixNanos end = kept[first].time_ns + span;
        const bool found = correlation.kind == Way::temporal
                               ? all_from(kept, first, end, parts, evidence)
                               : chain_from(kept, first, end, parts, evidence);
        if (found && enough_devices())
            return true;
        if (!found || rule.handling.min_devices < 2)
            continue;
        // Several devices may have seen the same part: all that was seen in this time counts.
        evidence.clear();
        for (std::size_t i = first; i < kept.size() && kept[i].time_ns <= end; ++i)
            evidence.push_back(kept[i]);
        if (enough_devices())
            return true;
    }
    return false;
}

void Correlator::forget(Group& group, Duration timespan) {
    const UnixNanos newest = group.kept.back().time_ns;
    const UnixNanos begin = begin_of(newest, timespan);
    auto end = std::find_if(group.kept.begin(), group.kept.end(),
                            [begin](const Occurrence& each) { return each.time_ns >= begin; });
    if (static_cast<std::size_t>(group.kept.end() - end) > max_of_group)
        end = group.kept.end() - static_cast<std::ptrdiff_t>(max_of_group);
    kept_ -= static_cast<std::size_t>(end - group.kept.begin());
    group.kept.erase(group.kept.begin(), end);
}

void Correlator::make_room() {
    if (groups_.size() <= max_groups && kept_ <= max_kept)
        return;
    // First what is over, then the oldest: a tenth at a time.
    std::vector<UnixNanos> ends;
    for (auto each = groups_.begin(); each != groups_.end();) {
        const Duration timespan = rules_[each->first.first]->correlation->timespan;
        if (each->second.kept.back().time_ns < begin_of(newest_ns_, timespan)) {
            kept_ -= each->second.kept.size();
            each = groups_.erase(each);
        } else {
            ends.push_back(each->second.kept.back().time_ns);
            ++each;
        }
    }
    if (groups_.size() <= max_groups && kept_ <= max_kept)
        return;
    const auto tenth = ends.begin() + static_cast<std::ptrdiff_t>(ends.size() / 10);
    std::nth_element(ends.begin(), tenth, ends.end());
    const UnixNanos oldest = *tenth;
    for (auto each = groups_.begin(); each != groups_.end();)
        if (each->second.kept.back().time_ns <= oldest) {
            ++dropped_;
            kept_ -= each->second.kept.size();
            each = groups_.erase(each);
        } else {
            ++each;
        }
}

std::vector<Fired> Correlator::add(std::size_t rule, const Occurrence& match,
                                   const TextOf& text_of) {
    std::vector<Fired> fired;
    struct Waiting {
        std::size_t rule;
        Occurrence match;
        std::vector<std::pair<std::string, std::string>> values;  // of a correlation that fired
        int level = 0;
    };
    std::vector<Waiting> waiting = {{rule, match, {}, 0}};
    for (std::size_t next = 0; next < waiting.size(); ++next) {
        const Waiting one = waiting[next];
        const auto parts = parts_of_.find(one.rule);
        if (parts == parts_of_.end() || one.level == max_levels)
            continue;
        const auto field_text = [&](std::string_view field) {
            for (const auto& [name, text] : one.values)
                if (name == field)
                    return text;
            return text_of(field);
        };
        for (const Part& part : parts->second) {
            const Rule& outer = *rules_[part.correlation];
            const Correlation& correlation = *outer.correlation;
            const std::string_view own_name = correlation.rules[part.number];
            Key key{part.correlation, {}};
            bool complete = true;
            for (const std::string& name : correlation.group_by) {
                key.second.push_back(field_text(field_in(correlation, name, own_name)));
                complete &= !key.second.back().empty();
            }
            Occurrence added = one.match;
            added.part = part.number;
            if (correlation.kind == Way::value_count)
                added.value = field_text(field_in(correlation, correlation.value_field, own_name));
            if (!complete || (correlation.kind == Way::value_count && added.value.empty()))
                continue;
            newest_ns_ = std::max(newest_ns_, added.time_ns);
            Group& group = groups_[key];
            const auto place = std::upper_bound(
                group.kept.begin(), group.kept.end(), added,
                [](const Occurrence& a, const Occurrence& b) { return a.time_ns < b.time_ns; });
            const auto at = static_cast<std::size_t>(place - group.kept.begin());
            group.kept.insert(place, std::move(added));
            ++kept_;
            Fired found{part.correlation, {}, {}};
            if (!fires(outer, group.kept, at, found.evidence)) {
                forget(group, correlation.timespan);
                continue;
            }
            for (std::size_t i = 0; i < correlation.group_by.size(); ++i)
                found.values.emplace_back(correlation.group_by[i], key.second[i]);
            kept_ -= group.kept.size();
            groups_.erase(key);  // what has fired begins anew
            waiting.push_back({part.correlation, one.match, found.values, one.level + 1});
            fired.push_back(std::move(found));
        }
    }
    make_room();
    return fired;
}

Json Correlator::save() const {
    Json out = Json::array();
    for (const auto& [key, group] : groups_) {
        Json kept = Json::array();
        for (const Occurrence& each : group.kept)
            kept.push_back({json::digits(each.time_ns), json::digits(each.offset), each.device,
                            rules_[key.first]->correlation->rules[each.part], each.value});
        out.push_back({{"rule", std::string(rules_[key.first]->key())},
                       {"values", key.second},
                       {"matches", std::move(kept)}});
    }
    return out;
}

void Correlator::load(const Json& saved) {
    const auto text = [](const Json& value) {
        return value.is_string() ? value.get<std::string>() : std::string();
    };
    const auto number = [&](const Json& value) -> std::uint64_t {
        const std::string digits = text(value);
        return digits.empty() || digits.size() > 20 ? 0
                                                    : std::strtoull(digits.c_str(), nullptr, 10);
    };
    if (!saved.is_array())
        return;
    for (const Json& each : saved) {
        if (!each.is_object() || !each.contains("rule") || !each.contains("values") ||
            !each["values"].is_array() || !each.contains("matches") || !each["matches"].is_array())
            continue;
        const std::string rule = text(each["rule"]);
        Key key;
        key.first = rules_.size();
        for (std::size_t i = 0; i < rules_.size(); ++i)
            if (rules_[i] != nullptr && rules_[i]->correlation && rules_[i]->key() == rule)
                key.first = i;
        if (key.first == rules_.size())
            continue;
        const Correlation& correlation = *rules_[key.first]->correlation;
        for (const Json& value : each["values"])
            key.second.push_back(text(value));
        if (key.second.size() != correlation.group_by.size())
            continue;
        Group group;
        for (const Json& match : each["matches"]) {
            if (!match.is_array() || match.size() != 5)
                continue;
            const auto part =
                std::find(correlation.rules.begin(), correlation.rules.end(), text(match[3]));
            if (part != correlation.rules.end())
                group.kept.push_back({number(match[0]), number(match[1]), text(match[2]),
                                      static_cast<std::uint32_t>(part - correlation.rules.begin()),
                                      text(match[4])});
        }
        std::stable_sort(group.kept.begin(), group.kept.end(),
                         [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; });
        if (group.kept.empty() || groups_.size() == max_groups ||
            kept_ + group.kept.size() > max_kept)
            continue;
        newest_ns_ = std::max(newest_ns_, group.kept.back().time_ns);
        kept_ += group.kept.size();
        groups_.insert_or_assign(std::move(key), std::move(group));
    }
}

}  // namespace amoskys::rules
