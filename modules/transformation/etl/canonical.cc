#include "modules/transformation/etl/canonical.h"

#include <cmath>

namespace amoskys::etl {

std::uint32_t MetricTable::id(std::string_view name, std::string_view unit, bool is_rate) {
    // A metric that comes as gauge and as counter is two metrics; the suffix tells them apart.
    CanonicalMetric metric{std::string(name), std::string(unit), is_rate};
    if (is_rate) {
        metric.name += "_rate";
        metric.unit = unit.empty() ? "1/s" : metric.unit + "/s";
    }
    return add(std::move(metric));
}

std::uint32_t MetricTable::add(CanonicalMetric metric) {
    const auto [place, is_new] =
        ids_.try_emplace(metric.name, static_cast<std::uint32_t>(metrics_.size()));
    if (is_new)
        metrics_.push_back(std::move(metric));
    return place->second;
}

std::uint32_t Canonicalizer::source_of(const wire::Event& event) {
    const bool is_counter = event.type == "COUNTER";
    const auto fits = [&](const Source& source) {
        return source.metric == event.metric && source.index == event.index &&
               source.is_counter == is_counter;
    };
    // A record repeats the metrics of the one before it in the same order.
    if (next_guess_ < sources_.size() && fits(sources_[next_guess_])) {
        const std::uint32_t guessed = next_guess_;
        next_guess_ = (next_guess_ + 1) % static_cast<std::uint32_t>(sources_.size());
        return guessed;
    }
    key_.assign(event.metric);
    key_ += '\0';
    key_ += event.index;
    key_ += is_counter ? 'c' : 'g';
    const auto [place, is_new] =
        by_key_.try_emplace(key_, static_cast<std::uint32_t>(sources_.size()));
    if (is_new) {
        Source source;
        source.metric = event.metric;
        source.index = event.index;
        source.is_counter = is_counter;
        source.is_uptime = event.metric == "sysUpTime";
        source.canonical = metrics_.id(event.metric, event.unit, is_counter);
        sources_.push_back(std::move(source));
    }
    next_guess_ = (place->second + 1) % static_cast<std::uint32_t>(sources_.size());
    return place->second;
}

void Canonicalizer::add(std::uint32_t metric, double value) {
    if (metric >= sums_.size())
        sums_.resize(metrics_.size());
    Sum& sum = sums_[metric];
    if (sum.count == 0)
        touched_.push_back(metric);
    sum.total += value;
    ++sum.count;
}

// True with the rate since the counter's last value; false where there is none.
bool Canonicalizer::rate(const Source& source, const RawSample& sample, double& out) {
    constexpr double width32 = 4294967296.0;
    if (!source.has_value) {
        ++counts_.counter_starts;
        return false;
    }
    double increase = sample.value - source.value;
    const bool restarted = uptime_known_ && uptime_fell_ns_ > source.time_ns;
    if (increase < 0 || restarted) {
        // A decrease is a wrap only of a counter of 32 bits whose device did not restart, and only
        // where the way round is the shorter one; everything else is a reset and gives no rate.
        const bool wrapped = uptime_known_ && !restarted && source.value < width32 &&
                             increase + width32 < width32 / 2;
        ++(wrapped ? counts_.counter_wraps : counts_.counter_resets);
        if (!wrapped)
            return false;
        increase += width32;
    }
    out = increase / (static_cast<double>(sample.time_ns - source.time_ns) * 1e-9);
    return true;
}

void Canonicalizer::instant(UnixNanos time_ns, std::span<const RawSample> samples,
                            std::vector<CanonicalSample>& out) {
    for (const RawSample& sample : samples) {
        const Source& source = sources_[sample.source];
        if (!source.is_uptime)
            continue;
        if (source.has_value && source.time_ns != time_ns && sample.value < source.value)
            uptime_fell_ns_ = time_ns;
        uptime_known_ = true;
    }
    touched_.clear();
    for (const RawSample& sample : samples) {
        Source& source = sources_[sample.source];
        if (source.has_value && source.time_ns == time_ns) {
            ++counts_.duplicates;
            continue;
        }
        double value = sample.value;
        const bool usable = !source.is_counter || rate(source, sample, value);
        source.has_value = true;
        source.time_ns = time_ns;
        source.value = sample.value;
        if (usable)
            add(source.canonical, value);
    }
    for (const auto& [metric, median] : medians_)
        if (metric >= sums_.size() || sums_[metric].count == 0) {
            add(metric, median);
            ++counts_.filled;
        }
    for (const std::uint32_t metric : touched_) {
        Sum& sum = sums_[metric];
        const bool summed = metrics_.at(metric).is_rate;
        out.push_back({metric, summed ? sum.total : sum.total / sum.count});
        sum = {};
    }
}

}  // namespace amoskys::etl
