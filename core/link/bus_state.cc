#include "core/link/bus_state.h"

#include <algorithm>
#include <cmath>

#include "core/log/log.h"

namespace amoskys::link {
namespace {
constexpr std::size_t max_waiting_audits = 1000;
constexpr double burst_seconds = 10;
}  // namespace

void Budget::give_back(std::uint64_t size_bytes) {
    used_ -= std::min(used_, size_bytes);
}

double Budget::load() const {
    if (total_ == 0)
        return 1;
    return std::min(1.0, static_cast<double>(used_) / static_cast<double>(total_));
}

std::chrono::milliseconds EventRate::wait(double events_per_second, SteadyTime now) {
    const double burst = events_per_second * burst_seconds;
    const double passed =
        last_ ? std::chrono::duration<double>(now - *last_).count() : burst_seconds;
    tokens_ = std::min(burst, tokens_ + passed * events_per_second);
    last_ = now;
    if (tokens_ > 0)
        return {};
    const double seconds = (1 - tokens_) / events_per_second;
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
}

BusState::BusState(const Clock& clock_, wal::Log& log_, ServerMetrics metrics_,
                   ServerLimits limits_)
    : clock(clock_),
      log(log_),
      metrics(metrics_),
      limits(limits_),
      budget(limits_.budget_bytes),
      started(clock_.steady()) {}

Result<> BusState::load() {
    AMOSKYS_TRY_VOID(lanes.load(log));
    if (log.states_as_of() < log.stats().newest)
        AMOSKYS_TRY_VOID(lanes.rebuild(log, log.states_as_of().next()));
    AMOSKYS_TRY_VOID(heads.load(log));
    AMOSKYS_TRY_VOID(cursors.load(log));
    return devices.load(log);
}

void BusState::audit(wal::OwnedAppend record) {
    if (audits.size() < max_waiting_audits)
        audits.push_back(std::move(record));
    else if (log::allow("audit"))
        log::error("bus", "audit_dropped", "too many audit records wait for the log");
}

}  // namespace amoskys::link
