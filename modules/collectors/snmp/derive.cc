#include "modules/collectors/snmp/derive.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/base/text.h"
#include "core/module/counter_rate.h"

namespace amoskys::snmp {
namespace {

constexpr std::uint64_t ticks_range = std::uint64_t{1} << 32;

std::optional<std::uint64_t> ticks_of(const Profile& profile, const PollResult& result,
                                      std::string_view name) {
    for (std::size_t i = 0; i < profile.scalars.size(); ++i)
        if (profile.scalars[i].name == name)
            if (const auto* ticks = std::get_if<std::uint64_t>(&result.scalars[i].data))
                return *ticks;
    return std::nullopt;
}

// A smaller uptime is a restart, unless it turned over: then it is where it should be by now.
bool went_back(std::uint64_t before, std::uint64_t now, double elapsed_s) {
    if (now >= before)
        return false;
    const double expected = static_cast<double>(before) + elapsed_s * 100;
    const double turned = static_cast<double>(now + ticks_range);
    return std::abs(turned - expected) > std::max(500.0, elapsed_s * 10);
}

std::optional<module::CounterReading> counter_of(const Value* value) {
    const auto* number = value ? std::get_if<std::uint64_t>(&value->data) : nullptr;
    if (!number)
        return std::nullopt;
    return module::CounterReading{*number, value->type == Type::counter64};
}

// agent_ticks: sysUpTime of the same reading.
bool is_unsettled(const Metric& metric, const Value& value,
                  const std::optional<std::uint64_t>& agent_ticks) {
    return metric.settles_s > 0 && agent_ticks &&
           static_cast<double>(*agent_ticks) < metric.settles_s * 100 &&
           number_of(metric, value) == 0.0;
}

bool is_rate(const Derived& derived) {
    return derived.op == Derived::Op::rate || derived.op == Derived::Op::rates;
}

// Which of the metrics the rates need from the reading before.
std::vector<bool> kept(const std::vector<Metric>& metrics, const std::vector<Derived>& derived) {
    std::vector<bool> out(metrics.size(), false);
    const auto keep = [&](const std::string& name) {
        const auto found = std::ranges::find(metrics, name, &Metric::name);
        if (found != metrics.end())
            out[static_cast<std::size_t>(found - metrics.begin())] = true;
    };
    for (const Derived& one : derived)
        if (is_rate(one)) {
            std::ranges::for_each(one.inputs, keep);
            keep(one.discontinuity);
        }
    return out;
}

}  // namespace

std::optional<double> number_of(const Metric& metric, const Value& value) {
    std::optional<double> out;
    if (const auto* integer = std::get_if<std::int64_t>(&value.data))
        out = static_cast<double>(metric.read == Read::unsigned32 && *integer < 0
                                      ? *integer + static_cast<std::int64_t>(ticks_range)
                                      : *integer);
    else if (const auto* natural = std::get_if<std::uint64_t>(&value.data))
        out = static_cast<double>(*natural);
    else if (const auto* real = std::get_if<double>(&value.data); real && std::isfinite(*real))
        out = *real;
    else if (const auto* text = std::get_if<std::string>(&value.data);
             text && metric.read == Read::number) {
        const std::string_view digits = trim(*text);
        double number = 0;
        const char* const end = digits.data() + digits.size();
        const auto [at, failed] = std::from_chars(digits.data(), end, number);
        if (failed == std::errc() && at == end && std::isfinite(number))
            out = number;
    }
    if (out)
        *out *= metric.scale;
    return out;
}

Derivation::Derivation(const Profile& profile, const PollResult& result, const RateMemory* memory,
                       double at_s) {
    const auto agent = agent_ticks_ = ticks_of(profile, result, "sysUpTime");
    const auto host = ticks_of(profile, result, "hrSystemUptime");
    if (!memory || !memory->known)
        return;
    has_before_ = true;
    elapsed_s_ = at_s - memory->at_s;
    if (host && memory->host_ticks)
        restarted_ = went_back(*memory->host_ticks, *host, elapsed_s_);
    else
        restarted_ =
            agent && memory->agent_ticks && went_back(*memory->agent_ticks, *agent, elapsed_s_);
}

bool Derivation::unsettled(const Metric& metric, const Value& value) const {
    return is_unsettled(metric, value, agent_ticks_);
}

std::vector<std::optional<double>> Derivation::values(
    const std::vector<Derived>& derived, const std::vector<Metric>& metrics,
    const std::vector<const Value*>& row, const std::vector<const Value*>& before) const {
    std::vector<std::optional<double>> out(derived.size());
    const auto value_at = [&](std::size_t place) -> std::optional<double> {
        if (place >= metrics.size())
            return out[place - metrics.size()];
        return row[place] ? number_of(metrics[place], *row[place]) : std::nullopt;
    };
    const auto rate_of = [&](const Derived& one, std::size_t place) -> std::optional<double> {
        if (!has_before_ || place >= metrics.size())
            return std::nullopt;
        const auto now = counter_of(row[place]), then = counter_of(before[place]);
        if (!now || !then)
            return std::nullopt;
        const double scale = metrics[place].scale;
        double limit = module::no_rate_limit;
        if (one.limit_at != Derived::none)
            if (const auto most = value_at(one.limit_at); most && *most > 0)
                limit = *most / one.scale / scale;
        const std::size_t mark = one.discontinuity_at;
        const bool anew = restarted_ || (mark < metrics.size() && row[mark] && before[mark] &&
                                         row[mark]->data != before[mark]->data);
        const auto rate = module::counter_rate(*then, *now, elapsed_s_, anew, limit);
        return rate ? std::optional(*rate * scale) : std::nullopt;
    };
    const auto compute = [&](const Derived& one) -> std::optional<double> {
        std::optional<double> value;
        switch (one.op) {
            case Derived::Op::rate:
                // A 64-bit counter that is there is never replaced by a 32-bit one.
                for (const std::size_t place : one.inputs_at)
                    if (place < metrics.size() && row[place])
                        return rate_of(one, place);
                return std::nullopt;
            case Derived::Op::first:
                for (const std::size_t place : one.inputs_at)
                    if (value = value_at(place); value && *value > 0)
                        return value;
                return std::nullopt;
            case Derived::Op::rates:
            case Derived::Op::sum:
                for (const std::size_t place : one.inputs_at)
                    if (const auto part =
                            one.op == Derived::Op::sum ? value_at(place) : rate_of(one, place))
                        value = value.value_or(0) + *part;
                return value;
            case Derived::Op::percent:
            case Derived::Op::rest: {
                const auto part = value_at(one.inputs_at[0]), whole = value_at(one.inputs_at[1]);
                if (!part || !whole || !(*whole > 0))
                    return std::nullopt;
                const double percent = 100 * *part / *whole;
                return one.op == Derived::Op::percent ? percent : 100 - percent;
            }
        }
        return std::nullopt;
    };
    for (std::size_t i = 0; i < derived.size(); ++i)
        if (const auto value = compute(derived[i]))
            out[i] = *value * derived[i].scale;
    return out;
}

RateMemory Derivation::remember(const Profile& profile, PollResult& result, double at_s) {
    RateMemory out;
    out.known = true;
    out.at_s = at_s;
    out.agent_ticks = ticks_of(profile, result, "sysUpTime");
    out.host_ticks = ticks_of(profile, result, "hrSystemUptime");
    const std::vector<bool> scalars = kept(profile.scalars, profile.derived);
    out.scalars.resize(profile.scalars.size());
    for (std::size_t i = 0; i < scalars.size(); ++i)
        if (scalars[i] && !is_unsettled(profile.scalars[i], result.scalars[i], out.agent_ticks))
            out.scalars[i] = std::move(result.scalars[i]);
    for (std::size_t t = 0; t < profile.tables.size(); ++t) {
        const std::vector<bool> columns =
            kept(profile.tables[t].columns, profile.tables[t].derived);
        auto& table = out.tables.emplace_back(columns.size());
        for (std::size_t c = 0; c < columns.size(); ++c)
            if (columns[c]) {
                table[c] = std::move(result.tables[t][c]);
                std::erase_if(table[c], [&](const auto& row) {
                    return is_unsettled(profile.tables[t].columns[c], row.second, out.agent_ticks);
                });
            }
    }
    return out;
}

}  // namespace amoskys::snmp
