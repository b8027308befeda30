// The rows of a run between the engine and the files: before the last window nobody knows all the
// columns, nor (for scaling) their medians. Rows gather in memory, go to an unlinked spill file as
// blocks of one device by column, and are read through a mapping: sorted by device and window, a
// column at a time or a block at a time, and no pages of our own. Not thread-safe.
//
//   block   starts u64 x rows | ends u64 x rows | parts u8 x rows, filled up to 8
//           | column 0: f64 x rows | column 1 | ...        native byte order; NaN = missing
//
// Memory: gather_bytes, one block, 48 bytes per block; nothing grows with the length of the log but
// that.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.h"
#include "core/base/result.h"
#include "core/module/extractor.h"
#include "modules/transformation/etl/part.h"

namespace amoskys::etl {

// Consecutive rows of one device.
struct Slice {
    std::string_view device;
    std::span<const UnixNanos> starts, ends;
    std::span<const Part> parts;
    const double* values = nullptr;
    std::size_t columns = 0;

    std::size_t rows() const { return starts.size(); }
    // Empty where none of these rows has the column.
    std::span<const double> column(module::ColumnId id) const {
        return id < columns ? std::span(values + id * rows(), rows()) : std::span<const double>();
    }
};

class FeatureStore {
  public:
    // `folder` exists and is writable; cannot_create otherwise.
    static Result<std::unique_ptr<FeatureStore>> open(const std::filesystem::path& folder,
                                                      std::size_t gather_bytes = 16 << 20);
    ~FeatureStore();
    FeatureStore(const FeatureStore&) = delete;
    FeatureStore& operator=(const FeatureStore&) = delete;

    // Windows of a device come in the order of their start.
    Result<> add(const module::Window& window, const module::FeatureRow& row,
                 Part part = Part::train);
    // After the last row; what follows may be called then.
    Result<> seal();

    std::uint64_t rows() const { return rows_; }
    std::size_t devices() const { return devices_.size(); }
    std::span<const Slice> slices() const { return slices_; }
    // The values of a column in all rows of a part, in the order of the slices.
    void gather(module::ColumnId column, Part part, std::vector<double>& out) const;

  private:
    struct Row {
        std::uint32_t device = 0, columns = 0;
        Part part = Part::train;
        UnixNanos start_ns = 0, end_ns = 0;
        std::size_t at = 0;  // in values_
    };
    struct Block {
        std::uint32_t device = 0, rows = 0, columns = 0;
        std::uint64_t offset = 0;
    };

    FeatureStore(FileDescriptor spill, std::size_t gather_bytes)
        : spill_(std::move(spill)), gather_bytes_(gather_bytes) {}
    Result<> flush();
    Result<> write_block(std::span<const Row* const> rows);

    FileDescriptor spill_;
    const std::size_t gather_bytes_;
    std::uint64_t written_ = 0, rows_ = 0;
    std::vector<double> values_;  // of gathered_, row after row
    std::vector<Row> gathered_;
    std::string block_;
    std::vector<Block> blocks_;
    std::vector<const std::string*> devices_;
    std::map<std::string, std::uint32_t, std::less<>> device_numbers_;
    void* map_ = nullptr;
    std::vector<Slice> slices_;
};

// By metric, then in the order in which the extractors made them: the same for the same metrics,
// whatever order they arrived in.
std::vector<module::ColumnId> column_order(std::span<const module::FeatureColumn> columns);

}  // namespace amoskys::etl
