#include "modules/transformation/etl/canonical.h"

#include <algorithm>

#include "modules/transformation/etl/interfaces.h"

namespace amoskys::etl {

namespace {

// Units of the sources and what becomes of them. Ticks are hundredths of a
// second: of a gauge (uptimes) they become seconds, per second (CPU times) they
// are percent of one CPU.
struct Conversion {
    std::string_view unit, to;
    double scale;
};
constexpr std::string_view uptime_metric = "sysUpTime";
constexpr Conversion gauges[] = {{"KiB", "MiB", 1.0 / 1024}, {"ticks", "s", 0.01}};
constexpr Conversion rates[] = {{"ticks/s", "percent", 1}};

Conversion conversion_of(const std::string& unit, bool is_rate) {
    for (const Conversion& known : is_rate ? std::span<const Conversion>(rates) : gauges)
        if (known.unit == unit)
            return known;
    return {unit, unit, 1};
}

// Of a counter, per second.
std::string unit_of(std::string_view unit, bool is_rate) {
    if (!is_rate)
        return std::string(unit);
    return unit.empty() ? "1/s" : std::string(unit) + "/s";
}

}  // namespace

std::uint32_t MetricTable::id(std::string_view name, std::string_view unit, bool is_rate) {
    const std::string came = unit_of(unit, is_rate);
    CanonicalMetric metric;
    metric.name = name;
    // A metric that comes as gauge and as counter is two metrics; the suffix
    // tells them apart.
    if (is_rate)
        metric.name += "_rate";
    metric.unit = conversion_of(came, is_rate).to;
    metric.is_rate = is_rate;
    metric.ingredient = ingredient_of(metric.name);
    return add(std::move(metric));
}

std::uint32_t MetricTable::derived(std::size_t form) {
    derived_.resize(derived_forms().size());
    if (!derived_[form]) {
        CanonicalMetric metric;
        metric.name = derived_forms()[form].name;
        metric.unit = derived_forms()[form].unit;
        derived_[form] = add(std::move(metric));
    }
    return *derived_[form];
}

std::uint32_t MetricTable::add(CanonicalMetric metric) {
    const auto [place, is_new] =
        ids_.try_emplace(metric.name, static_cast<std::uint32_t>(metrics_.size()));
    if (is_new) {
        metric.is_key =
            std::find(key_metrics_.begin(), key_metrics_.end(), metric.name) != key_metrics_.end();
        metrics_.push_back(std::move(metric));
    }
    return place->second;
}

void MetricTable::transfer(StateArchive& archive) {
    const std::size_t count = archive.count(metrics_.size());
    for (std::size_t id = 0; id < count; ++id) {
        CanonicalMetric metric = archive.reads() ? CanonicalMetric() : metrics_[id];
        archive.text(metric.name);
        archive.text(metric.unit);
        archive.flag(metric.is_rate);
        metric.ingredient = ingredient_of(metric.name);
        if (archive.reads())
            add(std::move(metric));
    }
    if (metrics_.size() != count)  // a name twice
        archive.refuse();
}

void Canonicalizer::make_key(std::string_view metric, std::string_view index, bool is_counter) {
    key_.assign(metric);
    key_ += '\0';
    key_ += index;
    key_ += is_counter ? 'c' : 'g';
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
    make_key(event.metric, event.index, is_counter);
    const auto [place, is_new] =
        by_key_.try_emplace(key_, static_cast<std::uint32_t>(sources_.size()));
    if (is_new) {
        Source source;
        source.metric = event.metric;
        source.index = event.index;
        source.is_counter = is_counter;
        source.is_uptime = event.metric == uptime_metric;
        source.canonical = metrics_.id(event.metric, event.unit, is_counter);
        source.scale = conversion_of(unit_of(event.unit, is_counter), is_counter).scale;
        source.ingredient = metrics_.at(source.canonical).ingredient;
        source.counts = roles_.counts(source.ingredient, source.index);
        source.apart = apart_of(source);
        sources_.push_back(std::move(source));
    }
    next_guess_ = (place->second + 1) % static_cast<std::uint32_t>(sources_.size());
    return place->second;
}

std::optional<std::uint32_t> Canonicalizer::apart_of(const Source& source) {
    if (source.index.empty() || !of_interfaces(source.ingredient))
        return std::nullopt;
    CanonicalMetric metric = metrics_.at(source.canonical);
    metric.ingredient = Ingredient::none;
    if (measure_ && of_octets(source.ingredient)) {
        metric.name = traffic_metric(source.index);
        return metrics_.add(std::move(metric));
    }
    if (ranks_ == nullptr)
        return std::nullopt;
    const auto rank = ranks_->find(source.index);
    if (rank == ranks_->end())
        return std::nullopt;
    metric.name += "_top" + std::to_string(rank->second);
    return metrics_.add(std::move(metric));
}

void Canonicalizer::read_text(const wire::Event& event, std::string_view text) {
    if (event.index.empty() || !roles_.learn(event.metric, event.index, text))
        return;
    for (Source& source : sources_)
        if (source.index == event.index)
            source.counts = roles_.counts(source.ingredient, source.index);
}

// A metric that the device publishes itself goes before one that is made of
// others.
void Canonicalizer::derive(std::vector<CanonicalSample>& out) {
    derived_.clear();
    ingredients_.derive(derived_);
    for (const auto& [form, value] : derived_) {
        const std::uint32_t metric = metrics_.derived(form);
        if (std::find(touched_.begin(), touched_.end(), metric) == touched_.end())
            out.push_back({metric, value});
    }
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
        // A decrease is a wrap only of a counter of 32 bits whose device did not
        // restart, and only where the way round is the shorter one; everything else
        // is a reset and gives no rate.
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
        if (!usable)
            continue;
        add(source.canonical, value * source.scale);
        if (source.apart && source.counts)
            add(*source.apart, value * source.scale);
        if (source.ingredient != Ingredient::none && source.counts)
            ingredients_.add(source.ingredient, value);
    }
    for (const std::uint32_t metric : touched_) {
        Sum& sum = sums_[metric];
        const bool summed = metrics_.at(metric).is_rate;
        out.push_back({metric, summed ? sum.total : sum.total / sum.count});
        sum = {};
    }
    derive(out);
}

void Canonicalizer::transfer(StateArchive& archive, Source& source) {
    archive.text(source.metric);
    archive.text(source.index);
    archive.number(source.canonical);
    archive.flag(source.is_counter);
    archive.flag(source.counts);
    archive.number(source.scale);
    archive.flag(source.has_value);
    archive.number(source.time_ns);
    archive.number(source.value);
    if (!archive.reads())
        return;
    if (source.canonical >= metrics_.size()) {
        archive.refuse();
        return;
    }
    source.is_uptime = source.metric == uptime_metric;
    source.ingredient = metrics_.at(source.canonical).ingredient;
    source.apart = apart_of(source);
    make_key(source.metric, source.index, source.is_counter);
    by_key_.try_emplace(key_, static_cast<std::uint32_t>(by_key_.size()));
}

void Canonicalizer::transfer(StateArchive& archive) {
    sources_.resize(archive.count(sources_.size()));
    for (Source& source : sources_)
        transfer(archive, source);
    if (by_key_.size() != sources_.size())  // one twice
        archive.refuse();
    archive.number(next_guess_);
    roles_.transfer(archive);
    archive.number(uptime_fell_ns_);
    archive.flag(uptime_known_);
}

}  // namespace amoskys::etl
