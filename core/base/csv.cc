#include "core/base/csv.h"

#include <algorithm>

namespace amoskys {

Error CsvReader::fault(const CsvCell& cell, const std::string& what) const {
    return make_error(
        ErrorKind::bad_data, "csv_malformed",
        name_ + ":" + std::to_string(cell.line) + ":" + std::to_string(cell.column) + ": " + what);
}

Error CsvReader::fault_here(const std::string& what) const {
    return fault({{}, line_, at_ - line_start_ + 1}, what);
}

Result<CsvCell> CsvReader::plain_cell() {
    const std::size_t from = at_;
    at_ = std::min(text_.find_first_of(",\r\n\"", from), text_.size());
    if (at_ < text_.size() && text_[at_] == '"')
        return fault_here("a quote inside a cell that does not begin with one");
    return CsvCell{text_.substr(from, at_ - from), line_, from - line_start_ + 1};
}

Result<CsvCell> CsvReader::quoted_cell() {
    CsvCell cell{{}, line_, at_ - line_start_ + 1};
    const std::size_t from = ++at_;
    std::string unquoted;
    std::size_t piece = from;
    for (; at_ < text_.size(); ++at_) {
        if (text_[at_] == '\n') {
            ++line_;
            line_start_ = at_ + 1;
        }
        if (text_[at_] != '"')
            continue;
        if (at_ + 1 == text_.size() || text_[at_ + 1] != '"')
            break;
        unquoted += text_.substr(piece, at_ + 1 - piece);
        piece = ++at_ + 1;
    }
    if (at_ >= text_.size())
        return fault(cell, "a quote opens here and is not closed");
    if (piece == from) {
        cell.text = text_.substr(from, at_ - from);
    } else {
        unquoted += text_.substr(piece, at_ - piece);
        unquoted_.push_back(std::move(unquoted));
        cell.text = unquoted_.back();
    }
    ++at_;
    return cell;
}

Result<> CsvReader::end_of_cell(bool& end_of_record) {
    end_of_record = true;
    if (at_ == text_.size())
        return {};
    if (text_[at_] == ',') {
        ++at_;
        end_of_record = false;
        return {};
    }
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n')
        ++at_;
    if (text_[at_] != '\n')
        return fault_here(text_[at_] == '\r' ? "a carriage return without a line feed"
                                             : "text after a closing quote");
    line_start_ = ++at_;
    ++line_;
    return {};
}

Result<bool> CsvReader::next(std::vector<CsvCell>& cells) {
    cells.clear();
    unquoted_.clear();
    while (at_ < text_.size() && (text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n")) {
        at_ += text_[at_] == '\n' ? 1 : 2;
        line_start_ = at_;
        ++line_;
    }
    if (at_ == text_.size())
        return false;
    for (bool end_of_record = false; !end_of_record;) {
        const bool quoted = at_ < text_.size() && text_[at_] == '"';
        AMOSKYS_TRY(cell, quoted ? quoted_cell() : plain_cell());
        cells.push_back(cell);
        AMOSKYS_TRY_VOID(end_of_cell(end_of_record));
    }
    if (width_ == 0)
        width_ = cells.size();
    if (cells.size() != width_)
        return fault(cells.front(), "the record has " + std::to_string(cells.size()) +
                                        " cells; the header has " + std::to_string(width_));
    return true;
}

}  // namespace amoskys
