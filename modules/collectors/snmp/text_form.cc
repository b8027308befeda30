#include "modules/collectors/snmp/text_form.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "core/base/text.h"

namespace amoskys::snmp {
namespace {

struct Piece {
    bool repeats = false;  // the first octet says how often
    std::size_t length = 0;
    char form = 0;  // d x o a t
    char separator = 0, terminator = 0;
};

// The next piece of a hint; nothing where it is malformed.
std::optional<Piece> next_piece(std::string_view& hint) {
    Piece piece;
    if (hint.starts_with('*')) {
        piece.repeats = true;
        hint.remove_prefix(1);
    }
    const auto [end, failed] =
        std::from_chars(hint.data(), hint.data() + hint.size(), piece.length);
    if (failed != std::errc() || piece.length > 65'535)
        return std::nullopt;
    hint.remove_prefix(static_cast<std::size_t>(end - hint.data()));
    if (hint.empty() || std::string_view("dxoat").find(hint[0]) == std::string_view::npos)
        return std::nullopt;
    piece.form = hint[0];
    hint.remove_prefix(1);
    const auto mark = [&hint](char& out) {
        if (hint.empty() || (hint[0] >= '0' && hint[0] <= '9') || hint[0] == '*')
            return;
        out = hint[0];
        hint.remove_prefix(1);
    };
    mark(piece.separator);
    if (piece.repeats && piece.separator != 0)
        mark(piece.terminator);
    return piece;
}

void append_number(std::string& out, std::string_view octets, char form) {
    if (form == 'x') {
        constexpr std::string_view digits = "0123456789abcdef";
        for (const char c : octets) {
            const auto octet = static_cast<unsigned char>(c);
            out += digits[octet >> 4U];
            out += digits[octet & 15U];
        }
        return;
    }
    std::uint64_t value = 0;
    for (const char c : octets)
        value = (value << 8U) | static_cast<unsigned char>(c);
    std::array<char, 24> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value, form == 'o' ? 8 : 10).ptr;
    out.append(text.data(), end);
}

std::size_t take_octet(std::string_view& octets) {
    const auto value = static_cast<unsigned char>(octets[0]);
    octets.remove_prefix(1);
    return value;
}

void apply(const Piece& piece, std::string_view& octets, std::string& out) {
    std::size_t times = piece.repeats ? take_octet(octets) : 1;
    for (; times > 0 && !octets.empty(); --times) {
        const std::string_view part = octets.substr(0, piece.length);
        octets.remove_prefix(part.size());
        if (piece.form == 'a' || piece.form == 't')
            out += to_utf8(part);
        else
            append_number(out, part, piece.form);
        if (octets.empty())
            return;
        if (piece.separator != 0 && (times > 1 || piece.terminator == 0))
            out += piece.separator;
        if (times == 1 && piece.terminator != 0)
            out += piece.terminator;
        if (piece.length == 0 && !piece.repeats)
            return;
    }
}

}  // namespace

std::string to_utf8(std::string_view raw) {
    if (valid_utf8(raw))
        return std::string(raw);
    std::string out;
    for (std::size_t at = 0; at < raw.size();) {
        std::size_t length = 1;
        while (length <= 4 && at + length <= raw.size() && !valid_utf8(raw.substr(at, length)))
            ++length;
        const bool good = length <= 4 && at + length <= raw.size();
        out += good ? raw.substr(at, length) : std::string_view("\xEF\xBF\xBD");
        at += good ? length : 1;
    }
    return out;
}

bool valid_hint(std::string_view hint) {
    if (hint.empty() || hint.size() > 255)
        return false;
    bool takes = false;
    while (!hint.empty()) {
        const auto piece = next_piece(hint);
        if (!piece)
            return false;
        takes = piece->length > 0;
    }
    return takes;  // the last piece is used again and again: it must take something
}

std::optional<std::string> by_hint(std::string_view hint, std::string_view octets) {
    if (!valid_hint(hint))
        return std::nullopt;
    std::string out;
    Piece piece;
    while (!octets.empty()) {
        if (!hint.empty())
            piece = *next_piece(hint);
        apply(piece, octets, out);
    }
    return out;
}

std::optional<std::string> date_and_time(std::string_view octets) {
    if (octets.size() != 8 && octets.size() != 11)
        return std::nullopt;
    const auto at = [octets](std::size_t i) {
        return static_cast<unsigned>(static_cast<unsigned char>(octets[i]));
    };
    const unsigned year = at(0) * 256 + at(1);
    if (at(2) < 1 || at(2) > 12 || at(3) < 1 || at(3) > 31 || at(4) > 23 || at(5) > 59 ||
        at(6) > 60 || at(7) > 9 || year == 0)
        return std::nullopt;
    std::array<char, 48> text{};
    int size = std::snprintf(text.data(), text.size(), "%04u-%02u-%02uT%02u:%02u:%02u.%u", year,
                             at(2), at(3), at(4), at(5), at(6), at(7));
    std::string out(text.data(), static_cast<std::size_t>(size));
    if (octets.size() == 8)
        return out;
    const char sign = octets[8];
    if ((sign != '+' && sign != '-') || at(9) > 14 || at(10) > 59)
        return std::nullopt;
    if (at(9) == 0 && at(10) == 0)
        return out + 'Z';
    size = std::snprintf(text.data(), text.size(), "%c%02u:%02u", sign, at(9), at(10));
    return out.append(text.data(), static_cast<std::size_t>(size));
}

}  // namespace amoskys::snmp
