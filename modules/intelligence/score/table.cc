#include "modules/intelligence/score/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "core/base/csv.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace amoskys::score {
namespace {

constexpr std::uint64_t most_bytes = 4ULL << 30;
constexpr std::size_t most_columns = 100'000;

enum class Role : std::uint8_t { feature, device, start, end, label, ignored };

Role role_of(std::string_view name, const TableOptions& options) {
    constexpr std::array<std::string_view, 5> known = {"time", "timestamp", "ts_ns", "timestamp_ns",
                                                       "id"};
    const auto is_in = [name](const auto& list) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    if (!options.label.empty() && name == options.label)
        return Role::label;
    if (is_in(options.ignore))
        return Role::ignored;
    if (name == "device_id" || name == "device")
        return Role::device;
    if (name == "window_start" || name == "window_start_ns")
        return Role::start;
    if (name == "window_end" || name == "window_end_ns")
        return Role::end;
    return is_in(known) ? Role::ignored : Role::feature;
}

Result<double> number(const CsvReader& reader, const CsvCell& cell, const std::string& column) {
    const std::string_view text = trim(cell.text);
    if (text.empty() || text == "nan" || text == "NaN" || text == "NA" || text == "null")
        return std::numeric_limits<double>::quiet_NaN();
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + (text[0] == '+' ? 1 : 0), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(value)) {
        Error error =
            reader.fault(cell, "column " + printable(column) + ": '" +
                                   printable(text.substr(0, 40)) + "' is not a finite number");
        error.hint = "--ignore " + printable(column) + " leaves the column out";
        return error;
    }
    return value;
}

// The rows of each device together, in the order in which the devices first appear.
void group_series(KeyedTable& table) {
    const std::size_t rows = table.devices.size(), width = table.features.columns.size();
    if (rows == 0 || width == 0)
        return;
    std::map<std::string_view, std::size_t> number;
    std::vector<std::size_t> device, order(rows);
    for (const std::string& name : table.devices)
        device.push_back(number.try_emplace(name, number.size()).first->second);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return device[a] < device[b]; });
    for (std::size_t i = 0; i < rows; ++i)
        if (i == 0 || device[order[i]] != device[order[i - 1]])
            table.features.series.push_back(i);
    if (std::is_sorted(order.begin(), order.end()))
        return;
    const auto reorder = [&order](auto& values) {
        std::remove_reference_t<decltype(values)> moved;
        for (const std::size_t from : order)
            moved.push_back(values[from]);
        values = std::move(moved);
    };
    std::vector<double> values;
    values.reserve(table.features.values.size());
    for (const std::size_t from : order)
        values.insert(values.end(), table.features.row(from).begin(),
                      table.features.row(from).end());
    table.features.values = std::move(values);
    reorder(table.devices);
    if (!table.starts.empty())
        reorder(table.starts);
    if (!table.ends.empty())
        reorder(table.ends);
    if (!table.labels.empty())
        reorder(table.labels);
}

// Reads the records of one file into a table.
class TableReader {
  public:
    TableReader(std::string_view text, const std::string& name, const TableOptions& options)
        : reader_(text, name), options_(options) {
        table_.source = name;
    }

    Result<KeyedTable> read() {
        AMOSKYS_TRY_VOID(read_header());
        for (;;) {
            AMOSKYS_TRY(more, reader_.next(cells_));
            if (!more) {
                group_series(table_);
                return std::move(table_);
            }
            for (std::size_t i = 0; i < cells_.size(); ++i)
                AMOSKYS_TRY_VOID(take(i, cells_[i]));
        }
    }

