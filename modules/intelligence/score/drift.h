// How the columns of a table were spread in training, and how far other rows are from that. Pure.
#pragma once

#include <span>
#include <vector>

#include "core/model/saved.h"
#include "core/module/model.h"

namespace amoskys::score {

struct Drift {
    double psi = 0;  // population stability index over ten bins; above 0.25 = another distribution
    double ks = 0;   // largest distance of the two distribution functions, 0..1
    bool drifted() const { return psi > 0.25 && ks > 0.2; }
};

class Spread {
  public:
    static Spread of(const module::FeatureTable& table);
    // One per column; a column without values in either has none.
    std::vector<Drift> drift(const module::FeatureTable& table) const;

    model::Saved save() const;
    static Result<Spread> load(const model::Saved& saved, std::size_t columns);

  private:
    static constexpr std::size_t knots = 41;  // quantiles 0, 2.5 %, ... 100 %
    std::vector<float> quantiles_;            // per column `knots`; NaN-free: see `empty_`
    std::vector<std::uint32_t> empty_;        // 1 = the column had no values
};

}  // namespace amoskys::score
