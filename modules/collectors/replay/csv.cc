// CSV as RFC 4180 has it: commas, CR LF or LF, quotes doubled inside quotes; wide or long by its
// header.
#include <algorithm>
#include <set>

#include "core/base/text.h"
#include "modules/collectors/replay/decoder.h"

namespace amoskys::replay {
namespace {

enum class Role : std::uint8_t {
    device,
    time,
    time_ns,
    metric,
    value,
    unit,
    type,
    index,
    ignored,
    wide
};

struct Header {
    std::string name;
    Role role;
};

constexpr std::string_view long_columns[] = {"device", "time", "metric", "value",
                                             "unit",   "type", "index"};
// Further columns of `inspect events -o csv`.
constexpr std::string_view event_columns[] = {"schema", "source",   "severity", "labels", "raw",
                                              "offset", "received", "kind",     "what"};

template <class Range>
bool contains(const Range& range, std::string_view name) {
    return std::find(std::begin(range), std::end(range), name) != std::end(range);
}

class CsvDecoder final : public RecordDecoder {
  public:
    Result<> decode(std::string_view record, const Place& place, Row& row) override {
        if (record.empty())
            return {};
        AMOSKYS_TRY_VOID(split_cells(record, place));
        if (header_.empty())
            return read_header(place);
        if (cells_.size() != header_.size())
            return bad_row(place, record.size() + 1,
                           std::to_string(cells_.size()) + " cells where the header has " +
                               std::to_string(header_.size()));
        return long_form_ ? read_long(place, row) : read_wide(place, row);
    }
    Result<> finish(const Place& place) override {
        if (header_.empty())
            return bad_row(place, 1, "the file is empty; a header line is needed");
        return {};
    }
    bool quotes() const override { return true; }

  private:
    struct Cell {
        std::string_view text;
        std::size_t column = 1;
    };

    Result<> split_cells(std::string_view record, const Place& place) {
        cells_.clear();
        unquoted_used_ = 0;
        if (record.find('"') == std::string_view::npos) {
            for (std::size_t at = 0;;) {
                const auto end = std::min(record.find(',', at), record.size());
                cells_.push_back({record.substr(at, end - at), at + 1});
                if (end == record.size())
                    return {};
                at = end + 1;
            }
        }
        for (std::size_t at = 0;;) {
            AMOSKYS_TRY(end, take_cell(record, at, place));
            if (end == record.size())
                return {};
            if (record[end] != ',')
                return bad_row(place, end + 1,
                               "text after a closing quote; a comma or the end of line is needed");
            at = end + 1;
        }
    }

    // Appends the cell that starts at `at`; gives the position behind it.
    Result<std::size_t> take_cell(std::string_view record, std::size_t at, const Place& place) {
        if (at == record.size() || record[at] != '"') {
            const auto end = std::min(record.find(',', at), record.size());
            const auto text = record.substr(at, end - at);
            if (const auto quote = text.find('"'); quote != std::string_view::npos)
                return bad_row(place, at + quote + 1,
                               "a quote inside a cell that does not start with one");
            cells_.push_back({text, at + 1});
            return end;
        }
        std::size_t from = at + 1, close = record.find('"', from);
        if (close != std::string_view::npos && !record.substr(close).starts_with("\"\"")) {
            cells_.push_back({record.substr(from, close - from), at + 1});
            return close + 1;
        }
        std::string text;
        for (; close != std::string_view::npos; close = record.find('"', from)) {
            text += record.substr(from, close - from);
            if (!record.substr(close).starts_with("\"\"")) {
                cells_.push_back({keep(std::move(text)), at + 1});
                return close + 1;
            }
            text += '"';
            from = close + 2;
        }
        return bad_row(place, at + 1, "a quote that opens here is not closed");
    }

    std::string_view keep(std::string text) {
        if (unquoted_used_ == unquoted_.size())
            unquoted_.push_back(std::make_unique<std::string>());
        auto& slot = *unquoted_[unquoted_used_++];
        slot = std::move(text);
        return slot;
    }

    Result<> read_header(const Place& place);
    Result<> assign_role(const Place& place, const Cell& cell);
    Result<> read_wide(const Place& place, Row& row);
    Result<> read_long(const Place& place, Row& row);

