// Events to alerts: the rules that match, the correlations that fire because of it, and what is
// raised. Sans-io, no clock, one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/module/alert.h"
#include "modules/intelligence/rules/correlation.h"
#include "modules/intelligence/rules/engine.h"

namespace amoskys::rules {

class Detector {
  public:
    using Raise = std::function<void(module::Alert alert, Duration suppress)>;

    // The engine must live as long.
    explicit Detector(Engine& engine);

    // Rules below min_level (level_rank) raise nothing by themselves; correlations still see them.
    void observe(const wire::Event& event, int min_level, const Raise& raise);

    Correlator& correlator() { return correlator_; }

  private:
    module::Alert alert_of(std::size_t rule) const;

    Engine& engine_;
    Correlator correlator_;
};

// 0..1 by the level, with the earlier system's borders: medium from 0.6, high from 0.8, critical
// from 0.95.
double score_of_level(std::string_view level);

}  // namespace amoskys::rules
