#include "core/json/json.h"

namespace amoskys::json {
namespace {

constexpr std::size_t max_depth = 64;
constexpr std::size_t max_size_bytes = 256U << 20;

Error bad_json(std::string_view what, std::size_t offset_bytes, std::string_view reason) {
    return make_error(ErrorKind::bad_data, "json_invalid",
                      std::string(what) + ": not valid JSON at byte " +
                          std::to_string(offset_bytes) + ": " + std::string(reason));
}

// Where nesting first passes max_depth, or npos. Looked for before parsing, because the parsed
// value's destructor would recurse as deep as the text says. Brackets inside strings do not count.
std::size_t too_deep_at(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > max_depth)
                return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return std::string_view::npos;
}

// nlohmann: "[json.exception.parse_error.101] parse error at line 1, column 2: REASON".
std::string reason_of(const Json::parse_error& error) {
    const std::string text = error.what();
    const auto colon = text.find(": ");
    return colon == std::string::npos ? text : text.substr(colon + 2);
}

}  // namespace

Result<Json> parse(std::string_view text, std::string_view what) {
    if (text.size() > max_size_bytes)
        return make_error(ErrorKind::bad_data, "json_too_large",
                          std::string(what) + ": " + std::to_string(text.size()) +
                              " bytes of JSON; allowed are " + std::to_string(max_size_bytes));
    if (const auto offset = too_deep_at(text); offset != std::string_view::npos)
        return bad_json(what, offset,
                        "nested deeper than " + std::to_string(max_depth) + " levels");
    try {
        return Result<Json>(boost::system::in_place_value, Json::parse(text.begin(), text.end()));
    } catch (const Json::parse_error& error) {
        return bad_json(what, error.byte, reason_of(error));
    } catch (const Json::out_of_range& error) {
        return bad_json(what, 0, error.what());  // a number outside of double
    }
}

std::string dump(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dump_pretty(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace amoskys::json
