// The five writers of lists of rows.
#include <cerrno>

#include "core/base/text.h"
#include "core/json/cells.h"
#include "core/json/output.h"
#include "core/json/yaml_text.h"

namespace amoskys {
namespace {

constexpr std::size_t width_sample_rows = 1000;
constexpr std::size_t max_cell_width = 80;  // wider cells are not aligned to, nor cut

// A column as chosen; owns its texts, since the options need not outlive the output.
struct ChosenColumn {
    std::string name;
    std::string title;
    bool right = false;
    std::string (*text)(const Json& object) = nullptr;
};

// What all writers share: the sink, whose failure ends the output, and the row with its schema.
class Writer : public RowOutput {
  public:
    Writer(ByteSink& sink, const OutputOptions& options, const Noun& noun,
           std::vector<ChosenColumn> columns)
        : columns_(std::move(columns)),
          sink_(sink),
          fields_(options.fields),
          schema_(json::schema_name(noun.name)) {}

  protected:
    bool put(std::string_view bytes) {
        if (is_broken_)
            return false;
        errno = 0;
        if (sink_.write(bytes))
            return true;
        return broken();
    }
    bool flush() {
        if (is_broken_)
            return false;
        errno = 0;
        return sink_.flush() ? true : broken();
    }
    Result<> done() {
        flush();
        if (is_broken_ && errno_ != EPIPE)
            return errno_error("output_write", "cannot write the output", errno_);
        return {};
    }
    Json with_schema(const Json& object) const {
        Json out = Json::object();
        out["schema"] = schema_;
        const Json chosen = json::pick_fields(object, fields_);
        for (const auto& [key, value] : chosen.items())
            out[key] = value;
        for (const ChosenColumn& column : columns_)
            if (column.text != nullptr)
                out[column.name] = column.text(object);
        return out;
    }
    static Json cell_of(const Json& object, const ChosenColumn& column) {
        if (column.text != nullptr)
            return column.text(object);
        const Json* value = json::find_path(object, column.name);
        return value == nullptr ? Json() : *value;
    }

    std::vector<ChosenColumn> columns_;

  private:
    bool broken() {
        is_broken_ = true;
        errno_ = errno == 0 ? EPIPE : errno;
        return false;
    }

    ByteSink& sink_;
    std::vector<std::string> fields_;
    std::string schema_;
    bool is_broken_ = false;
    int errno_ = 0;
};

class JsonWriter final : public Writer {
  public:
    using Writer::Writer;
    bool row(const Json& object) override {
        const bool is_first = std::exchange(is_first_, false);
        return put((is_first ? "[\n" : ",\n") + json::dump(with_schema(object)));
    }
    Result<> finish() override {
        put(is_first_ ? "[]\n" : "\n]\n");
        return done();
    }

  private:
    bool is_first_ = true;
};

class NdjsonWriter final : public Writer {
  public:
    using Writer::Writer;
    bool row(const Json& object) override {
        return put(json::dump(with_schema(object)) + "\n") && flush();
    }
    Result<> finish() override { return done(); }
};

class YamlWriter final : public Writer {
  public:
    using Writer::Writer;
    bool row(const Json& object) override {
        is_empty_ = false;
        return put("- " + json::to_yaml(with_schema(object), 2));
    }
    Result<> finish() override {
        if (is_empty_)
            put("[]\n");
        return done();
    }

  private:
    bool is_empty_ = true;
};

class CsvWriter final : public Writer {
  public:
    CsvWriter(ByteSink& sink, const OutputOptions& options, const Noun& noun,
              std::vector<ChosenColumn> columns)
        : Writer(sink, options, noun, std::move(columns)) {
        std::string line;
        for (const ChosenColumn& column : columns_)
            line += (line.empty() ? "" : ",") + json::csv_field(column.name);
        put(line + "\r\n");
    }
    bool row(const Json& object) override {
        std::string line;
        for (std::size_t i = 0; i < columns_.size(); ++i)
            line += (i == 0 ? "" : ",") + json::csv_cell(cell_of(object, columns_[i]));
        return put(line + "\r\n");
    }
    Result<> finish() override { return done(); }
};

class TableWriter final : public Writer {
  public:
    TableWriter(ByteSink& sink, const OutputOptions& options, const Noun& noun,
                std::vector<ChosenColumn> columns)
        : Writer(sink, options, noun, std::move(columns)), color_(options.color) {
        std::vector<std::string> titles;
        for (const ChosenColumn& column : columns_)
            titles.push_back(column.title);
        for (const auto& title : titles)
            widths_.push_back(json::display_width(title));
        rows_.push_back(std::move(titles));
    }
    bool row(const Json& object) override {
        std::vector<std::string> cells;
        for (const ChosenColumn& column : columns_)
            cells.push_back(json::table_cell(cell_of(object, column)));
        if (is_streaming_)
            return put(line_of(cells));
        for (std::size_t i = 0; i < cells.size(); ++i)
            if (const auto width = json::display_width(cells[i]); width <= max_cell_width)
                widths_[i] = std::max(widths_[i], width);
        rows_.push_back(std::move(cells));
        return rows_.size() <= width_sample_rows || release();
    }
    Result<> finish() override {
        release();
        return done();
    }

