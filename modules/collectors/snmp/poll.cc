#include "modules/collectors/snmp/poll.h"

#include <algorithm>

namespace amoskys::snmp {

namespace {
// What a cell costs in memory, roughly.
std::size_t cell_bytes(const Varbind& varbind) {
    const auto* text = std::get_if<std::string>(&varbind.value.data);
    return sizeof(Varbind) + varbind.oid.size() * sizeof(std::uint32_t) + (text ? text->size() : 0);
}
}  // namespace

std::string_view fault_name(Fault fault) {
    switch (fault) {
        case Fault::not_increasing:
            return "not_increasing";
        case Fault::too_many_rows:
            return "too_many_rows";
        case Fault::error_status:
            return "error_status";
        case Fault::timeout:
            return "timeout";
        case Fault::malformed:
            return "malformed";
    }
    return "malformed";
}

DevicePoll::DevicePoll(std::shared_ptr<const Profile> profile, Version version,
                       const PollLimits& limits, PollMemory memory)
    : profile_(std::move(profile)),
      version_(version),
      limits_(limits),
      memory_(std::move(memory)),
      max_columns_(limits.max_varbinds) {
    result_.scalars.resize(profile_->scalars.size());
    for (const Table& table : profile_->tables)
        result_.tables.emplace_back(table.columns.size());
    memory_.rows.resize(profile_->tables.size());
    if (memory_.repetitions == 0)
        memory_.repetitions = std::min(limits_.first_repetitions, limits_.max_repetitions);
    memory_.repetitions = std::min(memory_.repetitions, limits_.max_repetitions);
    for (std::size_t first = 0; first < profile_->scalars.size(); first += limits_.max_scalars) {
        auto& group = scalar_groups_.emplace_back();
        for (std::size_t i = first;
             i < std::min(first + limits_.max_scalars, profile_->scalars.size()); ++i)
            group.push_back(i);
    }
    std::ranges::reverse(scalar_groups_);
}

std::optional<Request> DevicePoll::next_request() {
    if (over_)
        return std::nullopt;
    auto request = scalar_groups_.empty() ? table_request() : scalar_request();
    if (request &&
        (result_.requests >= limits_.max_requests || result_.bytes > limits_.max_bytes)) {
        result_.cut_short = over_ = true;
        return std::nullopt;
    }
    if (request)
        ++result_.requests;
    else
        over_ = true;
    return request;
}

void DevicePoll::on_response(Response response) {
    timeouts_in_a_row_ = 0;
    result_.answered = true;
    ++result_.responses;
    if (response.status == ErrorStatus::none)
        result_.varbinds += response.varbinds.size();
    if (!scalar_groups_.empty())
        scalar_response(response);
    else
        table_response(response);
}

void DevicePoll::on_timeout() {
    // A device that never answered is dead for this cycle: asking for less would only cost more
    // time.
    if (!result_.answered || ++timeouts_in_a_row_ >= limits_.max_timeouts) {
        result_.cut_short = over_ = true;
        return;
    }
    if (!scalar_groups_.empty())
        scalar_trouble(Fault::timeout, 0);
    else
        table_trouble(Fault::timeout, ErrorStatus::none, 0);
}

void DevicePoll::on_send_failure() {
    result_.cut_short = over_ = true;
}

void DevicePoll::note(Fault fault, const Metric& metric) {
    result_.faults.push_back({fault, metric.name});
}

// ---- scalars

std::optional<Request> DevicePoll::scalar_request() const {
    Request request;
    for (const std::size_t i : scalar_groups_.back())
        request.oids.push_back(profile_->scalars[i].oid);
    return request;
}

void DevicePoll::scalar_response(const Response& response) {
    if (response.status == ErrorStatus::too_big)
        return scalar_trouble(Fault::error_status, 0);
    if (response.status != ErrorStatus::none)
        return scalar_trouble(Fault::error_status, response.error_index);
    store_scalars(response.varbinds);
    scalar_groups_.pop_back();
}

// Drops the scalar that the device named, or asks in two halves where it named none.
void DevicePoll::scalar_trouble(Fault fault, std::size_t error_index) {
    std::vector<std::size_t>& group = scalar_groups_.back();
    if (error_index == 0 && group.size() > 1) {
        const auto middle = group.begin() + static_cast<std::ptrdiff_t>(group.size() / 2);
        std::vector<std::size_t> first(group.begin(), middle);
        group.erase(group.begin(), middle);
        scalar_groups_.push_back(std::move(first));
        return;
    }
    const std::size_t at = error_index == 0 ? 0 : std::min(error_index, group.size()) - 1;
    // SNMPv1 says "no such name" for what is not there: that is missing, not a fault.
    if (version_ != Version::v1 || fault == Fault::timeout)
        note(fault, profile_->scalars[group[at]]);
    group.erase(group.begin() + static_cast<std::ptrdiff_t>(at));
    if (group.empty())
        scalar_groups_.pop_back();
}

void DevicePoll::store_scalars(const std::vector<Varbind>& varbinds) {
    // By name, not by place: a device that answers in another order, or something else, misleads
    // nobody.
    for (const std::size_t i : scalar_groups_.back()) {
        const Metric& metric = profile_->scalars[i];
        const auto found = std::ranges::find(varbinds, metric.oid, &Varbind::oid);
        if (found == varbinds.end())
            note(Fault::malformed, metric);
        else
            result_.scalars[i] = found->value;
    }
}

// ---- tables

std::size_t DevicePoll::rows_wanted() const {
    std::size_t read = 0;
    for (const Cursor& cursor : cursors_)
        read = std::max(read, result_.tables[table_][cursor.column].size());
    const std::optional<std::size_t>& expected = memory_.rows[table_];
    // One more than there were shows the end of the table in the same answer.
    return expected && *expected >= read ? *expected - read + 1 : limits_.max_repetitions;
}

void DevicePoll::start_group() {
    while (table_ < profile_->tables.size()) {
        const std::size_t left = profile_->tables[table_].columns.size() - next_column_;
        if (left == 0) {
            ++table_;
            next_column_ = 0;
            continue;
        }
        const std::size_t rows = std::clamp<std::size_t>(rows_wanted(), 1, 10);
        const std::size_t most =
            std::clamp<std::size_t>(limits_.max_varbinds / rows, 1, std::min(left, max_columns_));
        const std::size_t groups = (left + most - 1) / most;
        const std::size_t take = (left + groups - 1) / groups;
        for (std::size_t i = 0; i < take; ++i) {
            const std::size_t column = next_column_++;
            cursors_.push_back({column, profile_->tables[table_].columns[column].oid, false});
        }
        return;
    }
}

void DevicePoll::finish_group() {
    std::optional<std::size_t>& rows = memory_.rows[table_];
    for (const Cursor& cursor : cursors_) {
        const std::size_t now = result_.tables[table_][cursor.column].size();
        rows = cursor.column == 0 ? now : std::max(rows.value_or(0), now);
    }
    cursors_.clear();
}

std::optional<Request> DevicePoll::table_request() {
    if (!cursors_.empty() && std::ranges::all_of(cursors_, &Cursor::done))
        finish_group();
    if (cursors_.empty())
        start_group();
    if (cursors_.empty())
        return std::nullopt;
    Request request;
    asked_.clear();
    for (std::size_t i = 0; i < cursors_.size() && asked_.size() < max_columns_; ++i) {
        if (cursors_[i].done)
            continue;
        asked_.push_back(i);
        request.oids.push_back(cursors_[i].last);
    }
    if (version_ == Version::v1) {
        request.operation = Operation::get_next;
        asked_repetitions_ = 1;
        return request;
    }
    const std::size_t fit = std::max<std::size_t>(limits_.max_varbinds / asked_.size(), 1);
    const std::size_t rows = std::min({fit, rows_wanted(), std::size_t{memory_.repetitions}});
    request.operation = Operation::get_bulk;
    request.repetitions = asked_repetitions_ =
        static_cast<std::uint32_t>(std::max<std::size_t>(rows, 1));
    return request;
}

void DevicePoll::end_column(Cursor& cursor, std::optional<Fault> fault) {
    cursor.done = true;
    if (fault)
        note(*fault, profile_->tables[table_].columns[cursor.column]);
}

// False where the column ended with this varbind.
bool DevicePoll::take_cell(Cursor& cursor, Varbind& varbind) {
    const Oid& root = profile_->tables[table_].columns[cursor.column].oid;
    Rows& rows = result_.tables[table_][cursor.column];
    const bool inside = varbind.value.type < Type::no_such_object &&
                        starts_with(varbind.oid, root) && varbind.oid.size() > root.size();
    if (!inside) {
        // Before the column, or at it: a device that goes back.
        const bool back = varbind.value.type < Type::no_such_object && varbind.oid <= cursor.last;
        end_column(cursor, back ? std::optional(Fault::not_increasing) : std::nullopt);
        return false;
    }
    if (varbind.oid <= cursor.last) {
        end_column(cursor, Fault::not_increasing);
        return false;
    }
    const std::size_t own = profile_->tables[table_].max_rows;
    if (rows.size() >= (own != 0 ? std::min(own, limits_.max_rows) : limits_.max_rows)) {
        end_column(cursor, own != 0 ? std::nullopt : std::optional(Fault::too_many_rows));
        return false;
    }
    result_.bytes += cell_bytes(varbind);
    rows.emplace_back(
        Oid(varbind.oid.begin() + static_cast<std::ptrdiff_t>(root.size()), varbind.oid.end()),
        std::move(varbind.value));
    cursor.last = std::move(varbind.oid);
    return true;
}

void DevicePoll::table_response(Response& response) {
    if (response.status != ErrorStatus::none)
        return table_trouble(Fault::error_status, response.status, response.error_index);
    // The agent may answer fewer rows than asked for, and may cut the last one: no more than that
    // is taken from the number of varbinds. More than asked for is not looked at.
    const std::size_t usable =
        std::min(response.varbinds.size(), asked_.size() * std::size_t{asked_repetitions_});
    if (usable == 0)
        return table_trouble(Fault::malformed, ErrorStatus::too_big, 0);
    for (std::size_t i = 0; i < usable; ++i) {
        Cursor& cursor = cursors_[asked_[i % asked_.size()]];
        if (!cursor.done)
            take_cell(cursor, response.varbinds[i]);
    }
    // What went well is asked for in larger pieces; after trouble it begins small again.
    if (memory_.repetitions < limits_.max_repetitions && asked_repetitions_ == memory_.repetitions)
        ++memory_.repetitions;
}

// Every path makes the next request smaller or ends a column, so that trouble cannot go on for
// ever.
void DevicePoll::table_trouble(Fault fault, ErrorStatus status, std::size_t error_index) {
    if (asked_.size() == 1 && fault == Fault::error_status)
        error_index = 1;  // whatever it named
    const bool names_one = error_index != 0 && error_index <= asked_.size();
    if (version_ == Version::v1 && status == ErrorStatus::no_such_name && names_one)
        return end_column(cursors_[asked_[error_index - 1]],
                          std::nullopt);  // RFC 1157: the end of the MIB
    if (status != ErrorStatus::too_big && fault == Fault::error_status && names_one)
        return end_column(cursors_[asked_[error_index - 1]], fault);
    if (asked_repetitions_ > 1) {
        memory_.repetitions = asked_repetitions_ / 2;
        return;
    }
    if (asked_.size() > 1) {
        max_columns_ = asked_.size() / 2;
        return;
    }
    end_column(cursors_[asked_.front()], fault);
}

}  // namespace amoskys::snmp
