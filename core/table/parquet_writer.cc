// Rows gather in one ColumnBuffer per field until the row group is full.
#include <algorithm>

#include "core/table/output_file.h"
#include "core/table/parquet.h"
#include "core/table/parquet_column.h"
#include "core/table/writer.h"

namespace amoskys::table {
namespace {

class ParquetWriter final : public Writer {
  public:
    ParquetWriter(std::unique_ptr<OutputFile> file, Schema schema, ParquetOptions options)
        : file_(std::move(file)),
          schema_(std::move(schema)),
          options_(options),
          compressor_(options.compression) {
        const std::size_t row_bytes = 8 * std::max<std::size_t>(schema_.fields.size(), 1);
        group_rows_ = std::clamp<std::size_t>(options_.row_group_bytes / row_bytes, 1,
                                              options_.row_group_rows);
        for (const Field& field : schema_.fields)
            columns_.emplace_back(field, group_rows_);
        file_->pending() += "PAR1";
    }

    Result<> write(const Batch& batch) override {
        const std::size_t rows = batch.rows();
        for (std::size_t i = 0; i < columns_.size(); ++i)
            columns_[i].begin(batch.column(i));
        // Texts can be longer than the eight bytes that group_rows_ counts for them, so their
        // length is looked at after each piece.
        constexpr std::size_t piece = 256;
        for (std::size_t from = 0; from < rows;) {
            const std::size_t count = std::min({piece, rows - from, group_rows_ - rows_in_group_});
            std::size_t text_bytes = 0;
            for (std::size_t i = 0; i < columns_.size(); ++i) {
                columns_[i].append(batch.column(i), from, count);
                text_bytes += columns_[i].text_bytes();
            }
            from += count;
            rows_in_group_ += count;
            if (rows_in_group_ == group_rows_ || text_bytes >= options_.row_group_bytes)
                AMOSKYS_TRY_VOID(write_group());
        }
        return {};
    }

    Result<> finish() override {
        AMOSKYS_TRY_VOID(write_group());
        file_->pending() += parquet::footer(schema_, row_groups_, groups_, rows_);
        return file_->finish();
    }

  private:
    Result<> write_group() {
        if (rows_in_group_ == 0)
            return {};
        std::vector<parquet::Chunk> chunks;
        for (parquet::ColumnBuffer& column : columns_) {
            chunks.push_back(column.write(*file_, compressor_));
            if (file_->full())
                AMOSKYS_TRY_VOID(file_->flush());
        }
        row_groups_ += parquet::row_group(schema_, chunks, rows_in_group_, compressor_.codec());
        ++groups_;
        rows_ += rows_in_group_;
        rows_in_group_ = 0;
        return {};
    }

    std::unique_ptr<OutputFile> file_;
    const Schema schema_;
    ParquetOptions options_;
    parquet::Compressor compressor_;
    std::vector<parquet::ColumnBuffer> columns_;
    std::size_t group_rows_ = 0, rows_in_group_ = 0;
    std::string row_groups_;  // for the footer
    std::size_t groups_ = 0;
    std::uint64_t rows_ = 0;
};

}  // namespace

Result<std::unique_ptr<Writer>> open_parquet(const std::filesystem::path& path, Schema schema,
                                             ParquetOptions options) {
    AMOSKYS_TRY(file, OutputFile::create(path));
    return std::unique_ptr<Writer>(
        std::make_unique<ParquetWriter>(std::move(file), std::move(schema), options));
}

}  // namespace amoskys::table
