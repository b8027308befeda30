#include "modules/collectors/snmp/target_list.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/config/secret_source.h"

namespace amoskys::snmp {
namespace {

constexpr std::size_t max_problems = 20;

// What holds for one target, before it is checked as a whole. Secrets are resolved.
struct Fields {
    std::string target, version, community, user, auth_protocol, auth_password, priv_protocol,
        priv_password, context, profile;
    std::string interval, timeout, retries;
};

constexpr std::pair<std::string_view, std::string Fields::*> field_table[] = {
    {"target", &Fields::target},
    {"version", &Fields::version},
    {"community", &Fields::community},
    {"user", &Fields::user},
    {"auth_protocol", &Fields::auth_protocol},
    {"auth_password", &Fields::auth_password},
    {"priv_protocol", &Fields::priv_protocol},
    {"priv_password", &Fields::priv_password},
    {"context", &Fields::context},
    {"profile", &Fields::profile},
    {"interval", &Fields::interval},
    {"timeout", &Fields::timeout},
    {"retries", &Fields::retries},
};

bool is_secret(std::string_view field) {
    return field == "community" || field.ends_with("_password");
}

class List {
  public:
    explicit List(const SnmpConfig& config)
        : config_(config),
          options_{.target = {},
                   .version = config.version,
                   .community = config.community.value,
                   .user = config.user,
                   .auth_protocol = config.auth_protocol,
                   .auth_password = config.auth_password.value,
                   .priv_protocol = config.priv_protocol,
                   .priv_password = config.priv_password.value,
                   .context = config.context,
                   .profile = config.profile,
                   .interval = format_duration(config.interval),
                   .timeout = format_duration(config.timeout),
                   .retries = std::to_string(config.retries)} {
        const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
        secrets_ = std::make_unique<config::SecretSource>(-1, folder ? folder : "");
    }
    Result<std::vector<TargetSettings>> all();
    Result<std::shared_ptr<const Credentials>> of_options() {
        Fields fields = options_;
        fields.version = fields.user.empty() ? "2c" : "3";
        AMOSKYS_TRY(made, credentials(fields));
        auto both = std::make_shared<Credentials>(*made);
        both->community.value = options_.community;
        return std::shared_ptr<const Credentials>(std::move(both));
    }

  private:
    Result<> add(const Fields& fields);
    Result<> overlay(Fields& fields, const TargetRow& row, std::string_view skipped);
    Result<std::shared_ptr<const Credentials>> credentials(const Fields& fields);
    Result<> make_user(const Fields& fields, User& user);
    Result<Key> key(crypto::HashName hash, const std::string& password, std::string_view what);
    Result<> add_file();
    void problem(const std::string& place, const Error& error);

