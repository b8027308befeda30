#include "core/base/types.h"

#include <algorithm>

namespace amoskys {

namespace {

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

bool valid_agent_id(std::string_view text) {
    const auto allowed = [](char c) {
        return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
    };
    // A leading dot or dash would make a hidden file or an option of it.
    return !text.empty() && text.size() <= 64 && text[0] != '.' && text[0] != '-' &&
           std::all_of(text.begin(), text.end(), allowed);
}

bool valid_lane(std::string_view text) {
    const auto allowed = [](char c) { return is_lower_or_digit(c) || c == '_' || c == '-'; };
    return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace amoskys
