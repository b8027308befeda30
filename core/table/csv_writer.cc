// CSV. Rows are put together from columns, so batches should fit the second cache (writer.h).
#include "core/base/clock.h"
#include "core/base/number_text.h"
#include "core/base/text.h"
#include "core/table/output_file.h"
#include "core/table/writer.h"

#include <charconv>
#include <cmath>

namespace amoskys::table {
namespace {

std::string csv_text(std::string_view text) {
    std::string shown = printable(text);
    // An empty text is not a missing one.
    if (!shown.empty() && shown.find_first_of(",\"") == std::string::npos)
        return shown;
    std::string out = "\"";
    for (const char c : shown) {
        if (c == '"')
            out += '"';
        out += c;
    }
    return out += '"';
}

char* write_cell(char* out, double value, int digits) {
    return std::isnan(value) ? out : write_number(out, value, digits);
}

class CsvWriter final : public Writer {
  public:
    CsvWriter(std::unique_ptr<OutputFile> file, Schema schema, CsvOptions options)
        : file_(std::move(file)), schema_(std::move(schema)), digits_(options.digits) {
        std::string& out = file_->pending();
        for (const Field& field : schema_.fields)
            out += csv_text(field.name) + ',';
        end_row();
    }

    Result<> write(const Batch& batch) override {
        const std::size_t rows = batch.rows();
        prepare_texts(batch);
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t i = 0; i < batch.columns();) {
                if (schema_.fields[i].type != Type::float64) {
                    append_other(batch.column(i), i, row);
                    ++i;
                } else {
                    i = append_numbers(batch, i, row);
                }
            }
            end_row();
            if (file_->full())
                AMOSKYS_TRY_VOID(file_->flush());
        }
        return {};
    }

    Result<> finish() override { return file_->finish(); }

  private:
    // The last comma becomes the end of the row.
    void end_row() {
        std::string& out = file_->pending();
        if (!schema_.fields.empty())
            out.pop_back();
        out += "\r\n";
    }

    void prepare_texts(const Batch& batch) {
        texts_.resize(batch.columns());
        for (std::size_t i = 0; i < batch.columns(); ++i)
            if (const auto* column = std::get_if<TextColumn>(&batch.column(i))) {
                texts_[i].clear();
                for (std::uint32_t code = 0; code < column->texts.size(); ++code)
                    texts_[i].push_back(csv_text(column->texts.at(code)));
            }
    }

    // A stretch of float64 columns from `first` on; returns the column behind it. A table is mostly
    // that, and so a cell costs no look at its type and no growing of the buffer.
    std::size_t append_numbers(const Batch& batch, std::size_t first, std::size_t row) {
        constexpr std::size_t at_once = 64;
        std::string& out = file_->pending();
        char text[at_once * (number_room + 1)];
        char* end = text;
        std::size_t i = first;
        for (;
             i < batch.columns() && i < first + at_once && schema_.fields[i].type == Type::float64;
             ++i) {
            end = write_cell(end, (*std::get_if<0>(&batch.column(i)))[row], digits_);
            *end++ = ',';
        }
        out.append(text, end);
        return i;
    }

    void append_other(const Column& column, std::size_t index, std::size_t row) {
        std::string& out = file_->pending();
        if (const auto* whole = std::get_if<1>(&column)) {
            const std::int64_t value = (*whole)[row];
            if (value == missing_int64) {
            } else if (schema_.fields[index].type == Type::timestamp && value >= 0) {
                out += format_time(static_cast<UnixNanos>(value));
            } else {
                char text[24];
                out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
            }
        } else if (const auto* truth = std::get_if<2>(&column)) {
            const std::uint8_t value = (*truth)[row];
            out += value == missing_boolean ? "" : value != 0 ? "true" : "false";
        } else {
            const std::uint32_t code = std::get<3>(column).codes[row];
            if (code != missing_text)
                out += texts_[index][code];
        }
        out += ',';
    }

    std::unique_ptr<OutputFile> file_;
    Schema schema_;
    int digits_;
    std::vector<std::vector<std::string>> texts_;  // of this batch, quoted
};

}  // namespace

Result<std::unique_ptr<Writer>> open_csv(const std::filesystem::path& path, Schema schema,
                                         CsvOptions options) {
    AMOSKYS_TRY(file, OutputFile::create(path));
    return std::unique_ptr<Writer>(
        std::make_unique<CsvWriter>(std::move(file), std::move(schema), options));
}

}  // namespace amoskys::table
