// From a table to a trained model: members, their tails, the threshold.
#pragma once

#include "core/base/clock.h"
#include "modules/intelligence/score/model_file.h"
#include "modules/intelligence/score/table.h"

namespace amoskys::score {

inline constexpr std::string_view fused_kind = "fused";
inline constexpr std::size_t default_smoothing = 10;

struct TrainRequest {
    std::string name;  // of the model; [A-Za-z0-9._-]{1,64}
    std::string kind;  // of a module, or "fused": all kinds that are members, where they can learn
                       // from the table
    std::uint64_t seed = 0;
    // "auto": rolling for models of ordered rows, quantile for the others
    std::string threshold = "auto";
    double quantile = 0.99;
    std::size_t confirm = 1, within = 1;
    std::string fusion = "mean";
    std::size_t smoothing = 0;         // 0 = 10 for models of ordered rows, 1 for the others
    Json parameters = Json::object();  // fused: "KIND.NAME"
    UnixNanos now_ns = 0;
};

Result<TrainedModel> train(std::span<const NamedKind> kinds, const KeyedTable& table,
                           const TrainRequest& request);

// A model that is in use against one of the same request, trained on the first four fifths of each
// series: average precision on the last fifth, where faults were put in by the seed (a third of the
// columns three deviations off, for ten rows, in about one row of ten). No labels are needed.
struct Trial {
    double candidate = 0, current = 0;
    bool better() const { return candidate > current + 0.005; }  // less is not worth a change
};
Result<Trial> compare(std::span<const NamedKind> kinds, const TrainedModel& current,
                      const KeyedTable& table, const TrainRequest& request);

}  // namespace amoskys::score
