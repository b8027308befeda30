#include "core/base/bytes.h"

#include <array>

namespace amoskys {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string to_hex(ByteView bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (std::uint8_t b : bytes) {
        out += hex_digits[b >> 4];
        out += hex_digits[b & 15U];
    }
    return out;
}

bool from_hex(std::string_view text, Bytes& out) {
    out.clear();
    if (text.size() % 2 != 0)
        return false;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return true;
}

std::string to_base64(ByteView bytes) {
    std::string out((bytes.size() + 2) / 3 * 4, '=');
    char* to = out.data();
    for (std::size_t i = 0; i < bytes.size(); i += 3, to += 4) {
        const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = (group << 8) | (k < n ? bytes[i + k] : 0U);
        for (std::size_t k = 0; k <= n; ++k)
            to[k] = base64_digits[(group >> (18 - 6 * k)) & 63U];
    }
    return out;
}

bool from_base64(std::string_view text, Bytes& out) {
    out.clear();
    if (text.size() % 4 != 0)
        return false;
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t group = 0;
        std::size_t padding = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const char c = text[i + k];
            const std::size_t value = base64_digits.find(c);
            const bool last = i + 4 == text.size();
            if (c == '=' && last && k >= 2)
                ++padding;
            else if (value == std::string_view::npos || padding > 0)
                return false;
            group = (group << 6) | (c == '=' ? 0U : static_cast<std::uint32_t>(value));
        }
        const std::uint32_t unused = padding == 1 ? 0xffU : padding == 2 ? 0xffffU : 0U;
        if ((group & unused) != 0)
            return false;  // bits that no octet holds must be zero
        for (std::size_t k = 0; k < 3 - padding; ++k)
            out.push_back(static_cast<std::uint8_t>((group >> (16 - 8 * k)) & 0xffU));
    }
    return true;
}

}  // namespace amoskys
