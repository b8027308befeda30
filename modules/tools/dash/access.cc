#include "modules/tools/dash/access.h"

#include <algorithm>
#include <array>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/crypto/hash.h"
#include "core/crypto/key_file.h"

namespace amoskys::modules::dash {
namespace {

constexpr std::size_t tokens_max = 1000, token_file_max = 256 * 1024;
constexpr std::size_t buckets_max = 10'000, sessions_max = 10'000;
constexpr double burst_seconds = 5;
constexpr double login_cost_seconds = 1;  // of the address's whole rate
constexpr std::string_view cookie_name = "__Host-amoskys";
constexpr std::string_view bearer = "Bearer ";

std::string random_text() {
    std::array<std::uint8_t, 32> bytes;
    crypto::random_bytes(bytes);
    return to_hex(bytes);
}

std::string token_line(const Token& token) {
    return token.name + " " + std::string(role_name(token.role)) + " " + to_hex(token.hash) + "\n";
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

// "name:port", "[::1]:port" without the port.
std::string host_name(std::string_view host) {
    const std::size_t end = host.starts_with('[') ? host.find(']') + 1 : host.find(':');
    return lower(host.substr(0, end));
}

bool changes(const Request& request) {
    return request.method != "GET" && request.method != "HEAD";
}

}  // namespace

// ---- settings ---------------------------------------------------------------------------------

Result<> check_client(std::string_view text) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string_view::npos || equals == 0)
        return make_error(ErrorKind::config, "bad_client",
                          "'" + printable(text) + "' is not NAME=ROLE");
    AMOSKYS_TRY_VOID(parse_role(text.substr(equals + 1)));
    return {};
}

Result<> check_open_role(std::string_view text) {
    AMOSKYS_TRY_VOID(parse_role(text));
    return {};
}

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<> check_exposure(const DashConfig& config, std::string_view host, bool has_tokens) {
    if (is_loopback(host))
        return {};
    const std::string where = "dash.listen: " + config.listen + " is not a loopback address: ";
    if (!config.tls)
        return make_error(ErrorKind::config, "dash_needs_tls",
                          where + "dash.tls must be true so that nobody reads along",
                          "or keep dash.listen at 127.0.0.1 and reach it through ssh -L");
    const bool has_clients = !config.client_ca.empty() && !config.clients.empty();
    if (!has_tokens && !has_clients)
        return make_error(ErrorKind::config, "dash_needs_authentication",
                          where +
                              "there is no token, and dash.client_ca with dash.clients is not "
                              "set: nobody could be told from anybody",
                          "`amoskys dash token NAME --role viewer` makes a token");
    return {};
}

// ---- tokens -----------------------------------------------------------------------------------

Result<std::vector<Token>> parse_tokens(std::string_view text, std::string_view file) {
    std::vector<Token> out;
    std::size_t number = 0;
    for (const std::string_view raw : split(text, '\n')) {
        ++number;
        const std::string_view line = trim(raw);
        if (line.empty() || line.starts_with('#'))
            continue;
        const auto words = split(line, ' ');
        Token token;
        Bytes hash;
        const bool shaped = words.size() == 3 && valid_agent_id(words[0]) &&
                            from_hex(words[2], hash) && hash.size() == token.hash.size();
        const auto role = shaped ? parse_role(words[1]) : Result<Role>(Role::nobody);
        if (!shaped || !role || out.size() == tokens_max)
            return make_error(ErrorKind::config, "token_file_invalid",
                              std::string(file) + ":" + std::to_string(number) +
                                  ": not NAME ROLE HASH (roles: viewer, analyst, admin; at most "
                                  "1,000 lines)",
                              "`amoskys dash token NAME` writes such lines");
        token.name = words[0];
        token.role = *role;
        std::ranges::copy(hash, token.hash.begin());
        out.push_back(std::move(token));
    }
    return out;
}

Result<std::vector<Token>> load_tokens(const std::filesystem::path& file) {
    std::error_code ec;
    if (!std::filesystem::exists(file, ec))
        return std::vector<Token>();
    AMOSKYS_TRY_VOID(crypto::require_private(file));
    AMOSKYS_TRY(text, read_file(file, token_file_max));
    return parse_tokens(text, file.string());
}

Result<std::string> add_token(const std::filesystem::path& file, const std::string& name,
                              Role role) {
    if (!valid_agent_id(name))
        return make_error(ErrorKind::usage, "bad_token_name",
                          "'" + printable(name) + "': 1 to 64 characters of [A-Za-z0-9._-]");
    AMOSKYS_TRY(tokens, load_tokens(file));
    std::erase_if(tokens, [&](const Token& token) { return token.name == name; });
    if (tokens.size() >= tokens_max)
        return make_error(ErrorKind::usage, "too_many_tokens",
                          file.string() + " has 1,000 tokens already");
    std::string secret = random_text();
    tokens.push_back({name, role, crypto::sha256(as_bytes(secret))});
    std::string text = "# tokens of `amoskys dash`: name, role, SHA-256 of the token\n";
    for (const Token& token : tokens)
        text += token_line(token);
    AMOSKYS_TRY_VOID(make_directories(file.parent_path(), 0700));
    AMOSKYS_TRY_VOID(write_file_atomic(file, text, 0600));
    return secret;
}

