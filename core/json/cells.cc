#include "core/json/cells.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "core/base/text.h"

namespace amoskys::json {
namespace {

void put_path(Json& out, std::string_view path, const Json& value, const Json& source) {
    const auto dot = path.find('.');
    if (dot == std::string_view::npos || source.contains(std::string(path))) {
        out[std::string(path)] = value;
        return;
    }
    const std::string head(path.substr(0, dot));
    put_path(out[head], path.substr(dot + 1), value, source.at(head));
}

// For people: whole numbers in full, others with six significant digits. Machine formats keep all
// digits.
std::string table_number(double value) {
    std::array<char, 32> out{};
    const bool whole = std::floor(value) == value && std::fabs(value) < 1e15;
    const int size = std::snprintf(out.data(), out.size(), whole ? "%.0f" : "%.6g", value);
    return std::string(out.data(), static_cast<std::size_t>(size));
}

}  // namespace

std::string schema_name(std::string_view noun) {
    return "amoskys." + std::string(noun) + "/1";
}

const Json* find_path(const Json& object, std::string_view path) {
    if (!object.is_object())
        return nullptr;
    if (const auto found = object.find(std::string(path)); found != object.end())
        return &*found;
    const auto dot = path.find('.');
    if (dot == std::string_view::npos)
        return nullptr;
    const auto head = object.find(std::string(path.substr(0, dot)));
    return head == object.end() ? nullptr : find_path(*head, path.substr(dot + 1));
}

std::string table_cell(const Json& value) {
    if (value.is_null())
        return "-";
    if (value.is_string())
        return printable(value.get_ref<const std::string&>());
    if (value.is_number_float())
        return table_number(value.get<double>());
    if (!value.is_structured())
        return dump(value);
    std::string out;
    for (const auto& [key, child] : value.items()) {
        if (!out.empty())
            out += value.is_object() ? " " : ",";
        if (value.is_object())
            out += printable(key) + "=";
        out += child.is_structured() ? printable(dump(child)) : table_cell(child);
    }
    return out.empty() ? "-" : out;
}

std::string csv_field(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos)
        return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"')
            out += '"';
        out += c;
    }
    return out + "\"";
}

std::string csv_cell(const Json& value) {
    if (value.is_null())
        return "";
    if (!value.is_string())
        return csv_field(dump(value));
    const auto& text = value.get_ref<const std::string&>();
    return csv_field(valid_utf8(text) ? text : printable(text));
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    for (const char c : text)
        if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U)
            ++width;
    return width;
}

Error unknown_field(std::string_view wrong, std::span<const std::string_view> known) {
    std::string allowed;
    for (const auto name : known)
        allowed += (allowed.empty() ? "" : ", ") + std::string(name);
    const auto near = nearest(wrong, known);
    return make_error(ErrorKind::usage, "output_unknown_field",
                      "--fields: '" + printable(wrong) + "' is not a field; there are " + allowed,
                      near.empty() ? "" : "did you mean " + std::string(near) + "?");
}

Json pick_fields(const Json& object, std::span<const std::string> fields) {
    if (fields.empty())
        return object;
    Json out = Json::object();
    for (const auto& field : fields)
        if (const Json* value = find_path(object, field))
            put_path(out, field, *value, object);
    return out;
}

Result<Json> choose_fields(const Json& object, std::span<const std::string> fields) {
    for (const auto& field : fields) {
        if (find_path(object, field) != nullptr)
            continue;
        std::vector<std::string> names;
        for (const auto& [key, value] : object.items())
            names.push_back(key);
        const std::vector<std::string_view> known(names.begin(), names.end());
        return unknown_field(field, known);
    }
    return {boost::system::in_place_value, pick_fields(object, fields)};
}

}  // namespace amoskys::json
