// What a run writes beside its tables: feature_metadata.json, pipeline_summary.json and
// quality_report.json. Pure functions that make the documents.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "modules/transformation/etl/canonical.h"
#include "modules/transformation/etl/export.h"
#include "modules/transformation/etl/quality.h"

namespace amoskys::etl {

inline constexpr std::string_view metadata_name = "feature_metadata.json";
inline constexpr std::string_view summary_name = "pipeline_summary.json";
inline constexpr std::string_view quality_name = "quality_report.json";

// What the stages before the export know.
struct RunFacts {
    UnixNanos now_ns = 0;  // execution_date
    Json source;           // {"kind": "wal", "path": ...}
    CanonicalCounts counts;
    std::uint64_t filled = 0;  // by --fill device-median
    std::size_t devices = 0, metrics = 0;
    UnixNanos first_ns = 0, last_ns = 0;  // event times of what was used
    Json windows;                         // {"window": "1m", "step": "30s", ...}
    Duration step{0};
    std::string fill = "none";
    Json baselines, preprocessing;  // null where a run has none
};

struct ExportedTable {
    std::string_view name;
    std::uint64_t rows = 0;
};

struct RunReport {
    const RunFacts& facts;
    const FeatureStore& store;
    const Layout& layout;
    const ExportOptions& files;
    std::span<const ExportedTable> tables;
    std::span<const ColumnQuality> quality;      // by ColumnId
    std::span<const std::string_view> pictures;  // names of files
};

Json metadata_json(const RunReport& report);
Json quality_json(const RunReport& report);
Json summary_json(const RunReport& report);

}  // namespace amoskys::etl
