#include "core/app/completion.h"

#include <algorithm>

#include "core/base/text.h"

namespace amoskys::app {

namespace {

using config::Option;
using config::Type;
using module::OptionGroup;

constexpr std::string_view files = ":files";

constexpr std::string_view bash_script = R"(# bash completion for amoskys
_amoskys() {
    local word="${COMP_WORDS[COMP_CWORD]}" line
    [[ "$word" == "=" ]] && word=""
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ "$line" == ":files" ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
        else
            COMPREPLY+=("$line")
        fi
    done < <("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _amoskys amoskys
)";
// Both as a file that zsh loads at the first use and as one that is sourced.
constexpr std::string_view zsh_script = R"(#compdef amoskys
_amoskys() {
    local line
    local -a found
    for line in "${(@f)$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ "$line" == ":files" ]]; then
            _files
        elif [[ -n "$line" ]]; then
            found+=("$line")
        fi
    done
    (( $#found )) && compadd -- "${found[@]}"
}
if [[ "${funcstack[1]}" == _amoskys ]]; then
    _amoskys "$@"
else
    compdef _amoskys amoskys
fi
)";
constexpr std::string_view fish_script = R"(# fish completion for amoskys
function __amoskys_words
    for line in (amoskys completion words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c amoskys -f -a '(__amoskys_words)'
)";

bool is_flag(std::string_view word) {
    return word.size() > 1 && word.front() == '-';
}

// The option that a word like --state-dir or -o names.
const Option* option_of(const std::vector<OptionGroup>& groups, const std::string& word) {
    for (const OptionGroup& group : groups)
        for (const Option& option : group.options) {
            const bool is_short =
                option.flags.short_flag != 0 && word == std::string("-") + option.flags.short_flag;
            if (!option.flags.positional && (is_short || word == module::flag_of(option)))
                return &option;
        }
    return nullptr;
}

// Names that only the table of modules knows.
bool wants_collectors(const Option& option) {
    return option.name == "collectors";
}

void add_values(const Option& option, std::vector<std::string>& out) {
    if (!option.flags.choices.empty())
        for (const std::string_view choice : split(option.flags.choices, '|'))
            out.emplace_back(choice);
    else if (wants_collectors(option))
        for (const module::ModuleInfo* info : module::all_modules()) {
            if (info->kind == module::Kind::collector)
                out.emplace_back(info->name);
        }
    else if (option.type == Type::text || option.type == Type::text_list)
        out.emplace_back(files);
}

void add_first_words(std::vector<std::string>& out) {
    for (const Entry& entry : entries())
        out.emplace_back(entry.name);
    out.emplace_back("help");
}

void add_second_words(std::string_view first, std::vector<std::string>& out) {
    if (first == "agent")
        out.emplace_back("run");
    for (const module::ModuleInfo* info : module::all_modules()) {
        if (first == "agent" && info->kind == module::Kind::collector)
            out.emplace_back(info->name);
        if (info->part_of == first)
            out.emplace_back(info->name);
        if (info->name == first)
            for (const module::Verb& verb : info->verbs)
                if (!verb.name.empty())
                    out.emplace_back(verb.name);
    }
}

// The words before the one at hand, sorted into what they mean.
struct Typed {
    std::vector<std::string> names;  // no options, no values of options
    const Option* open = nullptr;    // the last word is an option that wants a value
};

Typed read_words(const std::vector<std::string>& words, const std::vector<OptionGroup>& groups) {
    Typed typed;
    for (const std::string& word : words) {
        if (word == "=")  // bash splits --output=json
            continue;
        if (typed.open != nullptr) {
            typed.open = nullptr;
            continue;
        }
        const Option* option = is_flag(word) ? option_of(groups, word) : nullptr;
        if (option != nullptr && option->type != Type::boolean)
            typed.open = option;
        else if (!is_flag(word))
            typed.names.push_back(word);
    }
    return typed;
}

// The positional options of the command and its flags.
void add_own(const std::vector<OptionGroup>& groups, std::size_t place, std::string_view typing,
             std::vector<std::string>& out) {
    std::vector<const Option*> places;
    for (const OptionGroup& group : groups)
        for (const Option& option : group.options) {
            if (option.flags.positional)
                places.push_back(&option);
            else if (is_flag(typing) || typing == "-")
                out.push_back(module::flag_of(option));
        }
    if (is_flag(typing) || typing == "-")
        return;
    if (!places.empty() && (place < places.size() || places.back()->type == Type::text_list))
        add_values(*places[std::min(place, places.size() - 1)], out);
}

void add_candidates(const std::vector<std::string>& before, std::string_view typing,
                    std::vector<std::string>& out) {
    const std::vector<OptionGroup> global = {global_group()};
    std::vector<std::string> names = read_words(before, global).names;
    std::vector<std::string> rest = names;
    if (!names.empty() && names.front() == "help")
        names.erase(names.begin());
    Command command;
    if (!names.empty()) {
        rest = names;
        rest.emplace_back("--help");  // a group without its verb is a command, too
        if (auto found = find_command(rest))
            command = std::move(*found);
        rest.erase(std::remove(rest.begin(), rest.end(), "--help"), rest.end());
    }
    const std::vector<OptionGroup> groups = option_groups(command);
    const Typed typed = read_words(before, groups);
    if (typed.open != nullptr)
        return add_values(*typed.open, out);
    const bool flags = is_flag(typing) || typing == "-";
    if (command.builtin != nullptr) {
        const bool files_wanted = command.builtin->usage == "DIR";
        if (flags)
            return add_own(global, 0, typing, out);
        if (command.builtin->name == "man")
            rest.empty() ? add_first_words(out) : add_second_words(rest.front(), out);
        else if (rest.empty() && !command.builtin->choices.empty())
            for (const std::string_view choice : split(command.builtin->choices, '|'))
                out.emplace_back(choice);
        else if (files_wanted)
            out.emplace_back(files);
        return;
    }
    if (typed.names.empty() || names.empty())
        flags ? add_own(global, 0, typing, out) : add_first_words(out);
    else if (command.kind == Command::Kind::none)
        return;  // a word that names nothing
    else {
        // `score`, `inspect`: verbs; a module with a verb of its own name has options as well
        const std::size_t words_of_command = split(command.words, ' ').size();
        const std::size_t place =
            read_words(before, groups).names.size() -
            std::min(typed.names.size(), words_of_command + (typed.names.front() == "help"));
        const bool is_part = command.info != nullptr && !command.info->part_of.empty();
        if (!flags && place == 0 && (words_of_command == 1 || (is_part && !command.verb)))
            add_second_words(words_of_command == 1 ? command.words : command.info->name, out);
        if (command.verb != nullptr || command.kind != Command::Kind::tool || flags)
            add_own(groups, place, typing, out);
    }
}

}  // namespace

std::vector<std::string> complete(const std::vector<std::string>& words) {
    std::vector<std::string> before = words;
    std::string typing;
    if (!before.empty()) {
        typing = before.back();
        before.pop_back();
    }
    if (typing == "=")
        typing.clear();
    std::vector<std::string> all, out;
    add_candidates(before, typing, all);
    for (const std::string& each : all)
        if (each == files ||
            (each.starts_with(typing) && std::find(out.begin(), out.end(), each) == out.end()))
            out.push_back(each);
    return out;
}

Result<> show_completion(BuiltinContext& context) {
    const std::vector<std::string>& words = context.arguments;
    const std::string shell = words.empty() ? "" : words[0];
    if (shell == "words") {
        std::string text;
        for (const std::string& each : complete({words.begin() + 1, words.end()}))
            text += each + "\n";
        return write_text(context.out, text);
    }
    if (words.size() == 1 && shell == "bash")
        return write_text(context.out, bash_script);
    if (words.size() == 1 && shell == "zsh")
        return write_text(context.out, zsh_script);
    if (words.size() == 1 && shell == "fish")
        return write_text(context.out, fish_script);
    return make_error(ErrorKind::usage, "usage", "completion: bash, zsh or fish is wanted",
                      "source <(amoskys completion bash)");
}

}  // namespace amoskys::app