    const SnmpConfig& config_;
    const Fields options_;
    std::unique_ptr<config::SecretSource> secrets_;
    std::vector<TargetSettings> out_;
    std::set<std::string> ids_;
    std::map<std::string, std::string> resolved_;  // secrets as written -> as they are
    std::map<std::pair<crypto::HashName, std::string>, Key> keys_;
    std::map<std::vector<std::string>, std::shared_ptr<const Credentials>> known_;
    std::string problems_;
    std::size_t problem_count_ = 0;
    std::string first_code_, first_hint_;
};

Error bad(std::string_view field, const std::string& value, const std::string& what) {
    return make_error(ErrorKind::config, "snmp_target_invalid",
                      std::string(field) + ": " + printable(value) + ": " + what);
}

Result<Duration> duration(std::string_view field, const std::string& text, Duration low,
                          Duration high) {
    auto parsed = parse_duration(text);
    if (!parsed)
        return bad(field, text, "not a duration, as 30s");
    if (*parsed < low || *parsed > high)
        return bad(field, text,
                   "allowed are " + format_duration(low) + " to " + format_duration(high));
    return *parsed;
}

Result<Key> List::key(crypto::HashName hash, const std::string& password, std::string_view what) {
    // RFC 3414 section 11.2: passwords have 8 characters at least.
    if (password.size() < 8)
        return make_error(ErrorKind::config, "snmp_password_short",
                          std::string(what) + ": a password of SNMPv3 has 8 characters or more");
    const auto [at, fresh] = keys_.try_emplace({hash, password});
    if (fresh)
        at->second = Key(crypto::password_key(hash, as_bytes(password)));
    return at->second;
}

Result<> List::make_user(const Fields& fields, User& user) {
    user.name = fields.user;
    if (user.name.empty() || user.name.size() > 32)
        return bad("user", fields.user, "version 3 wants a user name of 1 to 32 characters");
    const auto auth = parse_auth(fields.auth_protocol);
    const auto priv = parse_priv(fields.priv_protocol);
    if (!auth)
        return bad("auth_protocol", fields.auth_protocol, "allowed are " + std::string(auth_names));
    if (!priv)
        return bad("priv_protocol", fields.priv_protocol, "allowed are " + std::string(priv_names));
    // A password alone means the protocol that every agent has.
    user.auth = fields.auth_password.empty() ? Auth::none
                : *auth == Auth::none        ? Auth::sha1
                                             : *auth;
    user.priv = fields.priv_password.empty() ? Priv::none
                : *priv == Priv::none        ? Priv::aes128
                                             : *priv;
    if (user.auth == Auth::none && *auth != Auth::none)
        return bad("auth_protocol", fields.auth_protocol, "auth_password is missing");
    if (user.priv == Priv::none && *priv != Priv::none)
        return bad("priv_protocol", fields.priv_protocol, "priv_password is missing");
    if (user.priv != Priv::none && user.auth == Auth::none)
        return bad("priv_protocol", fields.priv_protocol,
                   "encryption needs authentication: auth_password is missing");
    if (user.auth == Auth::none)
        return {};
    const crypto::HashName hash = hash_of(user.auth);
    AMOSKYS_TRY(auth_key, key(hash, fields.auth_password, "auth_password"));
    user.auth_key = std::move(auth_key);
    if (user.priv != Priv::none) {
        AMOSKYS_TRY(priv_key, key(hash, fields.priv_password, "priv_password"));
        user.priv_key = std::move(priv_key);
    }
    return {};
}

Result<std::shared_ptr<const Credentials>> List::credentials(const Fields& fields) {
    auto& known =
        known_[{fields.version, fields.community, fields.user, fields.auth_protocol,
                fields.auth_password, fields.priv_protocol, fields.priv_password, fields.context}];
    if (known)
        return known;
    auto made = std::make_shared<Credentials>();
    made->context = fields.context;
    if (fields.version == "3") {
        made->version = Version::v3;
        AMOSKYS_TRY_VOID(make_user(fields, made->user));
    } else if (fields.version == "1" || fields.version == "2c" || fields.version == "2") {
        made->version = fields.version == "1" ? Version::v1 : Version::v2c;
        made->community.value = fields.community;
    } else {
        return bad("version", fields.version, "allowed are 1, 2c, 3");
    }
    known = std::move(made);
    return known;
}

Result<> List::overlay(Fields& fields, const TargetRow& row, std::string_view skipped) {
    for (const auto& [name, value] : row.fields) {
        if (name == skipped || value.empty())
            continue;
        const auto field =
            std::ranges::find(field_table, name, [](const auto& f) { return f.first; });
        if (field == std::end(field_table))
            return bad(name, value, "unknown field");
        if (!is_secret(name)) {
            fields.*field->second = value;
            continue;
        }
        auto known = resolved_.find(value);
        if (known == resolved_.end()) {
            AMOSKYS_TRY(secret, secrets_->resolve(value));
            known = resolved_.emplace(value, std::move(secret)).first;
        }
        fields.*field->second = known->second;
    }
    return {};
}

Result<> List::add(const Fields& fields) {
    if (out_.size() == max_targets)
        return bad("target", fields.target, "more than " + std::to_string(max_targets));
    TargetSettings one;
    AMOSKYS_TRY(target, parse_target(fields.target));
    one.target = std::move(target);
    if (!ids_.insert(one.target.device_id).second)
        return make_error(ErrorKind::config, "snmp_target_twice",
                          printable(fields.target) + ": device id " + one.target.device_id +
                              " is taken by an earlier target",
                          "give it a name of its own: NAME=" + printable(one.target.text));
    AMOSKYS_TRY(credentials_of, credentials(fields));
    one.credentials = std::move(credentials_of);
    one.profile = fields.profile;
    AMOSKYS_TRY(interval, duration("interval", fields.interval, std::chrono::seconds(1),
                                   std::chrono::hours(24)));
    AMOSKYS_TRY(timeout, duration("timeout", fields.timeout, std::chrono::milliseconds(50),
                                  std::chrono::minutes(1)));
    one.interval = interval;
    one.timeout = timeout;
    const char* const end = fields.retries.data() + fields.retries.size();
    const auto [at, failed] = std::from_chars(fields.retries.data(), end, one.retries);
    if (failed != std::errc() || at != end || one.retries > 10)
        return bad("retries", fields.retries, "allowed are 0 to 10");
    out_.push_back(std::move(one));
    return {};
}

void List::problem(const std::string& place, const Error& error) {
    if (++problem_count_ == 1) {
        first_code_ = error.code;
        first_hint_ = error.hint;
    }
    if (problem_count_ <= max_problems)
        problems_ += (problems_.empty() ? "" : "\n") + place + ": " + error.message;
}

Result<> List::add_file() {
    AMOSKYS_TRY(text, read_file(config_.targets_file, max_target_file_bytes));
    AMOSKYS_TRY(file, parse_target_file(text, config_.targets_file));
    std::map<std::string, const TargetRow*, std::less<>> named;
    const auto value_of = [](const TargetRow& row, std::string_view name) {
        const auto found =
            std::ranges::find(row.fields, name, [](const auto& f) { return f.first; });
        return found == row.fields.end() ? std::string() : found->second;
    };
    for (const TargetRow& row : file.credentials)
        if (const std::string name = value_of(row, "name");
            name.empty() || !named.emplace(name, &row).second)
            problem(row.place, bad("name", name, "every credential has a name of its own"));
    for (const TargetRow& row : file.targets) {
        Fields fields = options_;
        Result<> done;
        if (const std::string name = value_of(row, "credentials"); !name.empty()) {
            const auto found = named.find(name);
            if (found == named.end())
                done = bad("credentials", name, "no such credentials in this file");
            else
                done = overlay(fields, *found->second, "name");
        }
        if (done)
            done = overlay(fields, row, "credentials");
        if (done)
            done = add(fields);
        if (!done)
            problem(row.place, done.error());
    }
    return {};
}

Result<std::vector<TargetSettings>> List::all() {
    for (const std::string& text : config_.target) {
        Fields fields = options_;
        fields.target = text;
        if (auto added = add(fields); !added) {
            Error error = added.error();
            if (!error.message.starts_with("agent.snmp"))
                error.message = "agent.snmp." + error.message;
            return error;
        }
    }
    if (!config_.targets_file.empty())
        AMOSKYS_TRY_VOID(add_file());
    for (auto& [written, secret] : resolved_)
        config::wipe(secret);
    if (problem_count_ > max_problems)
        problems_ += "\nand " + std::to_string(problem_count_ - max_problems) + " more";
    if (problem_count_ > 0)
        return make_error(ErrorKind::config, first_code_, problems_, first_hint_);
    return std::move(out_);
}

}  // namespace

Result<std::shared_ptr<const Credentials>> option_credentials(const SnmpConfig& config) {
    return List(config).of_options();
}

Result<std::vector<TargetSettings>> list_targets(const SnmpConfig& config) {
    return List(config).all();
}

}  // namespace amoskys::snmp
