// Feature tables as score reads them: a CSV of numbers with optional key columns and labels.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/module/model.h"

namespace amoskys::score {

// Rows with what names them. The keys are empty where the file has no such column.
struct KeyedTable {
    std::string source;  // the file, for messages
    module::FeatureTable features;
    std::vector<std::string> devices, starts, ends;
    std::vector<bool> labels;  // true = anomaly; empty without a label column
};

struct TableOptions {
    std::string label;                // name of the label column; "" = none
    std::vector<std::string> ignore;  // columns that are no features
};

// Keys are device_id or device; window_start or window_start_ns; window_end; columns named time,
// timestamp, ts_ns, timestamp_ns and id are left out. Every other cell is a number or empty (or
// nan) = missing; a label is 0 or 1. The rows of a device are brought together, each device a
// series. Faults are bad_data with FILE:LINE:COL.
Result<KeyedTable> parse_table(std::string_view text, const std::string& name,
                               const TableOptions& options);
Result<KeyedTable> read_table(const std::filesystem::path& file, const TableOptions& options);

// The table that etl left in a folder (or a file named directly); no_input where there is none.
Result<std::filesystem::path> find_table(const std::filesystem::path& features);

// The table with exactly `columns`, in that order. bad_data where one of them is not in the table;
// columns that the model does not know are dropped and counted in `dropped`.
Result<module::FeatureTable> select_columns(const KeyedTable& table,
                                            std::span<const std::string> columns,
                                            std::size_t& dropped);

}  // namespace amoskys::score