  private:
    bool release() {
        if (is_streaming_)
            return true;
        is_streaming_ = true;
        std::string text;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const std::string line = line_of(rows_[i]);
            text +=
                i == 0 && color_ ? "\x1b[1m" + line.substr(0, line.size() - 1) + "\x1b[0m\n" : line;
        }
        rows_.clear();
        return put(text);
    }

    std::string line_of(const std::vector<std::string>& cells) const {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const auto width = json::display_width(cells[i]);
            const std::string space(widths_[i] > width ? widths_[i] - width : 0, ' ');
            line += (i == 0 ? "" : "  ");
            line += columns_[i].right ? space + cells[i] : cells[i] + space;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        return line + "\n";
    }

    std::vector<std::size_t> widths_;
    std::vector<std::vector<std::string>> rows_;  // the titles first
    bool is_streaming_ = false;
    bool color_;
};

ChosenColumn chosen_column(const Column& column, std::string_view field) {
    ChosenColumn chosen{std::string(field), std::string(column.title), column.right, column.text};
    if (chosen.title.empty() || field != column.name) {
        chosen.title = chosen.name;
        for (char& c : chosen.title)
            c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
    return chosen;
}

// The column that holds the field: "labels" holds "labels.core"; nullptr where there is none.
const Column* column_of(const Noun& noun, std::string_view field) {
    const Column* match = nullptr;
    for (const Column& column : noun.columns) {
        const bool holds =
            field == column.name || field.starts_with(std::string(column.name) + ".");
        if (holds && (match == nullptr || column.name.size() > match->name.size()))
            match = &column;
    }
    return match;
}

// The columns that --fields names, in its order; without it all, or those that the table shows.
Result<std::vector<ChosenColumn>> choose_columns(const OutputOptions& options, const Noun& noun) {
    std::vector<ChosenColumn> chosen;
    if (options.fields.empty()) {
        for (const Column& column : noun.columns)
            if (options.format == OutputFormat::table ? column.in_table : column.text == nullptr)
                chosen.push_back(chosen_column(column, column.name));
        return chosen;
    }
    for (const std::string& field : options.fields) {
        const Column* match = column_of(noun, field);
        if (match == nullptr) {
            std::vector<std::string_view> names;
            for (const Column& column : noun.columns)
                names.push_back(column.name);
            return json::unknown_field(field, names);
        }
        chosen.push_back(chosen_column(*match, field));
    }
    return chosen;
}

}  // namespace

Result<std::unique_ptr<RowOutput>> RowOutput::open(ByteSink& sink, const OutputOptions& options,
                                                   const Noun& noun) {
    AMOSKYS_TRY(columns, choose_columns(options, noun));
    std::unique_ptr<RowOutput> output;
    switch (options.format) {
        case OutputFormat::json:
            output = std::make_unique<JsonWriter>(sink, options, noun, std::move(columns));
            break;
        case OutputFormat::ndjson:
            output = std::make_unique<NdjsonWriter>(sink, options, noun, std::move(columns));
            break;
        case OutputFormat::yaml:
            output = std::make_unique<YamlWriter>(sink, options, noun, std::move(columns));
            break;
        case OutputFormat::csv:
            output = std::make_unique<CsvWriter>(sink, options, noun, std::move(columns));
            break;
        case OutputFormat::table:
            output = std::make_unique<TableWriter>(sink, options, noun, std::move(columns));
            break;
    }
    return output;
}

}  // namespace amoskys
