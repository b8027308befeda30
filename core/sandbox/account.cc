#include "core/sandbox/account.h"

#include <charconv>

#include "core/base/file.h"
#include "core/base/text.h"

namespace amoskys::sandbox {

namespace {

constexpr std::uint64_t passwd_max_bytes = 16 << 20;

template <class Number>
bool take(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

template <class Fits>
std::optional<Account> find(std::string_view passwd, const Fits& fits) {
    for (const std::string_view line : split(passwd, '\n')) {
        const auto fields = split(line, ':');
        Account account;
        if (fields.size() < 4 || !take(fields[2], account.uid) || !take(fields[3], account.gid))
            continue;
        account.name = printable(fields[0]);
        if (fits(account))
            return account;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Account> find_account(std::string_view passwd, std::string_view name) {
    return find(passwd, [name](const Account& account) { return account.name == name; });
}

std::optional<Account> find_account(std::string_view passwd, uid_t uid) {
    return find(passwd, [uid](const Account& account) { return account.uid == uid; });
}

std::string read_passwd() {
    const Result<std::string> text = read_file("/etc/passwd", passwd_max_bytes);
    return text ? *text : std::string();
}

}  // namespace amoskys::sandbox