// ---- requests ---------------------------------------------------------------------------------

const Token* Access::by_secret(std::string_view secret) const {
    return by_hash(crypto::sha256(as_bytes(secret)));
}

const Token* Access::by_hash(const Digest& hash) const {
    const Token* found = nullptr;
    for (const Token& token : tokens_)  // all of them, whichever it is
        if (crypto::equal(token.hash, hash))
            found = &token;
    return found;
}

std::string Access::cookie_of(const Request& request) const {
    for (const std::string_view raw : split(request.cookie, ';')) {
        const std::string_view part = trim(raw);
        if (part.starts_with(cookie_name) && part.substr(cookie_name.size()).starts_with('='))
            return std::string(part.substr(cookie_name.size() + 1));
    }
    return {};
}

bool Access::take(const std::string& key, double cost, Steady now) {
    if (buckets_.size() >= buckets_max)
        std::erase_if(buckets_, [&](const auto& each) {
            return now - each.second.seen > std::chrono::seconds(60);
        });
    const double full = options_.rate * burst_seconds;
    const auto [at, made] = buckets_.try_emplace(key, Bucket{full, now});
    Bucket& bucket = at->second;
    const double passed = std::chrono::duration<double>(now - bucket.seen).count();
    bucket.left = std::min(full, bucket.left + passed * options_.rate);
    bucket.seen = now;
    if (bucket.left < cost || buckets_.size() > buckets_max)
        return false;
    bucket.left -= cost;
    return true;
}

std::optional<Response> Access::refuse(const Request& request, Steady now) {
    if (!take(request.peer, 1, now)) {
        Response out = problem(429, "rate_limited", "too many requests from this address",
                               "dash.rate_limit says how many a second are answered");
        out.headers.emplace_back("Retry-After", "1");
        return out;
    }
    const std::string host = host_name(request.host);
    if (!options_.hosts.contains(host))
        return problem(421, "unknown_host",
                       "the Host '" + printable(host) + "' is not one of this server",
                       "dash.hosts names further ones");
    if (!changes(request))
        return std::nullopt;
    // A change comes from our own page (same origin) or from no browser at all.
    const std::string own = (options_.tls ? "https://" : "http://") + lower(request.host);
    const bool foreign = (!request.fetch_site.empty() && request.fetch_site != "same-origin") ||
                         (!request.origin.empty() && lower(request.origin) != own);
    if (foreign)
        return problem(403, "foreign_origin", "a change asked for by another site's page");
    const std::string_view type = split(request.content_type, ';').front();
    if (trim(type) != "application/json")
        return problem(415, "json_only", "changes are sent as application/json");
    return std::nullopt;
}

Caller Access::who(const Request& request, Steady now) {
    if (!asks_)
        return {"local", options_.open_role};
    if (const auto at = options_.clients.find(request.client_cn);
        !request.client_cn.empty() && at != options_.clients.end())
        return {at->first, at->second};
    if (request.authorization.starts_with(bearer)) {
        const Token* token =
            by_secret(std::string_view(request.authorization).substr(bearer.size()));
        return token == nullptr ? Caller() : Caller{token->name, token->role};
    }
    const std::string cookie = cookie_of(request);
    if (cookie.empty())
        return {};
    const auto at = sessions_.find(crypto::sha256(as_bytes(cookie)));
    if (at == sessions_.end() || at->second.until < now)
        return {};
    // A token that was taken away ends its sessions.
    const Token* token = by_hash(at->second.token);
    return token == nullptr ? Caller() : Caller{token->name, token->role};
}

Response Access::login(const Request& request, Steady now) {
    if (!take(request.peer, options_.rate * login_cost_seconds, now))
        return problem(429, "rate_limited", "too many attempts from this address");
    const auto body = json::parse(request.body, "body");
    const bool shaped =
        body && body->is_object() && body->contains("token") && body->at("token").is_string();
    if (!shaped)
        return problem(400, "bad_login", "the body is to be {\"token\": \"...\"}");
    const Token* token = by_secret(body->at("token").get<std::string>());
    if (token == nullptr)
        return problem(401, "unknown_token", "this token is not known");
    if (sessions_.size() >= sessions_max)
        std::erase_if(sessions_, [&](const auto& each) { return each.second.until < now; });
    if (sessions_.size() >= sessions_max)
        return problem(503, "too_many_sessions", "10,000 sessions are open");
    const std::string value = random_text();
    sessions_[crypto::sha256(as_bytes(value))] = {token->hash, now + options_.session};
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(options_.session).count();
    return {204,
            "",
            "",
            {{"Set-Cookie",
              std::string(cookie_name) + "=" + value +
                  "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(age)}}};
}

Response Access::logout(const Request& request) {
    sessions_.erase(crypto::sha256(as_bytes(cookie_of(request))));
    return {204,
            "",
            "",
            {{"Set-Cookie", std::string(cookie_name) +
                                "=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"}}};
}

}  // namespace amoskys::modules::dash
