#include <algorithm>
#include <tuple>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/config/earlier_names.h"
#include "core/config/key_table.h"
#include "core/config/secret_source.h"
#include "core/config/yaml_file.h"

namespace amoskys::config {
namespace {

constexpr std::size_t max_file_size_bytes = 1U << 20;
constexpr std::size_t max_reported = 100;

// Where a setting stood, for messages and their order.
struct Place {
    std::string where;
    std::size_t source = 0;
    int line = 0;
    int column = 0;
};

enum class Medium { file, environment, command_line };

class Loader {
  public:
    Loader(std::span<const Section> sections, const Sources& sources)
        : sections_(sections), sources_(sources), keys_(sections) {}

    Result<Loaded> run() {
        for (const Section& section : sections_) {
            check(section.make != nullptr, "a section without make");
            const bool is_new =
                loaded_.sections.emplace(std::string(section.root), section.make()).second;
            check(is_new, "two sections have one root: " + std::string(section.root));
        }
        for (const auto& file : sources_.files)
            load_file(file);
        load_environment();
        load_set();
        load_flags();
        resolve_secrets();
        check_required();
        if (!problems_.empty())
            return report();
        return std::move(loaded_);
    }

  private:
    void problem(const Place& place, std::string_view code, std::string text,
                 std::string hint = {}) {
        problems_.push_back({place.where, std::string(code), std::move(text), std::move(hint),
                             place.source, place.line, place.column});
    }

    void unknown_key(const Place& place, const std::string& key) {
        const std::string near = keys_.nearest_key(key);
        problem(place, "config_unknown_key", printable(key) + ": unknown key",
                near.empty() ? "" : "did you mean " + near + "?");
    }

    void load_file(const std::filesystem::path& path) {
        const std::size_t source = ++source_;
        const auto content = read_file(path, max_file_size_bytes);
        if (!content) {
            // The message names the file.
            problem({"", source}, content.error().code, content.error().message);
            if (content.error().kind !=
                ErrorKind::bad_data)  // too large: the configuration is wrong
                is_unreadable_ = content.error().kind;
            return;
        }
        YamlFile file = parse_yaml(*content, path.string());
        for (Problem& found : file.problems) {
            found.source = source;
            problems_.push_back(std::move(found));
        }
        std::string skipped;  // below a group that is wrong as a whole
        for (Entry& entry : file.entries) {
            if (!skipped.empty() && entry.key.starts_with(skipped))
                continue;
            skipped.clear();
            const Place place{position_text(path.string(), entry.line, entry.column), source,
                              entry.line, entry.column};
            if (!take_entry(place, entry))
                skipped = entry.key + ".";
        }
    }

    // False where what stands below the entry is not to be looked at.
    bool take_entry(const Place& place, Entry& entry) {
        const bool is_group = keys_.is_group(entry.key);
        const KnownKey* known = keys_.find(entry.key);
        if (known == nullptr && !is_group) {
            unknown_key(place, entry.key);
            return false;
        }
        if (entry.kind == EntryKind::group || entry.kind == EntryKind::null) {
            if (known != nullptr)
                problem(place, "config_bad_value",
                        entry.key + (entry.kind == EntryKind::null ? ": no value" : ": a mapping") +
                            "; allowed is " + std::string(type_text(*known->option)));
            return is_group;
        }
        if (is_group) {
            problem(place, "config_bad_value",
                    entry.key + ": a value where a mapping of keys is expected");
            return false;
        }
        take(*known, {std::move(entry.items), entry.kind == EntryKind::list, {place.where}}, place,
             Medium::file);
        return true;
    }

    void take(const KnownKey& known, Setting setting, const Place& place, Medium medium) {
        const Option& option = *known.option;
        if (option.flags.command_line_only && medium != Medium::command_line) {
            problem(place, "config_command_line_only",
                    known.key + ": can be given on the command line only");
            return;
        }
        if (setting.is_list && option.assign_list == nullptr) {
            problem(place, "config_bad_value",
                    known.key + ": a list; allowed is " + std::string(type_text(option)));
            return;
        }
        if (option.secret) {
            // Read at the end, and only the one that counts.
            secrets_[known.key] = {setting.items.empty() ? "" : setting.items[0], place};
            setting.items = {"***"};
        } else if (!assign(known, setting, place)) {
            return;
        }
        loaded_.settings[known.key] = std::move(setting);
    }

    bool assign(const KnownKey& known, const Setting& setting, const Place& place) {
        const Option& option = *known.option;
        void* config = config_of(known);
        const Result<> done =
            setting.is_list
                ? option.assign_list(option, config, setting.items)
                : option.assign(option, config, setting.items.empty() ? "" : setting.items[0]);
        if (!done)
            problem(place, done.error().code, known.key + ": " + done.error().message,
                    done.error().hint);
        return done.has_value();
    }

    void* config_of(const KnownKey& known) {
        return loaded_.sections.find(sections_[known.section].root)->second.get();
    }

