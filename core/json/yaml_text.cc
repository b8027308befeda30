#include "core/json/yaml_text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace amoskys::json {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Words that YAML 1.1 or 1.2 readers take for booleans or null.
bool reserved(std::string_view text) {
    constexpr std::array<std::string_view, 9> words{"true", "false", "yes", "no", "on",
                                                    "off",  "null",  "y",   "n"};
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::find(words.begin(), words.end(), lower) != words.end();
}

bool plain(std::string_view text) {
    if (text.empty() || !(is_letter(text[0]) || text[0] == '/' || text[0] == '_'))
        return false;
    const bool simple = std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) ||
               std::string_view("_./+-@%").find(c) != std::string_view::npos;
    });
    return simple && !reserved(text);
}

std::string double_quoted(std::string_view text) {
    // A JSON string is a YAML double-quoted scalar, dump() having escaped what YAML calls line
    // breaks or not printable, but for the byte order mark.
    constexpr std::string_view mark = "\xef\xbb\xbf";
    std::string out = dump(Json(std::string(text)));
    for (auto at = out.find(mark); at != std::string::npos; at = out.find(mark, at))
        out.replace(at, mark.size(), "\\uFEFF");
    return out;
}

std::string scalar(const Json& value) {
    if (value.is_string())
        return yaml_scalar(value.get_ref<const std::string&>());
    if (value.is_number_float() && !std::isfinite(value.get<double>())) {
        const double number = value.get<double>();
        return std::isnan(number) ? ".nan" : number > 0 ? ".inf" : "-.inf";
    }
    return dump(value);  // null, true, false, numbers, [] and {}
}

void append(std::string& out, const Json& value, unsigned indent);

void append_object(std::string& out, const Json& value, unsigned indent) {
    bool first = true;
    for (const auto& [key, child] : value.items()) {
        if (!first)
            out.append(indent, ' ');
        first = false;
        out += yaml_scalar(key) + ":";
        if (child.is_structured() && !child.empty()) {
            out += "\n";
            out.append(indent + 2, ' ');
            append(out, child, indent + 2);
        } else {
            out += " " + scalar(child) + "\n";
        }
    }
}

void append(std::string& out, const Json& value, unsigned indent) {
    if (!value.is_structured() || value.empty()) {
        out += scalar(value) + "\n";
        return;
    }
    if (value.is_object()) {
        append_object(out, value, indent);
        return;
    }
    bool first = true;
    for (const auto& child : value) {
        if (!first)
            out.append(indent, ' ');
        first = false;
        out += "- ";
        append(out, child, indent + 2);
    }
}

}  // namespace

std::string yaml_scalar(std::string_view text) {
    return plain(text) ? std::string(text) : double_quoted(text);
}

std::string to_yaml(const Json& value, unsigned indent) {
    std::string out;
    append(out, value, indent);
    return out;
}

}  // namespace amoskys::json
