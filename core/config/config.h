// Loading the configuration: YAML file, then environment, then --set and flags, onto config structs
// through their option tables. All errors are collected and reported at once, each with
// file:line:col; an unknown key names the nearest known one.
// YAML limits: 1 MiB, depth 32, no aliases or anchors, no duplicate keys.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/config/option.h"

namespace amoskys::config {

// One config struct and its table, at a root ("bus", "agent.snmp", "log"; "" = top level).
struct Section {
    std::string_view root;
    std::span<const Option> options;
    std::shared_ptr<void> (*make)() = nullptr;  // a default-constructed config struct
};
template <class Config>
std::shared_ptr<void> make_config() {
    return std::make_shared<Config>();
}

// Where a value came from, for `config show --origin`.
struct Origin {
    std::string
        text;  // "default", "conf/amoskys.yaml:14:5", "environment AMOSKYS_BUS__LISTEN", "--set"
};

// Raw settings by full key ("agent.snmp.interval"), before typing.
struct Setting {
    std::vector<std::string> items;  // one for a scalar
    bool is_list = false;
    Origin origin;
};

class Loaded {
  public:
    // The typed config of a section; the pointer lives as long as the caller keeps it.
    std::shared_ptr<const void> section(std::string_view root) const;
    template <class Config>
    std::shared_ptr<const Config> get(std::string_view root) const {
        return std::static_pointer_cast<const Config>(section(root));
    }
    const std::string& origin(std::string_view full_key) const;  // "default" where nothing set it
    bool was_set(std::string_view full_key) const;

    std::map<std::string, std::shared_ptr<void>, std::less<>> sections;
    std::map<std::string, Setting, std::less<>> settings;
};

struct Sources {
    std::vector<std::filesystem::path> files;  // in order; must exist
    // NAME, value: AMOSKYS_* and the earlier names are looked at, CREDENTIALS_DIRECTORY is used,
    // others are ignored.
    std::vector<std::pair<std::string, std::string>> environment;
    std::vector<std::pair<std::string, std::string>> set;  // --set key=value, in order
    std::map<std::string, Setting> flags;                  // from the command line, by full key
    // Roots whose required options must be set: those of the module that is about to run.
    std::vector<std::string> required_roots = {};
    int secret_input_fd = 0;  // where a secret given as "-" is read from, once per load
};

// Fails with one Error of kind config whose message is all errors, a line each.
Result<Loaded> load(std::span<const Section> sections, const Sources& sources);

// "bus.http.listen" -> "AMOSKYS_BUS__HTTP__LISTEN".
std::string environment_name(std::string_view full_key);

// How the value of an earlier name becomes the value of our key.
enum class EarlierForm {
    same,
    boolean,           // anything but 1, true, on, yes was false
    not_boolean,       // *_DISABLE: the key says what is enabled
    loopback_port,     // "50051" -> "127.0.0.1:50051"
    further_port,      // the same, appended to a list
    seconds,           // "300", "1.0" -> "5m", "1s"
    parent_directory,  // a database file -> the folder that it stood in
    log_level,         // "INFO", "WARN" -> "info", "warning"
};

// The environment names of the earlier system and the key that each one sets. A name whose key no
// section of this binary has is ignored; so is an empty value.
struct EarlierName {
    std::string_view environment;
    std::string_view key;
    EarlierForm form = EarlierForm::same;
};
std::span<const EarlierName> earlier_names();

// The commented YAML of all defaults of a section (for conf/, `config defaults`, `config init`).
std::string defaults_yaml(std::span<const Section> sections);
// The merged configuration as YAML, with origins as comments where asked for; secrets as "***".
std::string effective_yaml(std::span<const Section> sections, const Loaded& loaded, bool origins);
// JSON Schema (draft 2020-12) of the configuration file.
std::string schema_json(std::span<const Section> sections);

}  // namespace amoskys::config
