#include "modules/intelligence/score/threshold.h"

#include <algorithm>
#include <cmath>

#include "core/base/text.h"
#include "modules/intelligence/score/evaluate.h"

namespace amoskys::score {
namespace {

constexpr std::size_t week = 10'080;    // rows, at one a minute
constexpr std::size_t look_every = 30;  // rows between two looks at the week
constexpr double open_at = 6, close_at = 3;
constexpr std::size_t close_after = 10;  // rows below, one after the other
constexpr double mad_to_deviation = 1.4826;
constexpr double least_severity = 1;  // nothing more usual than one row in ten is an anomaly
constexpr double spot_level = 0.98, spot_probability = 1e-3;

}  // namespace

Result<Rule> rule_of(std::string_view name) {
    for (std::size_t i = 0; i < std::size(rule_names); ++i)
        if (rule_names[i] == name)
            return static_cast<Rule>(i);
    return make_error(ErrorKind::usage, "unknown_threshold",
                      "there is no threshold rule '" + printable(std::string(name)) + "'",
                      "one of: auto, quantile, rolling, spot");
}

ThresholdRule make_threshold(Rule rule, double quantile_wanted,
                             std::span<const double> severities) {
    ThresholdRule out{.rule = rule, .quantile = quantile_wanted};
    const double at = rule == Rule::spot ? spot_level : quantile_wanted;
    out.severity = quantile({severities.begin(), severities.end()}, at);
    if (rule == Rule::rolling)
        for (const double value : severities.last(std::min(week, severities.size())))
            out.recent.push_back(static_cast<float>(value));
    if (rule == Rule::spot)
        for (const double value : severities) {
            ++out.rows;
            if (value > out.severity)
                out.peaks.add(value - out.severity);
        }
    return out;
}

model::Saved ThresholdRule::save() const {
    model::Saved out(std::string(rule_names[static_cast<std::size_t>(rule)]));
    out.put("quantile", {quantile});
    out.put("severity", {severity});
    out.put_whole("confirm", {static_cast<std::uint32_t>(confirm)});
    out.put_whole("within", {static_cast<std::uint32_t>(within)});
    out.put_floats("recent", recent);
    out.put("peaks", {peaks.count, peaks.sum, peaks.squares, rows});
    return out;
}

Result<ThresholdRule> ThresholdRule::load(const model::Saved& saved) {
    AMOSKYS_TRY_VOID(saved.check_format(1));
    ThresholdRule out;
    const auto rule = rule_of(saved.kind());
    if (!rule)
        return model::damaged("threshold", "the rule is not known");
    out.rule = *rule;
    AMOSKYS_TRY(quantile_, saved.number("quantile", 0, 1));
    AMOSKYS_TRY(severity_, saved.number("severity", 0, 1e6));
    AMOSKYS_TRY(within_, saved.count("within", 1, week));
    AMOSKYS_TRY(confirm_, saved.count("confirm", 1, within_));
    AMOSKYS_TRY(recent_, saved.floats("recent", model::any_size));
    AMOSKYS_TRY(peaks_, saved.numbers("peaks", 4));
    if (recent_.size() > week || (out.rule == Rule::rolling && recent_.empty()))
        return model::damaged("threshold", "it has too few or too many severities");
    if (std::any_of(peaks_.begin(), peaks_.end(), [](double each) { return each < 0; }))
        return model::damaged("threshold", "its peaks are below 0");
    out.quantile = quantile_;
    out.severity = severity_;
    out.confirm = confirm_;
    out.within = within_;
    out.recent = std::move(recent_);
    out.peaks = {peaks_[0], peaks_[1], peaks_[2]};
    out.rows = peaks_[3];
    return out;
}

Judge::Judge(const ThresholdRule& rule)
    : rule_(rule),
      recent_(rule.recent.begin(), rule.recent.end()),
      peaks_(rule.peaks),
      rows_(rule.rows) {}

void Judge::look_at_recent() {
    sorted_.assign(recent_.begin(), recent_.end());
    const auto middle = sorted_.begin() + static_cast<std::ptrdiff_t>(sorted_.size() / 2);
    std::nth_element(sorted_.begin(), middle, sorted_.end());
    const float median = *middle;
    for (float& value : sorted_)
        value = std::abs(value - median);
    std::nth_element(sorted_.begin(), middle, sorted_.end());
    median_ = static_cast<double>(median);
    spread_ = mad_to_deviation * static_cast<double>(*middle);
    until_look_ = look_every;
}

Verdict Judge::against_recent(double severity) {
    if (until_look_ == 0)
        look_at_recent();
    --until_look_;
    recent_.push_back(static_cast<float>(severity));
    if (recent_.size() > week)
        recent_.pop_front();
    const double k = open_ ? close_at : open_at;
    Verdict out{std::max(median_ + k * spread_, least_severity), false};
    if (open_)
        below_ = severity < out.threshold ? below_ + 1 : 0;
    if (open_ && below_ >= close_after)
        open_ = false;
    else if (severity > out.threshold)
        open_ = true;
    out.anomaly = open_;
    return out;
}

Verdict Judge::against_peaks(double severity) {
    Verdict out{rule_.severity, false};
    if (peaks_.count > 0)
        out.threshold += peaks_.quantile(std::min(1.0, spot_probability * rows_ / peaks_.count));
    ++rows_;
    out.anomaly = severity > out.threshold;
    if (!out.anomaly && severity > rule_.severity)
        peaks_.add(severity - rule_.severity);
    return out;
}

Verdict Judge::judge(double severity) {
    Verdict out;
    switch (rule_.rule) {
        case Rule::quantile:
            out = {rule_.severity, severity > rule_.severity};
            break;
        case Rule::rolling:
            out = against_recent(severity);
            break;
        case Rule::spot:
            out = against_peaks(severity);
            break;
    }
    passed_.push_back(out.anomaly);
    passes_ += out.anomaly ? 1 : 0;
    if (passed_.size() > rule_.within) {
        passes_ -= passed_.front() ? 1 : 0;
        passed_.pop_front();
    }
    out.anomaly = out.anomaly && passes_ >= rule_.confirm;
    return out;
}

}  // namespace amoskys::score
