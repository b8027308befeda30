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

// JSON lets these stand in a string as they are, but terminals obey them (DEL and C1, U+0080 to
// U+009F) and line readers break at them (U+2028, U+2029). They occur in strings only.
std::string escape_controls(std::string text) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto escape = [&](std::string& out, unsigned code) {
        out += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4)
            out += digits[(code >> static_cast<unsigned>(shift)) & 15U];
    };
    std::string out;
    std::size_t kept = 0;  // what stands before it is in `out`
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto at = [&](std::size_t k) {
            return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U;
        };
        unsigned code = 0;
        std::size_t length = 0;
        if (at(0) == 0x7f) {
            code = 0x7f;
            length = 1;
        } else if (at(0) == 0xc2 && at(1) >= 0x80 && at(1) <= 0x9f) {
            code = at(1);
            length = 2;
        } else if (at(0) == 0xe2 && at(1) == 0x80 && (at(2) == 0xa8 || at(2) == 0xa9)) {
            code = 0x2000 + (at(2) & 0x3fU);
            length = 3;
        } else {
            continue;
        }
        out.append(text, kept, i - kept);
        escape(out, code);
        kept = i + length;
        i = kept - 1;
    }
    if (kept == 0)
        return text;
    return out.append(text, kept);
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
    return escape_controls(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string dump_pretty(const Json& value) {
    return escape_controls(value.dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace amoskys::json