  private:
    Result<> read_header() {
        AMOSKYS_TRY(has_header, reader_.next(cells_));
        if (!has_header)
            return make_error(ErrorKind::bad_data, "csv_malformed",
                              table_.source + ":1:1: the file is empty; a header is needed");
        if (cells_.size() > most_columns)
            return reader_.fault(
                cells_[0], std::to_string(cells_.size()) + " columns; at most 100,000 are read");
        std::set<std::string_view> seen;
        for (const CsvCell& cell : cells_) {
            if (!seen.insert(cell.text).second)
                return reader_.fault(cell,
                                     "the column '" + printable(cell.text) + "' is there twice");
            roles_.push_back(role_of(cell.text, options_));
            names_.emplace_back(cell.text);
            if (roles_.back() == Role::feature)
                table_.features.columns.emplace_back(cell.text);
        }
        if (!options_.label.empty() &&
            std::find(roles_.begin(), roles_.end(), Role::label) == roles_.end())
            return make_error(
                ErrorKind::bad_data, "table_no_label",
                table_.source + " has no column '" + printable(options_.label) + "' for the label");
        return {};
    }

    Result<> take(std::size_t i, const CsvCell& cell) {
        switch (roles_[i]) {
            case Role::ignored:
                return {};
            case Role::device:
                table_.devices.emplace_back(cell.text);
                return {};
            case Role::start:
                table_.starts.emplace_back(cell.text);
                return {};
            case Role::end:
                table_.ends.emplace_back(cell.text);
                return {};
            case Role::feature:
            case Role::label:
                break;
        }
        AMOSKYS_TRY(value, number(reader_, cell, names_[i]));
        if (roles_[i] == Role::feature) {
            table_.features.values.push_back(value);
            return {};
        }
        if (value != 0 && value != 1)
            return reader_.fault(cell, "a label is 0 or 1, not '" + printable(cell.text) + "'");
        table_.labels.push_back(value == 1);
        return {};
    }

    CsvReader reader_;
    const TableOptions& options_;
    KeyedTable table_;
    std::vector<CsvCell> cells_;
    std::vector<Role> roles_;
    std::vector<std::string> names_;
};

}  // namespace

Result<KeyedTable> parse_table(std::string_view text, const std::string& name,
                               const TableOptions& options) {
    return TableReader(text, name, options).read();
}

Result<KeyedTable> read_table(const std::filesystem::path& file, const TableOptions& options) {
    AMOSKYS_TRY(text, read_file(file, most_bytes));
    return parse_table(text, file.string(), options);
}

Result<std::filesystem::path> find_table(const std::filesystem::path& features) {
    std::error_code failed;
    if (std::filesystem::is_regular_file(features, failed))
        return features;
    const std::filesystem::path table = features / "canonical_telemetry_full.csv";
    if (std::filesystem::exists(table, failed))
        return table;
    return make_error(ErrorKind::no_input, "no_features",
                      "there is no canonical_telemetry_full.csv in " + features.string(),
                      "amoskys etl --out " + features.string() + " makes it");
}

Result<module::FeatureTable> select_columns(const KeyedTable& table,
                                            std::span<const std::string> columns,
                                            std::size_t& dropped) {
    std::map<std::string_view, std::size_t> place;
    for (std::size_t i = 0; i < table.features.columns.size(); ++i)
        place[table.features.columns[i]] = i;
    std::vector<std::size_t> from;
    std::string missing;
    std::size_t missing_count = 0;
    for (const std::string& column : columns) {
        const auto found = place.find(column);
        if (found != place.end())
            from.push_back(found->second);
        else if (++missing_count <= 3)
            missing += (missing.empty() ? "" : ", ") + printable(column);
    }
    if (missing_count > 0)
        return make_error(ErrorKind::bad_data, "model_other_columns",
                          table.source + " lacks " + std::to_string(missing_count) + " of the " +
                              std::to_string(columns.size()) + " columns of the model: " + missing +
                              (missing_count > 3 ? ", ..." : ""),
                          "train a model on tables like this one: amoskys score train");
    dropped = table.features.columns.size() - from.size();
    module::FeatureTable out;
    out.columns.assign(columns.begin(), columns.end());
    out.series = table.features.series;
    out.values.reserve(table.features.rows() * from.size());
    for (std::size_t i = 0; i < table.features.rows(); ++i)
        for (const std::size_t column : from)
            out.values.push_back(table.features.row(i)[column]);
    return out;
}

}  // namespace amoskys::score
