// On demand (etl.one_hot): what is no number as columns of 0 and 1, for models that take numbers
// alone. An extractor like others, but of etl's own, because it needs to know which devices there
// are: those that have baselines, so that batch, increments and followers have the same columns.
//
//   device_is_NAME     a column for each device that has a baseline; a device without has only
//   zeros protocol_is_tcp, protocol_is_udp, protocol_is_other
//                      of most flows of the window, the first of these where two have as many;
//                      zeros where there was no flow
#pragma once

#include <memory>

#include "core/module/extractor.h"
#include "modules/transformation/etl/baseline.h"

namespace amoskys::etl {

struct OneHotOptions {
    bool device = false, protocol = false;
    bool any() const { return device || protocol; }
};

inline constexpr std::string_view one_hot_stage = "one_hot";

// The table and the baselines outlive it.
std::unique_ptr<module::Extractor> make_one_hot(module::ColumnTable& columns, OneHotOptions options,
                                                const Baselines& baselines);

}  // namespace amoskys::etl
