#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/wire/event.h"

namespace amoskys::wire {

std::string_view event_kind_name(EventKind kind) {
    static constexpr std::array<std::string_view, 9> names{
        "metric", "log", "alarm", "status", "security", "audit", "process", "flow", "gap"};
    return names.at(static_cast<std::size_t>(kind));
}

namespace {

std::string_view without_prefix(std::string_view name) {
    constexpr std::string_view prefix = "snmp_";
    return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
    return words.empty() || std::ranges::find(words, word) != words.end();
}

bool same_word(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

bool EventFilter::matches(const Event& event) const {
    if (event.time_ns < since_ns || event.time_ns >= until_ns)
        return false;
    if (!contains(kinds, event_kind_name(event.kind)) || !contains(sources, event.source))
        return false;
    const auto any = [](const std::vector<std::string>& words, auto fits) {
        return words.empty() || std::ranges::any_of(words, fits);
    };
    return any(severities, [&](const auto& word) { return same_word(word, event.severity); }) &&
           any(devices, [&](const auto& glob) { return glob_match(glob, event.device); }) &&
           any(metrics, [&](const auto& glob) {
               return event.kind == EventKind::metric &&
                      glob_match(without_prefix(glob), without_prefix(event.metric));
           });
}

}  // namespace amoskys::wire
