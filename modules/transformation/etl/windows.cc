#include "modules/transformation/etl/windows.h"

#include <algorithm>

namespace amoskys::etl {
namespace {

constexpr std::size_t remembered_gaps = 16;

UnixNanos nanos(Duration duration) {
    return static_cast<UnixNanos>(duration.count());
}

}  // namespace

void WindowCutter::add(UnixNanos time_ns, std::span<const CanonicalSample> samples) {
    if (samples.empty())
        return;
    if (last_ns_ != 0 && time_ns > last_ns_) {
        if (gaps_ns_.size() < remembered_gaps)
            gaps_ns_.push_back(time_ns - last_ns_);
        else
            gaps_ns_[gap_at_++ % remembered_gaps] = time_ns - last_ns_;
    }
    last_ns_ = time_ns;
    if (first_ns_ == 0)
        first_ns_ = time_ns;
    if (!next_start_ns_ && options_.align == Align::first)
        next_start_ns_ = time_ns;
    for (const CanonicalSample& sample : samples) {
        if (sample.metric >= columns_.size())
            make_columns(sample.metric + 1);
        columns_[sample.metric].times.push_back(time_ns);
        columns_[sample.metric].values.push_back(sample.value);
    }
}

void WindowCutter::make_columns(std::size_t count) {
    for (std::size_t id = columns_.size(); id < count; ++id) {
        const CanonicalMetric& metric = metrics_.at(static_cast<std::uint32_t>(id));
        Column& column = columns_.emplace_back();
        column.keep = metric.is_key ? module::recent_samples : 0;
        if (baselines_ == nullptr)
            continue;
        if (const auto found = baselines_->find(metric.name); found != baselines_->end())
            column.baseline = &found->second;
    }
}

void WindowCutter::compare_with(const DeviceBaselines* baselines) {
    baselines_ = baselines;
}

void WindowCutter::add(UnixNanos from_ns, std::span<const module::ProcessSample> processes,
                       std::span<const module::FlowSample> flows) {
    processes_.add(processes);
    flows_.add(flows);
    if (first_observed_ns_ == 0)
        first_observed_ns_ = from_ns;
    if (!processes.empty())
        last_observed_ns_ = std::max(last_observed_ns_, processes.back().time_ns);
    if (!flows.empty())
        last_observed_ns_ = std::max(last_observed_ns_, flows.back().time_ns);
    if (!next_start_ns_ && options_.align == Align::first)
        next_start_ns_ = from_ns;
}

template <class Sample>
std::span<const Sample> WindowCutter::Kept<Sample>::inside(UnixNanos start_ns,
                                                           UnixNanos end_ns) const {
    const auto earlier = [](const Sample& sample, UnixNanos time_ns) {
        return sample.time_ns < time_ns;
    };
    const auto from = std::lower_bound(samples.begin() + static_cast<std::ptrdiff_t>(begin),
                                       samples.end(), start_ns, earlier);
    const auto to = std::lower_bound(from, samples.end(), end_ns, earlier);
    return {from, to};
}

template <class Sample>
void WindowCutter::Kept<Sample>::forget_before(UnixNanos time_ns) {
    while (begin < samples.size() && samples[begin].time_ns < time_ns)
        ++begin;
    if (begin < 64 || begin * 2 < samples.size())
        return;
    trim();
}

std::optional<UnixNanos> WindowCutter::usual_gap() const {
    if (gaps_ns_.empty())
        return std::nullopt;
    std::vector<UnixNanos> sorted = gaps_ns_;
    std::sort(sorted.begin(), sorted.end());
    return std::min(sorted[sorted.size() / 2], nanos(options_.window));
}

UnixNanos WindowCutter::seen_until() const {
    const UnixNanos observed = last_observed_ns_ == 0 ? 0 : last_observed_ns_ + 1;
    return std::max(observed, last_ns_ == 0 ? 0 : last_ns_ + usual_gap().value_or(1));
}

// The beginning of what was seen: the first instant less the usual distance (that to until_ns where
// there was one instant alone), or the first process or flow.
UnixNanos WindowCutter::seen_from(UnixNanos until_ns) const {
    UnixNanos from = first_observed_ns_ == 0 ? UINT64_MAX : first_observed_ns_;
    if (first_ns_ != 0) {
        const UnixNanos next = std::min(until_ns - last_ns_, nanos(options_.window));
        from = std::min(from, first_ns_ - std::min(usual_gap().value_or(next), first_ns_));
    }
    return from;
}

std::optional<UnixNanos> WindowCutter::oldest() const {
    std::optional<UnixNanos> least;
    for (const Column& column : columns_)
        if (column.begin < column.times.size())
            least = std::min(least.value_or(UINT64_MAX), column.times[column.begin]);
    if (processes_.begin < processes_.samples.size())
        least = std::min(least.value_or(UINT64_MAX), processes_.samples[processes_.begin].time_ns);
    if (flows_.begin < flows_.samples.size())
        least = std::min(least.value_or(UINT64_MAX), flows_.samples[flows_.begin].time_ns);
    return least;
}

// Moves next_start_ns_ to the first window of the grid that holds the oldest
// sample, so that a gap of a year costs nothing. False where there is no
// sample.
bool WindowCutter::place_first_window() {
    const std::optional<UnixNanos> first = oldest();
    if (!first)
        return false;
    const UnixNanos window = nanos(options_.window), step = nanos(options_.step);
    // The first start on the grid after first - window.
    const UnixNanos grid = options_.align == Align::first ? *next_start_ns_ : 0;
    UnixNanos start = grid;
    if (*first >= grid + window)
        start = grid + ((*first - grid - window) / step + 1) * step;
    next_start_ns_ = std::max(next_start_ns_.value_or(0), start);
    return true;
}

void WindowCutter::close(UnixNanos until_ns, const Visit& visit) {
    const UnixNanos window = nanos(options_.window), step = nanos(options_.step);
    while (place_first_window() && *next_start_ns_ + window <= until_ns) {
        const UnixNanos first = std::min(first_ns_ == 0 ? UINT64_MAX : first_ns_,
                                         first_observed_ns_ == 0 ? UINT64_MAX : first_observed_ns_);
        if (options_.partial || *next_start_ns_ >= first || *next_start_ns_ >= seen_from(until_ns))
            visit_window(visit);
        *next_start_ns_ += step;
        forget_before(*next_start_ns_);
    }
}

void WindowCutter::visit_window(const Visit& visit) {
    const UnixNanos start = *next_start_ns_, end = start + nanos(options_.window);
    series_.clear();
    for (std::size_t id = 0; id < columns_.size(); ++id) {
        const Column& column = columns_[id];
        // Windows hold few samples and what was before them is behind `begin`.
        std::size_t first = column.begin;
        while (first < column.times.size() && column.times[first] < start)
            ++first;
        std::size_t last = first;
        while (last < column.times.size() && column.times[last] < end)
            ++last;
        if (first == last)
            continue;
        const std::size_t size = last - first;
        const std::size_t recent =
            column.keep == 0 ? size : std::max(size, std::min(column.keep, last));
        const CanonicalMetric& metric = metrics_.at(static_cast<std::uint32_t>(id));
        const std::span values(column.values);
        series_.push_back(
            {id, metric.name, metric.unit, std::span(column.times).subspan(first, size),
             values.subspan(first, size), values.subspan(last - recent, recent), column.baseline});
    }
    const auto processes = processes_.inside(start, end);
    const auto flows = flows_.inside(start, end);
    if (!series_.empty() || !processes.empty() || !flows.empty())
        visit({device_, start, end, series_, processes, flows});
}

void WindowCutter::forget_before(UnixNanos time_ns) {
    processes_.forget_before(time_ns);
    flows_.forget_before(time_ns);
    for (Column& column : columns_) {
        while (column.begin < column.times.size() && column.times[column.begin] < time_ns)
            ++column.begin;
        if (column.begin >= 64 + column.keep && column.begin * 2 >= column.times.size())
            trim(column);
    }
}

void WindowCutter::trim(Column& column) {
    const std::size_t kept = std::min(column.begin, column.keep);
    const auto gone = static_cast<std::ptrdiff_t>(column.begin - kept);
    column.times.erase(column.times.begin(), column.times.begin() + gone);
    column.values.erase(column.values.begin(), column.values.begin() + gone);
    column.begin = kept;
}

void WindowCutter::transfer(StateArchive& archive) {
    const std::size_t count = archive.count(columns_.size());
    if (count > metrics_.size()) {
        archive.refuse();
        return;
    }
    make_columns(count);
    for (Column& column : columns_) {
        trim(column);
        archive.numbers(column.times);
        for (UnixNanos& time : column.times)
            if (time > INT64_MAX)
                archive.refuse();
        archive.numbers(column.values);
        archive.number(column.begin);
        if (column.times.size() != column.values.size() || column.begin > column.times.size()) {
            archive.refuse();
            column = {};
        }
    }
    processes_.transfer(archive);
    flows_.transfer(archive);
    bool placed = next_start_ns_.has_value();
    archive.flag(placed);
    if (placed) {
        next_start_ns_ = next_start_ns_.value_or(0);
        archive.time(*next_start_ns_);
    }
    for (UnixNanos* time : {&first_ns_, &last_ns_, &first_observed_ns_, &last_observed_ns_})
        archive.time(*time);
    archive.numbers(gaps_ns_);
    archive.number(gap_at_);
    if (gaps_ns_.size() > remembered_gaps)
        archive.refuse();
}

}  // namespace amoskys::etl
