// From the store of rows to table files. Which files there are, and what each holds:
//
//   canonical_telemetry_full   every row, the numbers as they are
//   train_features             rows of the training part, scaled (--scale none: as they are)
//   val_features               rows of the validation part, likewise
//
// each as .csv, .parquet or both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/table/writer.h"
#include "modules/transformation/etl/feature_store.h"

namespace amoskys::etl {

struct Layout {
    std::span<const module::FeatureColumn> columns;
    std::vector<module::ColumnId> order;
};

struct ExportOptions {
    std::filesystem::path folder;
    bool csv = true, parquet = true;
    int digits = 9;  // of CSV: significant ones; 17: as many as it takes to read the same number
    table::Compression compression = table::Compression::snappy;
};

// Changes the values of a column in place, NaN where missing: how a table is scaled.
using ColumnChange = std::function<void(module::ColumnId, std::span<double>)>;

struct TableRequest {
    std::string_view name;  // of the file, without ".csv"
    const ColumnChange* change = nullptr;
};

// Rows [from, to) of a slice, in the order of their windows.
struct Stretch {
    const Slice* slice = nullptr;
    std::size_t from = 0, to = 0;
};
// Of a part, or all of them.
std::vector<Stretch> stretches_of(const FeatureStore& store, std::optional<Part> part = {});

inline constexpr std::string_view full_name = "canonical_telemetry_full";
inline constexpr std::string_view train_name = "train_features";
inline constexpr std::string_view validation_name = "val_features";

// device_id, window_start, window_end, then the features in the layout's order.
table::Schema schema_of(const Layout& layout);

std::filesystem::path table_path(const ExportOptions& options, std::string_view name,
                                 std::string_view extension);

// Writes one table in the formats that are asked for, and removes what an earlier run left of it in
// the other one: a folder's files are of one run. Returns the number of rows. progress: rows so
// far.
Result<std::uint64_t> export_table(std::span<const Stretch> rows, const Layout& layout,
                                   const ExportOptions& options, const TableRequest& request,
                                   const std::function<void(std::uint64_t)>& progress);

}  // namespace amoskys::etl
