#include "modules/collectors/proc/decode.h"

#include <algorithm>
#include <charconv>

#include "core/base/text.h"

namespace amoskys::proc {
namespace {

void skip_spaces(std::string_view& text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
}

bool ends_word(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

std::string_view take_word(std::string_view& text) {
    skip_spaces(text);
    std::size_t end = 0;
    while (end < text.size() && !ends_word(text[end]))
        ++end;
    const auto word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

template <class T>
bool number(std::string_view word, T& out) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
    return error == std::errc() && end == word.data() + word.size();
}

// A word that is a number of 64 bits, signed or not. In one pass over almost all.
bool take_field(std::string_view& text, std::int64_t& out) {
    skip_spaces(text);
    const char* const all = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), all, out);
    if (error == std::errc() && (end == all || ends_word(*end))) {
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        return true;
    }
    std::uint64_t large = 0;
    if (!number(take_word(text), large))
        return false;
    out = static_cast<std::int64_t>(large);
    return true;
}

bool plain_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

constexpr std::size_t title_padding = 16;  // so many NULs at the end are padding

// The longest start of printable text with at most max bytes that cuts no UTF-8 sequence in two.
std::string_view cut(std::string_view text, std::size_t max) {
    if (text.size() <= max)
        return text;
    const std::size_t lowest = max < 3 ? 0 : max - 3;
    std::size_t end = max;
    while (end > lowest && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    return text.substr(0, end);
}

}  // namespace

std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

bool take_number(std::string_view& text, std::uint64_t& out) {
    skip_spaces(text);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc())
        return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

std::optional<Stat> parse_stat(std::string_view text) {
    Stat stat;
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open ||
        open == 0)
        return std::nullopt;
    if (!number(text.substr(0, open - 1), stat.pid) || text[open - 1] != ' ')
        return std::nullopt;
    stat.name = text.substr(open + 1, close - open - 1);
    text.remove_prefix(close + 1);
    const auto state = take_word(text);
    if (state.size() != 1)
        return std::nullopt;
    stat.state = state.front();
    std::int64_t fields[21] = {};  // stat fields 4..24
    for (std::int64_t& one : fields)
        if (!take_field(text, one))
            return std::nullopt;
    const auto field = [&fields](int number_in_stat) { return fields[number_in_stat - 4]; };
    stat.ppid = static_cast<std::uint32_t>(field(4));
    stat.pgid = static_cast<std::uint32_t>(field(5));
    stat.sid = static_cast<std::uint32_t>(field(6));
    stat.tty = static_cast<std::uint32_t>(field(7));
    stat.flags = static_cast<std::uint32_t>(field(9));
    stat.cpu_ticks = static_cast<std::uint64_t>(field(14)) + static_cast<std::uint64_t>(field(15));
    stat.nice = static_cast<std::int32_t>(field(19));
    stat.threads = static_cast<std::uint32_t>(field(20));
    stat.start_ticks = static_cast<std::uint64_t>(field(22));
    stat.vms_bytes = static_cast<std::uint64_t>(field(23));
    stat.rss_pages = static_cast<std::uint64_t>(std::max<std::int64_t>(0, field(24)));
    for (int number_in_stat = 25; number_in_stat <= 48; ++number_in_stat) {
        const auto word = take_word(text);
        std::uint64_t address = 0;
        if ((number_in_stat == 28 || number_in_stat == 48) && number(word, address))
            stat.image = (stat.image + address) * 0x9e3779b97f4a7c15U;  // start_stack, arg_start
    }
    return stat;
}

std::string tty_name(std::uint32_t device) {
    if (device == 0)
        return "";
    const unsigned major = (device >> 8) & 0xfffU;
    const unsigned minor = (device & 0xffU) | ((device >> 12) & 0xfff00U);
    if (major >= 136 && major <= 143)
        return "pts/" + std::to_string((major - 136) * 256 + minor);
    if (major == 4)
        return minor < 64 ? "tty" + std::to_string(minor) : "ttyS" + std::to_string(minor - 64);
    if (major == 5 && minor == 1)
        return "console";
    return std::to_string(major) + ":" + std::to_string(minor);
}

bool append_safe_text(std::string_view text, std::size_t max_bytes, std::string& out) {
    const auto head = text.substr(0, max_bytes + 4);  // what is behind cannot fit anyway
    if (plain_ascii(head)) {
        out.append(head.substr(0, max_bytes));
        return text.size() <= max_bytes;
    }
    // Cutting the raw text may split a character; only the whole text is judged where it fits.
    const std::string safe =
        printable(head.size() < text.size() ? cut(text, head.size() - 4) : text);
    const auto part = cut(safe, max_bytes);
    out.append(part);
    return part.size() == safe.size() && text.size() <= max_bytes;
}

void parse_cmdline(std::string_view text, Arguments& out) {
    out.args.clear();
    out.joined.clear();
    out.truncated = false;
    if (text.empty())
        return;
    // A title written over the arguments is padded with NULs; an empty last argument is one NUL
    // more.
    const auto last = text.find_last_not_of('\0');
    const std::size_t nuls = text.size() - (last == std::string_view::npos ? 0 : last + 1);
    text.remove_suffix(nuls >= title_padding ? nuls : std::min<std::size_t>(nuls, 1));
    if (text.empty() && nuls >= title_padding)
        return;
    std::size_t left = max_args_bytes;
    while (true) {
        const auto end = text.find('\0');
        if (out.args.size() == max_args || left == 0) {
            out.truncated = true;
            return;
        }
        auto& arg = out.args.emplace_back();
        const bool whole = append_safe_text(text.substr(0, end), left, arg);
        if (out.args.size() > 1)
            out.joined += ' ';
        out.joined += arg;
        left -= std::min(left, arg.size() + 1);
        if (!whole) {
            out.truncated = true;
            return;
        }
        if (end == std::string_view::npos)
            return;
        text.remove_prefix(end + 1);
    }
}

}  // namespace amoskys::proc
