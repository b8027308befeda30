// Where a severity becomes an anomaly, found without labels.
//
//   quantile  a quantile of the training severities (--quantile)
//   rolling   median + k MAD of the last week of rows (10,080), so that a slow drift does not alarm
//   for
//             ever; opens at k = 6, stays open until ten rows in a row lie below k = 3
//   spot      peaks over threshold (Siffer et al. 2017): what one row in a thousand passes, by a
//             generalised Pareto tail that learns from the peaks it sees
// Any of them can ask for confirmation: an anomaly is one where k of the last n rows pass.
#pragma once

#include <deque>
#include <string_view>
#include <vector>

#include "modules/intelligence/score/tail.h"

namespace amoskys::score {

enum class Rule : std::uint8_t { quantile, rolling, spot };
inline constexpr std::string_view rule_names[] = {"quantile", "rolling", "spot"};
Result<Rule> rule_of(std::string_view name);

struct ThresholdRule {
    Rule rule = Rule::quantile;
    double quantile = 0.99;
    double severity = 0;                  // quantile: the threshold; spot: where peaks begin
    std::size_t confirm = 1, within = 1;  // k of n
    std::vector<float> recent;            // rolling: the last training severities, oldest first
    Excesses peaks;                       // spot
    double rows = 0;                      // spot: rows seen so far

    model::Saved save() const;
    static Result<ThresholdRule> load(const model::Saved& saved);
};

// From the training severities (at least one).
ThresholdRule make_threshold(Rule rule, double quantile, std::span<const double> severities);

struct Verdict {
    double threshold = 0;  // as a severity
    bool anomaly = false;
};

// Follows one series. Not thread-safe.
class Judge {
  public:
    explicit Judge(const ThresholdRule& rule);
    Verdict judge(double severity);

  private:
    Verdict against_recent(double severity);
    Verdict against_peaks(double severity);
    void look_at_recent();

    const ThresholdRule& rule_;
    std::deque<float> recent_;
    std::vector<float> sorted_;
    double median_ = 0, spread_ = 0;
    std::size_t until_look_ = 0;
    bool open_ = false;
    std::size_t below_ = 0;
    Excesses peaks_;
    double rows_ = 0;
    std::deque<bool> passed_;
    std::size_t passes_ = 0;
};

}  // namespace amoskys::score
