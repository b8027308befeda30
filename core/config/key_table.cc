#include "core/config/key_table.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/text.h"

namespace amoskys::config {
namespace {

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

std::string upper_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), upper);
    return out;
}

}  // namespace

std::string full_key(std::string_view root, std::string_view name) {
    return root.empty() ? std::string(name) : std::string(root) + "." + std::string(name);
}

std::string environment_name(std::string_view key) {
    std::string out = "AMOSKYS_";
    for (const char c : key) {
        if (c == '.')
            out += "__";
        else
            out += c == '-' ? '_' : upper(c);
    }
    return out;
}

std::string_view type_text(const Option& option) {
    switch (option.type) {
        case Type::boolean:
            return "true or false";
        case Type::integer:
            return "a whole number";
        case Type::number:
            return "a number";
        case Type::duration:
            return "a duration such as 250ms or 5s";
        case Type::size:
            return "a size such as 64KiB";
        case Type::text_list:
            return "a list of texts";
        case Type::text:
            break;
    }
    return "a text";
}

KeyTable::KeyTable(std::span<const Section> sections) {
    for (std::size_t i = 0; i < sections.size(); ++i)
        for (const Option& option : sections[i].options)
            keys_.push_back({full_key(sections[i].root, option.name), &option, i});
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        const std::string& key = keys_[i].key;
        check(by_key_.emplace(key, i).second, "two options have one key: " + key);
        check(by_environment_.emplace(environment_name(key), i).second,
              "two options have one environment name: " + key);
        for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1))
            groups_.insert(key.substr(0, dot));
    }
    for (const auto& known : keys_)
        check(!is_group(known.key), "an option is also a group of options: " + known.key);
}

const KnownKey* KeyTable::find(std::string_view key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &keys_[found->second];
}

const KnownKey* KeyTable::find_environment(std::string_view name) const {
    const auto found = by_environment_.find(upper_case(name));
    return found == by_environment_.end() ? nullptr : &keys_[found->second];
}

std::string KeyTable::nearest_key(std::string_view wrong) const {
    std::vector<std::string_view> candidates(groups_.begin(), groups_.end());
    for (const auto& known : keys_)
        if (!known.option->flags.command_line_only)
            candidates.push_back(known.key);
    if (const auto near = nearest(wrong, candidates); !near.empty())
        return std::string(near);
    // A right name in the wrong place: the one key that ends the same way.
    const auto dot = wrong.rfind('.');
    const std::string suffix =
        "." + std::string(dot == std::string_view::npos ? wrong : wrong.substr(dot + 1));
    std::string_view match;
    for (const auto candidate : candidates) {
        if (!candidate.ends_with(suffix) && candidate != suffix.substr(1))
            continue;
        if (!match.empty())
            return "";
        match = candidate;
    }
    return std::string(match);
}

std::string KeyTable::nearest_environment(std::string_view wrong) const {
    std::vector<std::string_view> candidates;
    for (const auto& [name, index] : by_environment_)
        if (!keys_[index].option->flags.command_line_only)
            candidates.push_back(name);
    const std::string name = upper_case(wrong);
    if (const auto near = nearest(name, candidates); !near.empty())
        return std::string(near);
    // The most frequent mistake: one underscore between levels.
    const auto squeezed = [](std::string_view text) {
        std::string out;
        for (const char c : text)
            if (c != '_')
                out += c;
        return out;
    };
    for (const auto candidate : candidates)
        if (squeezed(candidate) == squeezed(name))
            return std::string(candidate);
    return "";
}

}  // namespace amoskys::config
