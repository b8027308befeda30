// Who may ask for what: Host allow-list, origin of changes, rate per address, tokens, sessions,
// roles. Pure but for the token file, which is read by load(). Fed with the time. On the io thread
// only.
//
// Token file, a line each: NAME ROLE SHA256-OF-TOKEN (hex). Blank lines and # comments are skipped;
// at most 1,000 tokens; 0600. A token is 32 random bytes, so a plain hash of it keeps it.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/types.h"
#include "modules/tools/dash/config.h"
#include "modules/tools/dash/message.h"

namespace amoskys::modules::dash {

using Steady = std::chrono::steady_clock::time_point;

struct Token {
    std::string name;
    Role role = Role::nobody;
    Digest hash{};
};
Result<std::vector<Token>> parse_tokens(std::string_view text, std::string_view file);
Result<std::vector<Token>> load_tokens(const std::filesystem::path& file);  // no file: none
// A new token for NAME (an earlier one of the name is replaced); returns the token itself, which
// stands nowhere.
Result<std::string> add_token(const std::filesystem::path& file, const std::string& name,
                              Role role);

struct Caller {
    std::string name;
    Role role = Role::nobody;
};

class Access {
  public:
    struct Options {
        std::set<std::string> hosts;  // lower case, without port
        bool tls = false;
        bool authentication = false;          // asked for also without tokens
        Role open_role = Role::viewer;        // without authentication
        std::map<std::string, Role> clients;  // by CN
        double rate = 100;                    // requests a second of one address, burst of 5 s
        Duration session = std::chrono::hours(12);
    };
    explicit Access(Options options) : options_(std::move(options)) {}
    // Once there was a token one is asked for, also after the last was taken away.
    void set_tokens(std::vector<Token> tokens) {
        asks_ = asks_ || !tokens.empty();
        tokens_ = std::move(tokens);
    }

    // Nothing: go on. Host, rate, and for changes where they come from.
    std::optional<Response> refuse(const Request& request, Steady now);
    Caller who(const Request& request, Steady now);
    // POST /api/v1/login {"token": "..."}: 204 with a cookie, or 401.
    Response login(const Request& request, Steady now);
    Response logout(const Request& request);

  private:
    struct Bucket {
        double left = 0;
        Steady seen;
    };
    struct Session {
        Digest token{};
        Steady until;
    };
    bool take(const std::string& key, double cost, Steady now);
    const Token* by_hash(const Digest& hash) const;
    const Token* by_secret(std::string_view secret) const;
    std::string cookie_of(const Request& request) const;

    const Options options_;
    bool asks_ = options_.authentication;
    std::vector<Token> tokens_;
    std::map<std::string, Bucket> buckets_;
    std::map<Digest, Session> sessions_;  // by the hash of the cookie's value
};

}  // namespace amoskys::modules::dash
