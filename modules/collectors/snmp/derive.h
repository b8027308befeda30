// Values made of what was read: rates, sums, percentages. Pure; the memory of the reading before is
// the caller's, one per device.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "modules/collectors/snmp/poll.h"
#include "modules/collectors/snmp/profile.h"

namespace amoskys::snmp {

// What rates need of the reading before. Only columns that a rate reads are kept.
struct RateMemory {
    bool known = false;
    double at_s = 0;
    std::optional<std::uint64_t> agent_ticks, host_ticks;  // sysUpTime, hrSystemUptime
    std::vector<Value> scalars;
    std::vector<std::vector<Rows>> tables;
};

// One reading beside the one before.
class Derivation {
  public:
    // `at_s`: when it was made, of a clock that never goes back. `memory` may be null.
    Derivation(const Profile& profile, const PollResult& result, const RateMemory* memory,
               double at_s);

    // The device began to count anew since the reading before (RFC 2579's sysUpTime turns over
    // after 497 days, and is that of the SNMP agent: hrSystemUptime goes before it).
    bool restarted() const { return restarted_; }
    // A 0 that the agent sends before it has begun to count (Metric::settles_s).
    bool unsettled(const Metric& metric, const Value& value) const;

    // Values of `derived`, in its order. `row[i]`: the value of metrics[i], null where there is
    // none; `before[i]`: of the reading before.
    std::vector<std::optional<double>> values(const std::vector<Derived>& derived,
                                              const std::vector<Metric>& metrics,
                                              const std::vector<const Value*>& row,
                                              const std::vector<const Value*>& before) const;

    // The memory for the next reading; takes rows out of `result`.
    static RateMemory remember(const Profile& profile, PollResult& result, double at_s);

  private:
    double elapsed_s_ = 0;
    bool has_before_ = false, restarted_ = false;
    std::optional<std::uint64_t> agent_ticks_;
};

std::optional<double> number_of(const Metric& metric, const Value& value);  // scaled

}  // namespace amoskys::snmp
