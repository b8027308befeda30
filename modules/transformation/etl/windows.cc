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
    if (!next_start_ns_ && options_.align == Align::first)
        next_start_ns_ = time_ns;
    for (const CanonicalSample& sample : samples) {
        if (sample.metric >= columns_.size())
            columns_.resize(sample.metric + 1);
        columns_[sample.metric].times.push_back(time_ns);
        columns_[sample.metric].values.push_back(sample.value);
    }
}

UnixNanos WindowCutter::seen_until() const {
    if (gaps_ns_.empty())
        return last_ns_ == 0 ? 0 : last_ns_ + 1;
    std::vector<UnixNanos> sorted = gaps_ns_;
    std::sort(sorted.begin(), sorted.end());
    return last_ns_ + std::min(sorted[sorted.size() / 2], nanos(options_.window));
}

std::optional<UnixNanos> WindowCutter::oldest() const {
    std::optional<UnixNanos> least;
    for (const Column& column : columns_)
        if (column.begin < column.times.size())
            least = std::min(least.value_or(UINT64_MAX), column.times[column.begin]);
    return least;
}

// Moves next_start_ns_ to the first window of the grid that holds the oldest sample, so that a gap
// of a year costs nothing. False where there is no sample.
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
        const auto from =
            std::lower_bound(column.times.begin() + static_cast<std::ptrdiff_t>(column.begin),
                             column.times.end(), start);
        const auto to = std::lower_bound(from, column.times.end(), end);
        if (from == to)
            continue;
        const auto first = static_cast<std::size_t>(from - column.times.begin());
        const auto size = static_cast<std::size_t>(to - from);
        const CanonicalMetric& metric = metrics_.at(static_cast<std::uint32_t>(id));
        series_.push_back({id, metric.name, metric.unit,
                           std::span(column.times).subspan(first, size),
                           std::span(column.values).subspan(first, size)});
    }
    if (!series_.empty())
        visit({device_, start, end, series_});
}

void WindowCutter::forget_before(UnixNanos time_ns) {
    for (Column& column : columns_) {
        while (column.begin < column.times.size() && column.times[column.begin] < time_ns)
            ++column.begin;
        if (column.begin < 64 || column.begin * 2 < column.times.size())
            continue;
        const auto gone = static_cast<std::ptrdiff_t>(column.begin);
        column.times.erase(column.times.begin(), column.times.begin() + gone);
        column.values.erase(column.values.begin(), column.values.begin() + gone);
        column.begin = 0;
    }
}

}  // namespace amoskys::etl
