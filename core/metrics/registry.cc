#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "core/base/check.h"
#include "core/base/number_text.h"
#include "core/base/text.h"
#include "core/metrics/process.h"

namespace amoskys::metrics {
namespace {

constexpr std::size_t max_series = 1000;
constexpr char label_separator = '\x1f';

enum class TextFormat { prometheus, open_metrics };

struct Series {
    std::string labels;  // a="b",c="d"
    Counter counter;
    Gauge gauge;
    std::unique_ptr<Histogram> histogram;
};

struct Callback {
    double (*read)(const void*);
    const void* context;
};

struct Family {
    Kind kind = Kind::counter;
    std::string unit;
    std::string help;
    std::vector<std::string> labels;
    std::vector<double> buckets;
    std::map<std::string, std::unique_ptr<Series>, std::less<>> series;  // by label values
    std::vector<Callback> callbacks;
};

std::string number_text(double value) {
    if (std::isnan(value))
        return "NaN";
    if (std::isinf(value))
        return value > 0 ? "+Inf" : "-Inf";
    return shortest_number(value);
}

// Label values escape backslash, quote and line break; HELP of text 0.0.4 not the quote.
std::string escaped(std::string_view text, std::string_view characters) {
    std::string out;
    for (const char c : text) {
        if (c == '\n')
            out += "\\n";
        else {
            if (characters.find(c) != characters.npos)
                out += '\\';
            out += c;
        }
    }
    return out;
}

std::string labels_text(const Family& family, std::string_view values) {
    if (family.labels.empty())
        return "";
    // Values can come from outside: a separator too many is part of the last value.
    std::string out;
    for (std::size_t i = 0; i < family.labels.size(); ++i) {
        const auto end = i + 1 < family.labels.size() ? values.find(label_separator) : values.npos;
        const std::string_view value = values.substr(0, end);
        values.remove_prefix(end == values.npos ? values.size() : end + 1);
        const std::string clean = valid_utf8(value) ? std::string(value) : printable(value);
        out += (i == 0 ? "" : ",") + family.labels[i] + "=\"" + escaped(clean, "\\\"") + "\"";
    }
    return out;
}

std::string_view kind_text(Kind kind) {
    constexpr std::array<std::string_view, 3> names{"counter", "gauge", "histogram"};
    return names[static_cast<std::size_t>(kind)];
}

// OpenMetrics names a counter's family without "_total".
std::string_view family_name(std::string_view name, Kind kind, TextFormat format) {
    constexpr std::string_view total = "_total";
    if (format == TextFormat::open_metrics && kind == Kind::counter)
        name.remove_suffix(total.size());
    return name;
}

std::string head(const std::string& name, const Family& family, TextFormat format) {
    const std::string shown(family_name(name, family.kind, format));
    const bool is_open = format == TextFormat::open_metrics;
    std::string out = "# HELP " + shown + " " + escaped(family.help, is_open ? "\\\"" : "\\") +
                      "\n# TYPE " + shown + " " + std::string(kind_text(family.kind)) + "\n";
    // OpenMetrics asks that the name ends with the unit where one is given.
    if (is_open && !family.unit.empty() && shown.ends_with("_" + family.unit))
        out += "# UNIT " + shown + " " + family.unit + "\n";
    return out;
}

using Samples = std::vector<Registry::Sample>;

void add_histogram(Samples& out, const std::string& name, const Series& series) {
    const auto counts = series.histogram->cumulative();
    const auto bounds = series.histogram->bounds();
    const std::string comma = series.labels.empty() ? "" : ",";
    for (std::size_t i = 0; i < counts.size(); ++i) {
        // OpenMetrics wants canonical floats: 1.0, not 1.
        std::string bound = i < bounds.size() ? number_text(bounds[i]) : "+Inf";
        if (i < bounds.size() && bound.find_first_of(".e") == std::string::npos)
            bound += ".0";
        out.push_back({name + "_bucket", series.labels + comma + "le=\"" + bound + "\"",
                       static_cast<double>(counts[i])});
    }
    out.push_back({name + "_sum", series.labels, series.histogram->sum()});
    // Not read again: count must equal the +Inf bucket.
    out.push_back({name + "_count", series.labels, static_cast<double>(counts.back())});
}

void add_samples(Samples& out, const std::string& name, const Family& family) {
    for (const Callback& callback : family.callbacks)
        out.push_back({name, "", callback.read(callback.context)});
    for (const auto& [values, series] : family.series) {
        if (family.kind == Kind::histogram)
            add_histogram(out, name, *series);
        else
            out.push_back({name, series->labels,
                           family.kind == Kind::gauge
                               ? series->gauge.value()
                               : static_cast<double>(series->counter.value())});
    }
}

bool valid_name(std::string_view name) {
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

}  // namespace

struct Registry::Impl {
    mutable std::shared_mutex mutex;  // of the maps; the values themselves are atomics
    std::map<std::string, Family, std::less<>> families;

