// Users of this host, from /etc/passwd (passwd(5)): a static executable has no name service switch.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace amoskys::sandbox {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
};

// The first well-formed line with this name, or with this number.
std::optional<Account> find_account(std::string_view passwd, std::string_view name);
std::optional<Account> find_account(std::string_view passwd, uid_t uid);

std::string read_passwd();  // /etc/passwd; empty where it cannot be read

}  // namespace amoskys::sandbox