    std::vector<Header> header_;
    bool long_form_ = false;
    std::size_t device_ = 0, time_ = 0, kind_ = SIZE_MAX;
    std::vector<Cell> cells_;
    std::vector<std::unique_ptr<std::string>> unquoted_;  // cells that held doubled quotes
    std::size_t unquoted_used_ = 0;
};

Result<> CsvDecoder::assign_role(const Place& place, const Cell& cell) {
    const auto name = cell.text;
    const std::size_t at = header_.size();
    bool nanoseconds = false;
    Role role = Role::wide;
    if (is_device_column(name)) {
        role = Role::device;
        device_ = at;
    } else if (is_time_column(name, nanoseconds)) {
        role = nanoseconds ? Role::time_ns : Role::time;
        time_ = at;
    } else if (long_form_) {
        constexpr std::pair<std::string_view, Role> roles[] = {{"metric", Role::metric},
                                                               {"value", Role::value},
                                                               {"unit", Role::unit},
                                                               {"type", Role::type},
                                                               {"index", Role::index}};
        const auto found = std::find_if(std::begin(roles), std::end(roles),
                                        [name](const auto& r) { return r.first == name; });
        if (found != std::end(roles)) {
            role = found->second;
        } else if (contains(event_columns, name)) {
            role = Role::ignored;
            if (name == "kind")
                kind_ = at;
        } else {
            const auto near = nearest(name, long_columns);
            return bad_row(place, cell.column,
                           "column \"" + std::string(name) +
                               "\" is not one of device, time, metric, value, unit, type, index" +
                               (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
        }
    }
    header_.push_back({std::string(name), role});
    return {};
}

Result<> CsvDecoder::read_header(const Place& place) {
    if (cells_.size() > max_columns)
        return bad_row(place, 1,
                       std::to_string(cells_.size()) + " columns; the limit is " +
                           std::to_string(max_columns));
    std::set<std::string_view> names;
    for (const auto& cell : cells_) {
        AMOSKYS_TRY_VOID(check_name(place, cell.column, "the name of a column", cell.text));
        if (!names.insert(cell.text).second)
            return bad_row(place, cell.column,
                           "column \"" + std::string(cell.text) + "\" stands twice");
    }
    long_form_ = names.count("metric") != 0 && names.count("value") != 0;
    for (const auto& cell : cells_)
        AMOSKYS_TRY_VOID(assign_role(place, cell));
    const auto count = [this](auto wanted) {
        return std::count_if(header_.begin(), header_.end(), wanted);
    };
    const auto devices = count([](const Header& h) { return h.role == Role::device; });
    const auto times =
        count([](const Header& h) { return h.role == Role::time || h.role == Role::time_ns; });
    if (devices != 1)
        return bad_row(
            place, 1,
            "the header needs one column device_id (or device); it has " + std::to_string(devices));
    if (times != 1)
        return bad_row(
            place, 1,
            "the header needs one column ts_ns (or time, timestamp, timestamp_ns); it has " +
                std::to_string(times));
    if (header_.size() == 2)
        return bad_row(place, 1, "the header names no metric");
    return {};
}

Result<> CsvDecoder::read_wide(const Place& place, Row& row) {
    const auto& device = cells_[device_];
    const auto& time = cells_[time_];
    AMOSKYS_TRY_VOID(check_name(place, device.column, "the device", device.text));
    AMOSKYS_TRY(time_ns, read_time(place, time.column, time.text,
                                   header_[time_].role == Role::time_ns, time_unit));
    row.device = device.text;
    row.time_ns = time_ns;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (header_[i].role != Role::wide || cells_[i].text.empty())
            continue;
        Value value;
        value.metric = header_[i].name;
        AMOSKYS_TRY_VOID(read_number(place, cells_[i].column, cells_[i].text, value));
        row.values.push_back(std::move(value));
    }
    return {};
}

Result<> CsvDecoder::read_long(const Place& place, Row& row) {
    if (kind_ != SIZE_MAX && cells_[kind_].text != "metric") {
        ++skipped;
        return {};
    }
    AMOSKYS_TRY_VOID(check_name(place, cells_[device_].column, "the device", cells_[device_].text));
    AMOSKYS_TRY(time_ns, read_time(place, cells_[time_].column, cells_[time_].text,
                                   header_[time_].role == Role::time_ns, time_unit));
    row.device = cells_[device_].text;
    row.time_ns = time_ns;
    Value value;
    const Cell* cell_of_value = nullptr;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        const auto& cell = cells_[i];
        switch (header_[i].role) {
            case Role::metric:
                AMOSKYS_TRY_VOID(check_name(place, cell.column, "the metric", cell.text));
                value.metric = cell.text;
                break;
            case Role::value:
                cell_of_value = &cell;
                break;
            case Role::unit:
            case Role::index:
                if (!cell.text.empty())
                    AMOSKYS_TRY_VOID(check_name(place, cell.column, header_[i].name, cell.text));
                (header_[i].role == Role::unit ? value.unit : value.index) = cell.text;
                break;
            case Role::type:
                AMOSKYS_TRY_VOID(read_type(place, cell.column, cell.text, value));
                break;
            default:
                break;
        }
    }
    if (cell_of_value->text.empty() && value.type != "TEXT")
        return {};  // missing
    if (value.type == "TEXT")
        AMOSKYS_TRY_VOID(read_text(place, cell_of_value->column, cell_of_value->text, value));
    else if (auto number = read_number(place, cell_of_value->column, cell_of_value->text, value);
             !number) {
        // Our own table of events does not mark texts.
        if (kind_ == SIZE_MAX || value.type != "GAUGE")
            return number.error();
        AMOSKYS_TRY_VOID(read_text(place, cell_of_value->column, cell_of_value->text, value));
    }
    row.values.push_back(std::move(value));
    return {};
}

}  // namespace

std::unique_ptr<RecordDecoder> make_csv_decoder() {
    return std::make_unique<CsvDecoder>();
}

}  // namespace amoskys::replay
