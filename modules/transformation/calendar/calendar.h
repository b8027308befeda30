// The calendar extractor: when a window began, in the time zone of etl.time_zone.
#pragma once

#include <array>
#include <memory>

#include "core/base/time_zone.h"
#include "core/module/extractor.h"

namespace amoskys::calendar {

struct Moment {
    unsigned hour = 0;         // 0..23
    unsigned day_of_week = 0;  // Monday = 0
    bool is_weekend() const { return day_of_week >= 5; }
    bool is_business_hours() const { return !is_weekend() && hour >= 9 && hour <= 17; }
};

// Order = order of the columns.
inline constexpr std::size_t feature_count = 4;
extern const std::array<module::FeatureForm, feature_count> catalogue;
Moment moment_of(UnixNanos time_ns, const TimeZone& zone);

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& settings);

}  // namespace amoskys::calendar
