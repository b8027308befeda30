// The alarms that go on, in a file beside the lane's spool, so that they end, and are not raised
// twice, across a restart. Used by ThresholdEmitter, on the collector's loop.
//
// {"schema": "amoskys.alarms/1", "alarms": [{"rule", "device", "index", "critical", "since_ns"}]},
// the three names in base64: devices may put any bytes there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys::module {

struct ActiveAlarm {
    std::string rule, device, index;
    bool critical = false;
    UnixNanos since_ns = 0;
};

class AlarmMemory {
  public:
    explicit AlarmMemory(std::filesystem::path file) : file_(std::move(file)) {}
    // Empty where there is no file; bad_data where it is damaged.
    Result<std::vector<ActiveAlarm>> load() const;
    Result<> save(const std::vector<ActiveAlarm>& alarms) const;

  private:
    std::filesystem::path file_;
};

}  // namespace amoskys::module
