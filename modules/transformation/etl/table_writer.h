// The feature table on its way to disk. Rows arrive before the set of columns is known, so they go
// to an unlinked spill file first; write() then makes the CSV, sorted by device and window, under a
// temporary name and renames it. A table under its final name is always complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/base/result.h"
#include "core/module/extractor.h"

namespace amoskys::etl {

// Of one column over all rows (not of the samples).
struct ColumnStatistics {
    std::uint64_t count = 0;  // values that are not missing
    double mean = 0, squares = 0, min = 0, max = 0;
    void add(double value);
    double deviation() const;  // n-1; 0 with fewer than two values
};

class TableWriter {
  public:
    // `folder` exists and is writable; cannot_create otherwise.
    static Result<TableWriter> open(const std::filesystem::path& folder);

    Result<> add(const module::Window& window, const module::FeatureRow& row);

    // Columns: device_id, window_start, window_end, then `order` (ids of `columns`). Numbers with
    // at most `digits` significant ones (17: as many as it takes to read the same number back).
    struct Layout {
        std::span<const module::FeatureColumn> columns;
        std::vector<module::ColumnId> order;
        int digits = 9;
    };
    Result<> write_csv(const std::filesystem::path& path, const Layout& layout,
                       const std::function<void(std::uint64_t)>& progress);

    std::uint64_t rows() const { return index_.size(); }
    // By column id; columns that no row has are absent at the end.
    const std::vector<ColumnStatistics>& statistics() const { return statistics_; }

  private:
    struct Row {
        std::uint32_t device = 0;
        std::uint32_t columns = 0;
        UnixNanos start_ns = 0, end_ns = 0;
        std::uint64_t offset = 0;
    };

    explicit TableWriter(FileDescriptor spill) : spill_(std::move(spill)) {}
    Result<> flush_spill();
    Result<> read_row(const Row& row, std::vector<double>& values) const;

    FileDescriptor spill_;
    std::string pending_;  // of the spill, not written yet
    std::uint64_t written_ = 0;
    std::vector<Row> index_;
    std::vector<std::string> devices_;
    std::map<std::string, std::uint32_t, std::less<>> device_numbers_;
    std::vector<ColumnStatistics> statistics_;
};

// By metric, then in the order in which the extractors made them: the same for the same metrics,
// whatever order they arrived in.
std::vector<module::ColumnId> column_order(std::span<const module::FeatureColumn> columns);

void append_number(std::string& out, double value, int digits);
void append_csv_text(std::string& out, std::string_view text);

}  // namespace amoskys::etl