    Series& series(const MetricInfo& info, Kind kind, std::string_view label_value);
    Family& family(const MetricInfo& info, Kind kind);
    std::string text(TextFormat format) const;
};

// Called with the mutex held for writing.
Family& Registry::Impl::family(const MetricInfo& info, Kind kind) {
    const auto found = families.find(info.name);
    if (found != families.end()) {
        check(found->second.kind == kind, "one metric with two kinds: " + std::string(info.name));
        return found->second;
    }
    check(valid_name(info.name), "not a metric name: " + std::string(info.name));
    check(info.kind == kind, "metric used as another kind: " + std::string(info.name));
    check(info.name.ends_with("_total") == (kind == Kind::counter),
          "counters, and only they, end with _total: " + std::string(info.name));
    Family family;
    family.kind = kind;
    family.unit = info.unit;
    family.help = info.help;
    family.buckets.assign(info.buckets.begin(), info.buckets.end());
    if (kind == Kind::histogram && family.buckets.empty())
        family.buckets.assign(latency_buckets().begin(), latency_buckets().end());
    if (!info.label.empty())
        for (const auto label : split(info.label, ','))
            family.labels.emplace_back(label);
    return families.emplace(std::string(info.name), std::move(family)).first->second;
}

Series& Registry::Impl::series(const MetricInfo& info, Kind kind, std::string_view label_value) {
    {
        const std::shared_lock lock(mutex);
        const auto found = families.find(info.name);
        if (found != families.end() && found->second.kind == kind)
            if (const auto series = found->second.series.find(label_value);
                series != found->second.series.end())
                return *series->second;
    }
    const std::unique_lock lock(mutex);
    Family& owner = family(info, kind);
    std::string values(label_value);
    if (owner.series.size() >= max_series && owner.series.find(values) == owner.series.end()) {
        values = "other";
        for (std::size_t i = 1; i < owner.labels.size(); ++i)
            values += std::string(1, label_separator) + "other";
    }
    auto& slot = owner.series[values];
    if (slot == nullptr) {
        slot = std::make_unique<Series>();
        slot->labels = labels_text(owner, values);
        if (kind == Kind::histogram)
            slot->histogram = std::make_unique<Histogram>(owner.buckets);
    }
    return *slot;
}

std::string Registry::Impl::text(TextFormat format) const {
    const std::shared_lock lock(mutex);
    std::string out;
    for (const auto& [name, family] : families) {
        out += head(name, family, format);
        Samples samples;
        add_samples(samples, name, family);
        for (const Sample& sample : samples)
            out += sample.name + (sample.labels.empty() ? "" : "{" + sample.labels + "}") + " " +
                   number_text(sample.value) + "\n";
    }
    for (const MetricInfo& info : process_metrics()) {
        Family family;
        family.kind = info.kind;
        family.unit = info.unit;
        family.help = info.help;
        out += head(std::string(info.name), family, format) + std::string(info.name) + " " +
               number_text(process_value(info)) + "\n";
    }
    if (format == TextFormat::open_metrics)
        out += "# EOF\n";
    return out;
}

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(const MetricInfo& info, std::string_view label_value) {
    return impl_->series(info, Kind::counter, label_value).counter;
}

Gauge& Registry::gauge(const MetricInfo& info, std::string_view label_value) {
    return impl_->series(info, Kind::gauge, label_value).gauge;
}

Histogram& Registry::histogram(const MetricInfo& info, std::string_view label_value) {
    return *impl_->series(info, Kind::histogram, label_value).histogram;
}

void Registry::gauge_callback(const MetricInfo& info, double (*read)(const void*),
                              const void* context) {
    const std::unique_lock lock(impl_->mutex);
    Family& family = impl_->family(info, Kind::gauge);
    check(family.callbacks.empty() && family.labels.empty() && family.series.empty(),
          "a gauge callback is alone in its metric: " + std::string(info.name));
    family.callbacks.push_back({read, context});
}

std::string Registry::prometheus_text() const {
    return impl_->text(TextFormat::prometheus);
}
std::string Registry::open_metrics_text() const {
    return impl_->text(TextFormat::open_metrics);
}

std::vector<Registry::Sample> Registry::samples() const {
    const std::shared_lock lock(impl_->mutex);
    Samples out;
    for (const auto& [name, family] : impl_->families)
        add_samples(out, name, family);
    return out;
}

}  // namespace amoskys::metrics