    void load_environment() {
        const std::size_t source = ++source_;
        for (const EarlierName& name : earlier_names())
            for (const auto& [variable, value] : sources_.environment)
                if (variable == name.environment)
                    take_earlier(name, value, source);
        for (const auto& [variable, value] : sources_.environment) {
            if (!variable.starts_with("AMOSKYS_"))
                continue;
            const Place place{"environment " + printable(variable), source};
            if (const KnownKey* known = keys_.find_environment(variable)) {
                take(*known, {{value}, false, {place.where}}, place, Medium::environment);
                continue;
            }
            const std::string near = keys_.nearest_environment(variable);
            problem(place, "config_unknown_key", "no setting has this name",
                    near.empty() ? "" : "did you mean " + near + "?");
        }
    }

    void take_earlier(const EarlierName& name, const std::string& value, std::size_t source) {
        const KnownKey* known = keys_.find(name.key);
        if (known == nullptr || value.empty())
            return;
        const Place place{"environment " + std::string(name.environment), source};
        auto text = translate_earlier(name, value);
        if (!text) {
            problem(place, text.error().code, known->key + ": " + text.error().message,
                    text.error().hint);
            return;
        }
        Setting setting{{std::move(*text)}, false, {place.where}};
        if (name.form == EarlierForm::further_port) {
            setting.is_list = true;
            const auto before = loaded_.settings.find(known->key);
            if (before != loaded_.settings.end() &&
                before->second.origin.text.starts_with("environment "))
                setting.items.insert(setting.items.begin(), before->second.items.begin(),
                                     before->second.items.end());
        }
        take(*known, std::move(setting), place, Medium::environment);
    }

    void load_set() {
        const std::size_t source = ++source_;
        for (const auto& [key, value] : sources_.set) {
            const Place place{"--set", source};
            if (const KnownKey* known = keys_.find(key))
                take(*known, {{value}, false, {"--set"}}, place, Medium::command_line);
            else
                unknown_key(place, key);
        }
    }

    void load_flags() {
        const std::size_t source = ++source_;
        for (const auto& [key, setting] : sources_.flags) {
            const Place place{setting.origin.text, source};
            if (const KnownKey* known = keys_.find(key))
                take(*known, setting, place, Medium::command_line);
            else
                unknown_key(place, key);
        }
    }

    void resolve_secrets() {
        std::string directory;
        for (const auto& [variable, value] : sources_.environment)
            if (variable == "CREDENTIALS_DIRECTORY")
                directory = value;
        SecretSource source(sources_.secret_input_fd, std::move(directory));
        for (auto& [key, secret] : secrets_) {
            const KnownKey& known = *keys_.find(key);
            auto value = source.resolve(secret.text);
            wipe(secret.text);
            if (!value) {
                problem(secret.place, value.error().code, key + ": " + value.error().message);
                continue;
            }
            assign(known, {{*value}, false, {}}, secret.place);
            wipe(*value);
        }
    }

    void check_required() {
        const std::size_t source = ++source_;
        for (const KnownKey& known : keys_.keys()) {
            const auto root = sections_[known.section].root;
            const auto& roots = sources_.required_roots;
            if (!known.option->flags.required || loaded_.was_set(known.key) ||
                std::find(roots.begin(), roots.end(), root) == roots.end())
                continue;
            problem({"", source}, "config_required",
                    known.key + ": must be set: " + std::string(known.option->help));
        }
    }

    Error report() {
        std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) {
            return std::tie(a.source, a.line, a.column) < std::tie(b.source, b.line, b.column);
        });
        const auto line = [](const Problem& found) {
            return found.where.empty() ? found.text : found.where + ": " + found.text;
        };
        const Problem& first = problems_.front();
        const ErrorKind kind =
            problems_.size() == 1 && is_unreadable_ ? *is_unreadable_ : ErrorKind::config;
        if (problems_.size() == 1)
            return make_error(kind, first.code, line(first), first.hint);
        std::string message;
        for (std::size_t i = 0; i < std::min(problems_.size(), max_reported); ++i) {
            message += (i == 0 ? "" : "\n") + line(problems_[i]);
            if (!problems_[i].hint.empty())
                message += "; " + problems_[i].hint;
        }
        if (problems_.size() > max_reported)
            message += "\nand " + std::to_string(problems_.size() - max_reported) + " more errors";
        return make_error(kind, first.code, std::move(message));
    }

    struct PendingSecret {
        std::string text;
        Place place;
    };

    std::span<const Section> sections_;
    const Sources& sources_;
    KeyTable keys_;
    Loaded loaded_;
    std::map<std::string, PendingSecret> secrets_;
    std::vector<Problem> problems_;
    std::optional<ErrorKind> is_unreadable_;
    std::size_t source_ = 0;
};

}  // namespace

std::shared_ptr<const void> Loaded::section(std::string_view root) const {
    const auto found = sections.find(root);
    return found == sections.end() ? nullptr : found->second;
}

const std::string& Loaded::origin(std::string_view full_key) const {
    static const std::string built_in = "default";
    const auto found = settings.find(full_key);
    return found == settings.end() ? built_in : found->second.origin.text;
}

bool Loaded::was_set(std::string_view full_key) const {
    return settings.find(full_key) != settings.end();
}

Result<Loaded> load(std::span<const Section> sections, const Sources& sources) {
    return Loader(sections, sources).run();
}

}  // namespace amoskys::config
