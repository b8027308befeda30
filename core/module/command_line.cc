#include "core/module/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>

#include "core/base/text.h"

namespace amoskys::module {

namespace {

namespace po = boost::program_options;
using config::Option;
using config::Type;

std::string full_key(const OptionGroup& group, const Option& option) {
    return group.root.empty() ? std::string(option.name)
                              : std::string(group.root) + "." + std::string(option.name);
}

Error usage(std::string message, std::string hint = {}) {
    return make_error(ErrorKind::usage, "usage", std::move(message), std::move(hint));
}

std::string flag_name(const Option& option) {
    std::string name(option.name);
    std::replace(name.begin(), name.end(), '.', '-');
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

struct Known {
    const OptionGroup* group = nullptr;
    const Option* option = nullptr;
};

// All flags of the groups; the first of two equal names wins (a verb's own before a general one).
std::map<std::string, Known> known_flags(std::span<const OptionGroup> groups) {
    std::map<std::string, Known> known;
    for (const OptionGroup& group : groups)
        for (const Option& option : group.options)
            known.emplace(flag_name(option), Known{&group, &option});
    return known;
}

Error unknown_flag(const std::string& token, const std::map<std::string, Known>& known) {
    std::vector<std::string> names;
    for (const auto& [name, entry] : known)
        names.push_back("--" + name);
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string_view near = nearest(token, views);
    return usage("unknown option " + printable(token),
                 near.empty() ? "see --help" : "did you mean " + std::string(near) + "?");
}

po::options_description describe(const std::map<std::string, Known>& known) {
    po::options_description description;
    for (const auto& [name, entry] : known) {
        std::string spec = name;
        if (entry.option->flags.short_flag != 0)
            spec += std::string(",") + entry.option->flags.short_flag;
        auto* value = po::value<std::vector<std::string>>();
        if (entry.option->type == Type::boolean)
            value->implicit_value({"true"}, "true")->zero_tokens();
        description.add_options()(spec.c_str(), value);
    }
    return description;
}

Result<po::parsed_options> tokenize(std::span<const std::string> arguments,
                                    const std::map<std::string, Known>& known) {
    const po::options_description description = describe(known);
    try {
        namespace style = po::command_line_style;
        return po::command_line_parser(std::vector<std::string>(arguments.begin(), arguments.end()))
            .options(description)
            .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next |
                   style::allow_short | style::allow_dash_for_short | style::short_allow_adjacent |
                   style::short_allow_next)
            .run();
    } catch (const po::unknown_option& e) {
        return unknown_flag(e.get_option_name(), known);
    } catch (const po::error& e) {
        return usage(e.what());
    }
}

void add_value(Settings& settings, const Known& entry, const std::string& value) {
    config::Setting& setting = settings[full_key(*entry.group, *entry.option)];
    const bool list = entry.option->type == Type::text_list;
    if (!list)
        setting.items.clear();  // the last one counts
    const config::Flags& flags = entry.option->flags;
    if (list && !flags.repeat && !flags.positional)
        for (std::string_view item : split(value, ','))
            setting.items.emplace_back(trim(item));
    else
        setting.items.push_back(value);
    setting.is_list = list;
    setting.origin.text = flag_of(*entry.option);
}

// Positional arguments go to the positional options in table order; a list takes all that are left.
Result<> place_positional(const std::vector<std::string>& values,
                          std::span<const OptionGroup> groups, Settings& settings) {
    std::vector<Known> places;
    for (const OptionGroup& group : groups)
        for (const Option& option : group.options)
            if (option.flags.positional)
                places.push_back({&group, &option});
    std::size_t place = 0;
    for (const std::string& value : values) {
        if (place >= places.size())
            return usage("unexpected argument '" + printable(value) + "'", "see --help");
        add_value(settings, places[place], value);
        if (places[place].option->type != Type::text_list)
            ++place;
    }
    return {};
}

Result<> refuse_both(std::span<const OptionGroup> groups, const Settings& settings) {
    for (const OptionGroup& group : groups)
        for (const Option& option : group.options)
            for (const Option& other : group.options)
                if (other.name == option.flags.instead_of &&
                    settings.contains(full_key(group, option)) &&
                    settings.contains(full_key(group, other)))
                    return usage(
                        flag_of(option) + " and " + flag_of(other) + ": one of the two, not both",
                        flag_of(option) + ": " + std::string(option.help));
    return {};
}

// As a user writes it: --limit; a positional argument by its name in the usage line.
std::string shown_name(const Option& option) {
    return option.flags.positional ? std::string(option.name) : flag_of(option);
}

std::string describe_bounds(const Option& option) {
    const bool min = std::isfinite(option.bounds.min);
    const bool max = std::isfinite(option.bounds.max);
    const auto number = [](double v) {
        std::string text = std::to_string(v);
        text.erase(text.find_last_not_of('0') + 1);
        if (text.back() == '.')
            text.pop_back();
        return text;
    };
    if (min && max)
        return number(option.bounds.min) + ".." + number(option.bounds.max);
    if (min)
        return "at least " + number(option.bounds.min);
    return max ? "at most " + number(option.bounds.max) : "";
}

std::string type_word(const Option& option) {
    if (!option.flags.choices.empty())
        return std::string(option.flags.choices);
    switch (option.type) {
        case Type::boolean:
            return "";
        case Type::integer:
        case Type::number:
            return "N";
        case Type::duration:
            return "DURATION";
        case Type::size:
            return "SIZE";
        case Type::text:
            return option.secret ? "@FILE" : "TEXT";
        case Type::text_list:
            return option.flags.repeat ? "TEXT" : "A,B";
    }
    return "";
}

void wrap(std::string& out, std::string_view text, std::size_t indent, std::size_t column) {
    for (std::string_view word : split(text, ' ')) {
        if (column + word.size() + 1 > 100) {
            out += "\n" + std::string(indent, ' ');
            column = indent;
        } else if (column > indent) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
    }
    out += '\n';
}

std::string option_notes(const Option& option, const void* defaults) {
    std::string notes;
    const auto add = [&notes](const std::string& note) {
        notes += notes.empty() ? note : "; " + note;
    };
    if (option.flags.required)
        add("required");
    const std::string bounds = describe_bounds(option);
    if (!bounds.empty())
        add(bounds + (option.unit.empty() ? "" : " " + std::string(option.unit)));
    else if (!option.unit.empty())
        add("in " + std::string(option.unit));
    if (defaults != nullptr && option.type != Type::boolean) {
        const std::string value = option.show(defaults);
        if (!value.empty() && value != "\"\"" && value != "[]")
            add("default " + value);
    }
    return notes.empty() ? "" : " (" + notes + ")";
}

}  // namespace

std::string flag_of(const Option& option) {
    return "--" + flag_name(option);
}

Result<Settings> parse_arguments(std::span<const std::string> arguments,
                                 std::span<const OptionGroup> groups) {
    const std::map<std::string, Known> known = known_flags(groups);
    AMOSKYS_TRY(parsed, tokenize(arguments, known));
    Settings settings;
    std::vector<std::string> positional;
    for (const auto& token : parsed.options) {
        if (token.position_key >= 0 || token.string_key.empty()) {
            positional.insert(positional.end(), token.value.begin(), token.value.end());
            continue;
        }
        const auto entry = known.find(token.string_key);
        if (entry == known.end())
            return unknown_flag(token.string_key, known);
        add_value(settings, entry->second, token.value.empty() ? "true" : token.value.front());
    }
    AMOSKYS_TRY_VOID(place_positional(positional, groups, settings));
    AMOSKYS_TRY_VOID(refuse_both(groups, settings));
    return settings;
}

Result<> apply_settings(const OptionGroup& group, const Settings& settings, void* config) {
    for (const Option& option : group.options) {
        const auto found = settings.find(full_key(group, option));
        if (found == settings.end()) {
            if (option.flags.required)
                return usage("missing " + shown_name(option),
                             std::string(option.help) + "; see --help");
            continue;
        }
        Result<> assigned = option.assign_list != nullptr
                                ? option.assign_list(option, config, found->second.items)
                                : option.assign(option, config, found->second.items.back());
        if (!assigned) {
            Error error = assigned.error();
            error.kind = ErrorKind::usage;
            error.message = shown_name(option) + ": " + error.message;
            return error;
        }
    }
    return {};
}

std::string help_options(std::span<const OptionGroup> groups) {
    std::string out;
    for (const OptionGroup& group : groups) {
        if (group.options.empty())
            continue;
        out += "\n" + std::string(group.title) + ":\n";
        const std::shared_ptr<void> defaults =
            group.make_config != nullptr ? group.make_config() : nullptr;
        for (const Option& option : group.options) {
            std::string line = "  ";
            if (option.flags.positional)
                line += std::string(option.name) + " ";
            else if (option.flags.short_flag != 0)
                line += std::string("-") + option.flags.short_flag + ", " + flag_of(option) + " ";
            else
                line += flag_of(option) + " ";
            if (!option.flags.positional)
                line += type_word(option);
            constexpr std::size_t help_column = 34;
            if (line.size() >= help_column)
                line += "\n" + std::string(help_column, ' ');
            else
                line.resize(help_column, ' ');
            out += line;
            wrap(out, std::string(option.help) + option_notes(option, defaults.get()), help_column,
                 help_column);
        }
    }
    return out;
}

}  // namespace amoskys::module
