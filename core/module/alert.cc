#include "core/module/alert.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace amoskys::module {
namespace {

std::string key_of(const Alert& alert) {
    std::string key = alert.source + '\0' + alert.rule;
    for (const std::string& device : alert.devices)
        key += '\0' + device;
    for (const auto& [name, text] : alert.values)
        key += '\0' + name + '=' + text;
    return key;
}

}  // namespace

std::string Alert::id() const {
    std::string digits = std::to_string(number);
    if (digits.size() < 6)
        digits.insert(0, 6 - digits.size(), '0');
    return "A-" + digits;
}

std::string_view state_text(Alert::State state) {
    return state == Alert::State::open           ? "open"
           : state == Alert::State::acknowledged ? "acknowledged"
                                                 : "resolved";
}

std::optional<Alert::State> parse_state(std::string_view text) {
    for (const auto state :
         {Alert::State::open, Alert::State::acknowledged, Alert::State::resolved})
        if (state_text(state) == text)
            return state;
    return std::nullopt;
}

std::optional<std::uint64_t> parse_alert_id(std::string_view text) {
    if (text.starts_with("A-") || text.starts_with("a-"))
        text.remove_prefix(2);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number == 0)
        return std::nullopt;
    return number;
}

Json to_json(const Alert& alert) {
    Json values = Json::object();
    for (const auto& [name, text] : alert.values)
        values[name] = text;
    return {{"id", alert.id()},
            {"source", alert.source},
            {"rule", alert.rule},
            {"title", alert.title},
            {"pattern", alert.pattern},
            {"level", alert.level},
            {"score", alert.score},
            {"state", std::string(state_text(alert.state))},
            {"devices", alert.devices},
            {"values", std::move(values)},
            {"techniques", alert.techniques},
            {"first", json::time(alert.first_ns)},
            {"last", json::time(alert.last_ns)},
            {"count", alert.count},
            {"evidence", alert.evidence},
            {"evidence_left_out", alert.evidence_left_out},
            {"incident", alert.incident},
            {"responses", alert.responses},
            {"label", alert.label},
            {"note", alert.note},
            {"state_set", json::time(alert.state_ns)}};
}

Alert* AlertStore::find(std::uint64_t number) {
    const auto found =
        std::lower_bound(alerts_.begin(), alerts_.end(), number,
                         [](const Alert& alert, std::uint64_t n) { return alert.number < n; });
    return found == alerts_.end() || found->number != number ? nullptr : &*found;
}

void AlertStore::remember(const Alert& alert) {
    newest_of_key_[key_of(alert)] = alert.number;
    for (const std::string& device : alert.devices)
        newest_of_device_[device] = alert.number;
}

AlertStore::Raised AlertStore::raise(Alert alert, Duration suppress) {
    const auto gap = [](UnixNanos a, UnixNanos b) {
        return Duration(static_cast<Duration::rep>(a > b ? a - b : b - a));
    };
    std::sort(alert.evidence.begin(), alert.evidence.end());
    alert.evidence.erase(std::unique(alert.evidence.begin(), alert.evidence.end()),
                         alert.evidence.end());
    const auto bound_evidence = [](Alert& bounded) {
        if (bounded.evidence.size() <= max_evidence)
            return;
        // The first and the last ones: where it began and where it is now.
        const std::size_t over = bounded.evidence.size() - max_evidence;
        bounded.evidence.erase(
            bounded.evidence.begin() + static_cast<std::ptrdiff_t>(max_evidence / 2),
            bounded.evidence.begin() + static_cast<std::ptrdiff_t>(max_evidence / 2 + over));
        bounded.evidence_left_out += over;
    };
    const auto same = newest_of_key_.find(key_of(alert));
    Alert* known = same == newest_of_key_.end() ? nullptr : find(same->second);
    if (known != nullptr && (gap(known->last_ns, alert.first_ns) <= suppress ||
                             gap(alert.last_ns, known->first_ns) <= suppress)) {
        known->first_ns = std::min(known->first_ns, alert.first_ns);
        known->last_ns = std::max(known->last_ns, alert.last_ns);
        ++known->count;
        std::vector<std::uint64_t> both;
        std::set_union(known->evidence.begin(), known->evidence.end(), alert.evidence.begin(),
                       alert.evidence.end(), std::back_inserter(both));
        known->evidence = std::move(both);
        bound_evidence(*known);
        return {known->number, false};
    }
    bound_evidence(alert);
    alert.number = next_++;
    alert.count = 1;
    alert.incident = alert.number;
    for (const std::string& device : alert.devices) {
        const auto other = newest_of_device_.find(device);
        const Alert* before = other == newest_of_device_.end() ? nullptr : find(other->second);
        if (before != nullptr && before->state != Alert::State::resolved &&
            gap(before->last_ns, alert.first_ns) <= incident_gap)
            alert.incident = std::min(alert.incident, before->incident);
    }
    alerts_.push_back(std::move(alert));
    remember(alerts_.back());
    const std::uint64_t number = alerts_.back().number;
    make_room();
    return {number, true};
}

void AlertStore::make_room() {
    if (alerts_.size() <= max_alerts)
        return;
    for (const auto state :
         {Alert::State::resolved, Alert::State::acknowledged, Alert::State::open}) {
        const auto oldest = std::find_if(alerts_.begin(), alerts_.end(),
                                         [state](const Alert& a) { return a.state == state; });
        if (oldest == alerts_.end())
            continue;
        alerts_.erase(oldest);
        ++dropped_;
        return;
    }
}

const Json& AlertStore::state_of(std::string_view source) const {
    static const Json nothing;
    const auto found = states_.find(std::string(source));
    return found == states_.end() ? nothing : *found;
}

void AlertStore::set_state(std::string_view source, Json state) {
    states_[std::string(source)] = std::move(state);
}

}  // namespace amoskys::module
