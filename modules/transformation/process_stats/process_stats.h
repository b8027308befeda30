// The process_stats extractor: what the processes of a device did in a window.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "core/module/extractor.h"

namespace amoskys::process_stats {

inline constexpr double short_life_s = 10;
inline constexpr double high_cpu_percent = 50;
inline constexpr double high_rss_bytes = 1024.0 * 1024 * 1024;
inline constexpr std::size_t top_processes = 5;

// Order = order of the columns.
enum class Feature : std::size_t {
    count,
    fresh,
    terminated,
    churn,
    short_lived,
    executed,
    suspicious,
    cpu_top5_sum,
    mem_top5_sum,
    threads_total,
    connections_total,
    files_open_total,
    threads_per_process,
    entropy,
    unique_names,
    name_diversity,
    high_cpu,
    high_mem
};
inline constexpr std::size_t feature_count = 18;
extern const std::array<module::FeatureForm, feature_count> catalogue;

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& settings);

}  // namespace amoskys::process_stats
