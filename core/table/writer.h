// Writing a table to a file: batches in, one file out. The file has a temporary name beside the
// final one until finish() has synced it; a writer that is destroyed before that removes it. So a
// file under its final name is always whole.
//
// Texts are written as base/text.h's printable() shows them, names of columns too: valid UTF-8, no
// control characters, so that a row of CSV is one line and every reader takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/base/result.h"
#include "core/table/batch.h"
#include "core/table/schema.h"

namespace amoskys::table {

class Writer {
  public:
    virtual ~Writer() = default;
    // A batch of the writer's schema, with any number of rows. After an error only the destructor
    // may be called.
    virtual Result<> write(const Batch& batch) = 0;
    virtual Result<> finish() = 0;  // once
};

struct CsvOptions {
    // Significant digits, as printf's %g (base/number_text.h); 17: the shortest that reads back.
    int digits = 9;
};

// RFC 4180: a header, CR LF. Missing cells are empty, booleans true and false, times RFC 3339.
// Errors: cannot_create, permission, io with the path (a full disk among them).
Result<std::unique_ptr<Writer>> open_csv(const std::filesystem::path& path, Schema schema,
                                         CsvOptions options = {});

enum class Compression : std::uint8_t { none, snappy, zstd };

struct ParquetOptions {
    Compression compression = Compression::snappy;
    // A row group is written when its values reach this; memory is this and one column of it.
    std::size_t row_group_bytes = 32 << 20;
    std::size_t row_group_rows = 131'072;  // and then too
};

// Parquet 2, data pages of version 1: format and limits in parquet.h. Errors as open_csv's.
Result<std::unique_ptr<Writer>> open_parquet(const std::filesystem::path& path, Schema schema,
                                             ParquetOptions options = {});

}  // namespace amoskys::table
