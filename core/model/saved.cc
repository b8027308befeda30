#include "core/model/saved.h"

#include <cmath>

#include "core/base/text.h"
#include "core/wire/proto_cursor.h"

namespace amoskys::model {
namespace {

using wire::FieldTag;
using wire::ProtoCursor;
using wire::WireType;

void put_text(std::string& out, std::uint32_t field, std::string_view text) {
    wire::put_tag(out, field, WireType::bytes);
    wire::put_varint(out, text.size());
    out += text;
}

template <class Number>
void put_packed(std::string& out, std::uint32_t field, const std::vector<Number>& values) {
    if (!values.empty())
        put_text(out, field,
                 {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)});
}

template <class Number>
bool read_packed(ByteView data, std::vector<Number>& out) {
    if (data.size() % sizeof(Number) != 0)
        return false;
    const std::size_t before = out.size();
    out.resize(before + data.size() / sizeof(Number));
    if (!data.empty())
        std::memcpy(out.data() + before, data.data(), data.size());
    return true;
}

bool read_varints(ByteView data, std::vector<std::uint32_t>& out) {
    ProtoCursor cursor(data);
    while (!cursor.at_end()) {
        std::uint64_t value = 0;
        if (!cursor.varint(value) || value > UINT32_MAX)
            return false;
        out.push_back(static_cast<std::uint32_t>(value));
    }
    return true;
}

}  // namespace

Error damaged(std::string_view kind, const std::string& what) {
    return make_error(ErrorKind::bad_data, "model_damaged",
                      printable(std::string(kind)) + " model: " + what,
                      "train it again: amoskys score train");
}

void Saved::put(std::string_view name, std::vector<double> values) {
    lists_.push_back({.name = std::string(name), .doubles = std::move(values)});
}
void Saved::put_floats(std::string_view name, std::vector<float> values) {
    lists_.push_back({.name = std::string(name), .floats = std::move(values)});
}
void Saved::put_whole(std::string_view name, std::vector<std::uint32_t> values) {
    lists_.push_back({.name = std::string(name), .whole = std::move(values)});
}

Result<const Saved::List*> Saved::find(std::string_view name) const {
    for (const List& list : lists_)
        if (list.name == name)
            return &list;
    return damaged(kind_, std::string(name) + " is missing");
}

Error Saved::wrong_size(std::string_view name, std::size_t size) const {
    return damaged(kind_,
                   std::string(name) + " must be a list of " + std::to_string(size) + " numbers");
}

Result<std::vector<double>> Saved::numbers(std::string_view name, std::size_t size) const {
    AMOSKYS_TRY(list, find(name));
    if (size != any_size && list->doubles.size() != size)
        return wrong_size(name, size);
    for (const double value : list->doubles)
        if (!std::isfinite(value))
            return damaged(kind_, std::string(name) + " holds something that is no number");
    return list->doubles;
}

Result<std::vector<float>> Saved::floats(std::string_view name, std::size_t size) const {
    AMOSKYS_TRY(list, find(name));
    if (size != any_size && list->floats.size() != size)
        return wrong_size(name, size);
    for (const float value : list->floats)
        if (!std::isfinite(value))
            return damaged(kind_, std::string(name) + " holds something that is no number");
    return list->floats;
}

Result<std::vector<std::uint32_t>> Saved::whole(std::string_view name, std::size_t size) const {
    AMOSKYS_TRY(list, find(name));
    if (size != any_size && list->whole.size() != size)
        return wrong_size(name, size);
    return list->whole;
}

Result<double> Saved::number(std::string_view name, double least, double most) const {
    AMOSKYS_TRY(values, numbers(name, 1));
    if (!(values[0] >= least && values[0] <= most))
        return damaged(kind_, std::string(name) + " is out of range");
    return values[0];
}

Result<std::size_t> Saved::count(std::string_view name, std::size_t least, std::size_t most) const {
    AMOSKYS_TRY(values, whole(name, 1));
    if (values[0] < least || values[0] > most)
        return damaged(kind_, std::string(name) + " must be a whole number from " +
                                  std::to_string(least) + " to " + std::to_string(most));
    return std::size_t{values[0]};
}

Result<> Saved::check_format(std::uint32_t newest) const {
    if (format_ < 1 || format_ > newest)
        return damaged(kind_, "format " + std::to_string(format_) +
                                  " is not known; this version reads up to format " +
                                  std::to_string(newest));
    return {};
}

std::string Saved::encode() const {
    std::string out;
    put_text(out, 1, kind_);
    wire::put_tag(out, 2, WireType::varint);
    wire::put_varint(out, format_);
    for (const List& list : lists_) {
        std::string body, packed;
        put_text(body, 1, list.name);
        put_packed(body, 2, list.doubles);
        put_packed(body, 3, list.floats);
        for (const std::uint32_t value : list.whole)
            wire::put_varint(packed, value);
        if (!packed.empty())
            put_text(body, 4, packed);
        put_text(out, 3, body);
    }
    return out;
}

Result<Saved> Saved::decode(ByteView data) {
    Saved out;
    const auto read_list = [](ByteView body, List& list) {
        ProtoCursor cursor(body);
        FieldTag tag;
        ByteView part;
        while (!cursor.at_end()) {
            if (!cursor.tag(tag))
                return false;
            if (tag.type != WireType::bytes || tag.number > 4) {
                if (!cursor.skip(tag.type))
                    return false;
                continue;
            }
            if (!cursor.bytes(part))
                return false;
            const bool good = tag.number == 1   ? (list.name = as_text(part), true)
                              : tag.number == 2 ? read_packed(part, list.doubles)
                              : tag.number == 3 ? read_packed(part, list.floats)
                                                : read_varints(part, list.whole);
            if (!good)
                return false;
        }
        return true;
    };
    ProtoCursor cursor(data);
    FieldTag tag;
    ByteView part;
    std::uint64_t number = 0;
    while (!cursor.at_end()) {
        bool good = cursor.tag(tag);
        if (good && tag.type == WireType::bytes && (tag.number == 1 || tag.number == 3)) {
            good = cursor.bytes(part);
            if (good && tag.number == 1)
                out.kind_ = as_text(part);
            else if (good)
                good = read_list(part, out.lists_.emplace_back());
        } else if (good && tag.type == WireType::varint && tag.number == 2) {
            good = cursor.varint(number);
            out.format_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(number, UINT32_MAX));
        } else if (good) {
            good = cursor.skip(tag.type);
        }
        if (!good)
            return damaged(out.kind_, "it is cut off or no protobuf");
    }
    return out;
}

}  // namespace amoskys::model
