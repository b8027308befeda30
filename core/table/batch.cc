#include "core/table/batch.h"

#include "core/base/check.h"

namespace amoskys::table {

const char* type_name(Type type) {
    switch (type) {
        case Type::float64:
            return "float64";
        case Type::int64:
            return "int64";
        case Type::boolean:
            return "bool";
        case Type::text:
            return "string";
        case Type::timestamp:
            return "timestamp[ns, UTC]";
    }
    return "";
}

std::uint32_t Texts::code(std::string_view text) {
    if (const auto found = codes_.find(text); found != codes_.end())
        return found->second;
    const auto code = static_cast<std::uint32_t>(texts_.size());
    texts_.emplace_back(text);
    codes_.emplace(texts_.back(), code);
    bytes_ += text.size();
    return code;
}

void Texts::clear() {
    codes_.clear();
    texts_.clear();
    bytes_ = 0;
}

Batch::Batch(const Schema& schema) {
    columns_.reserve(schema.fields.size());
    for (const Field& field : schema.fields)
        switch (field.type) {
            case Type::float64:
                columns_.emplace_back(std::in_place_type<std::vector<double>>);
                break;
            case Type::int64:
            case Type::timestamp:
                columns_.emplace_back(std::in_place_type<std::vector<std::int64_t>>);
                break;
            case Type::boolean:
                columns_.emplace_back(std::in_place_type<std::vector<std::uint8_t>>);
                break;
            case Type::text:
                columns_.emplace_back(std::in_place_type<TextColumn>);
                break;
        }
}

namespace {

std::size_t length_of(const Column& column) {
    switch (column.index()) {
        case 0:
            return std::get<0>(column).size();
        case 1:
            return std::get<1>(column).size();
        case 2:
            return std::get<2>(column).size();
        default:
            return std::get<3>(column).codes.size();
    }
}

}  // namespace

std::size_t Batch::rows() const {
    const std::size_t rows = columns_.empty() ? 0 : length_of(columns_.front());
    for (const Column& column : columns_)
        check(length_of(column) == rows, "the columns of a batch have the same length");
    return rows;
}

void Batch::clear() {
    for (Column& column : columns_)
        switch (column.index()) {
            case 0:
                std::get<0>(column).clear();
                break;
            case 1:
                std::get<1>(column).clear();
                break;
            case 2:
                std::get<2>(column).clear();
                break;
            default:
                std::get<3>(column).codes.clear();
                std::get<3>(column).texts.clear();
        }
}

}  // namespace amoskys::table
