// The latest signed head (HEAD) of each lane, as the bus keeps them: durably in its log's state
// "head/<agent>/<lane>", and here for the metrics. At most one for each lane of the LaneTable. io
// thread only; no Asio, no clock.
#pragma once

#include <map>

#include "core/base/result.h"
#include "core/crypto/trust_map.h"
#include "core/link/lane_table.h"
#include "core/link/server_metrics.h"
#include "core/wire/statement.h"

namespace amoskys::link {

class HeadTable {
  public:
    Result<> load(wal::Log& log);
    void note(const LaneKey& lane, wire::KeptHead kept);
    const wire::KeptHead* find(const LaneKey& lane) const;
    // Of each agent of the trust map: the age of the head that is oldest, and how many envelopes
    // its heads are ahead of the log.
    void update(ServerMetrics& metrics, const LaneTable& lanes, const crypto::TrustMap& trust,
                UnixNanos now_ns) const;

  private:
    std::map<LaneKey, wire::KeptHead> heads_;
};

}  // namespace amoskys::link
