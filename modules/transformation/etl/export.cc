#include "modules/transformation/etl/export.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/table/batch.h"

namespace amoskys::etl {
namespace {

// Of some 600 columns: 0.6 MB, which stays in the second cache between filling and writing.
constexpr std::size_t batch_rows = 128;
constexpr std::size_t fields_of_keys = 3;
constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

class TableExport {
  public:
    TableExport(const Layout& layout, const TableRequest& request)
        : layout_(layout), request_(request), schema_(schema_of(layout)), batch_(schema_) {}

    Result<> open(const ExportOptions& options) {
        if (options.csv) {
            AMOSKYS_TRY(csv, table::open_csv(table_path(options, request_.name, "csv"), schema_,
                                             {.digits = options.digits}));
            writers_.push_back(std::move(csv));
        }
        if (options.parquet) {
            AMOSKYS_TRY(parquet,
                        table::open_parquet(table_path(options, request_.name, "parquet"), schema_,
                                            {.compression = options.compression}));
            writers_.push_back(std::move(parquet));
        }
        return {};
    }

    Result<> add(const Slice& slice, std::size_t from, std::size_t count) {
        while (count > 0) {
            const std::size_t taken = std::min(count, batch_rows - rows_in_batch_);
            append(slice, from, taken);
            from += taken;
            count -= taken;
            if (rows_in_batch_ == batch_rows)
                AMOSKYS_TRY_VOID(write());
        }
        return {};
    }

    Result<std::uint64_t> finish() {
        AMOSKYS_TRY_VOID(write());
        for (const auto& writer : writers_)
            AMOSKYS_TRY_VOID(writer->finish());
        return rows_;
    }

    std::uint64_t rows() const { return rows_; }

  private:
    void append(const Slice& slice, std::size_t from, std::size_t count) {
        table::TextColumn& device = batch_.text(0);
        device.codes.insert(device.codes.end(), count, device.texts.code(slice.device));
        for (std::size_t i = from; i < from + count; ++i) {
            batch_.int64(1).push_back(static_cast<std::int64_t>(slice.starts[i]));
            batch_.int64(2).push_back(static_cast<std::int64_t>(slice.ends[i]));
        }
        for (std::size_t i = 0; i < layout_.order.size(); ++i) {
            std::vector<double>& out = batch_.float64(fields_of_keys + i);
            const std::span<const double> values = slice.column(layout_.order[i]);
            if (values.empty())
                out.insert(out.end(), count, no_value);
            else
                out.insert(out.end(), values.data() + from, values.data() + from + count);
        }
        rows_in_batch_ += count;
    }

    Result<> write() {
        if (request_.change != nullptr)
            for (std::size_t i = 0; i < layout_.order.size(); ++i)
                (*request_.change)(layout_.order[i], batch_.float64(fields_of_keys + i));
        for (const auto& writer : writers_)
            AMOSKYS_TRY_VOID(writer->write(batch_));
        rows_ += rows_in_batch_;
        rows_in_batch_ = 0;
        batch_.clear();
        return {};
    }

    const Layout& layout_;
    const TableRequest& request_;
    table::Schema schema_;
    table::Batch batch_;
    std::size_t rows_in_batch_ = 0;
    std::uint64_t rows_ = 0;
    std::vector<std::unique_ptr<table::Writer>> writers_;
};

}  // namespace

table::Schema schema_of(const Layout& layout) {
    table::Schema schema;
    schema.fields = {{.name = "device_id",
                      .type = table::Type::text,
                      .nullable = false,
                      .stage = "key",
                      .formula = "the device"},
                     {.name = "window_start",
                      .type = table::Type::timestamp,
                      .nullable = false,
                      .stage = "key",
                      .formula = "start of the window, in it"},
                     {.name = "window_end",
                      .type = table::Type::timestamp,
                      .nullable = false,
                      .stage = "key",
                      .formula = "end of the window, not in it any more"}};
    for (const module::ColumnId id : layout.order) {
        const module::FeatureColumn& column = layout.columns[id];
        schema.fields.push_back({.name = column.name,
                                 .unit = column.unit,
                                 .stage = column.stage,
                                 .formula = column.formula});
    }
    return schema;
}

std::filesystem::path table_path(const ExportOptions& options, std::string_view name,
                                 std::string_view extension) {
    return options.folder / (std::string(name) + "." + std::string(extension));
}

std::vector<Stretch> stretches_of(const FeatureStore& store, std::optional<Part> part) {
    std::vector<Stretch> out;
    for (const Slice& slice : store.slices())
        for (std::size_t from = 0; from < slice.rows();) {
            std::size_t to = from + 1;
            while (to < slice.rows() && slice.parts[to] == slice.parts[from])
                ++to;
            if (!part || *part == slice.parts[from])
                out.push_back({&slice, from, to});
            from = to;
        }
    return out;
}

Result<std::uint64_t> export_table(std::span<const Stretch> rows, const Layout& layout,
                                   const ExportOptions& options, const TableRequest& request,
                                   const std::function<void(std::uint64_t)>& progress) {
    TableExport table(layout, request);
    AMOSKYS_TRY_VOID(table.open(options));
    for (const Stretch& stretch : rows) {
        AMOSKYS_TRY_VOID(table.add(*stretch.slice, stretch.from, stretch.to - stretch.from));
        progress(table.rows());
    }
    AMOSKYS_TRY(count, table.finish());
    std::error_code ignored;  // it is not there, or the next run meets it again
    if (!options.csv)
        std::filesystem::remove(table_path(options, request.name, "csv"), ignored);
    if (!options.parquet)
        std::filesystem::remove(table_path(options, request.name, "parquet"), ignored);
    return count;
}

}  // namespace amoskys::etl
