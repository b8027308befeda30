#include "modules/intelligence/rules/regex_parse.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "core/base/text.h"

namespace amoskys::rules {
namespace {

using Op = Regex::Instruction::Op;
using ByteSet = Regex::ByteSet;

constexpr std::size_t max_pattern_bytes = 4096;
constexpr std::size_t max_instructions = 2000;
constexpr std::size_t max_emitted = 50'000;  // parts, also empty ones: (){1000}{1000}{1000}
constexpr int max_regex_depth = 100;
constexpr int max_repeat = 1000;
constexpr int no_limit = -1;

struct Tree {
    enum class Kind { empty, bytes, assertion, sequence, choice, repeat } kind = Kind::empty;
    ByteSet set = {};
    std::uint16_t assertion = 0;
    int least = 0, most = 0;  // repeat; most = no_limit
    std::vector<Tree> parts = {};
};

ByteSet range_set(unsigned first, unsigned last) {
    ByteSet set;
    for (unsigned byte = first; byte <= last; ++byte)
        set.set(byte);
    return set;
}

ByteSet digit_set() {
    return range_set('0', '9');
}
ByteSet word_set() {
    return digit_set() | range_set('a', 'z') | range_set('A', 'Z') | ByteSet().set('_');
}
ByteSet space_set() {
    return range_set('\t', '\r') | ByteSet().set(' ');
}

ByteSet either_case(ByteSet set) {
    for (unsigned letter = 'a'; letter <= 'z'; ++letter) {
        const bool any = set[letter] || set[letter - 32];
        set[letter] = set[letter - 32] = any;
    }
    return set;
}

struct NamedSet {
    std::string_view name;
    ByteSet set;
};
std::optional<ByteSet> posix_set(std::string_view name) {
    const ByteSet letters = range_set('a', 'z') | range_set('A', 'Z');
    const NamedSet known[] = {
        {"alnum", letters | digit_set()},
        {"alpha", letters},
        {"digit", digit_set()},
        {"lower", range_set('a', 'z')},
        {"upper", range_set('A', 'Z')},
        {"space", space_set()},
        {"word", word_set()},
        {"xdigit", digit_set() | range_set('a', 'f') | range_set('A', 'F')},
        {"punct",
         range_set('!', '/') | range_set(':', '@') | range_set('[', '`') | range_set('{', '~')},
    };
    for (const NamedSet& each : known)
        if (each.name == name)
            return each.set;
    return std::nullopt;
}

class PatternReader {
  public:
    PatternReader(std::string_view text, Regex::Flags flags) : text_(text), flags_(flags) {}

    Result<Tree> read() {
        AMOSKYS_TRY(tree, choice(0));
        if (at_ < text_.size())
            return wrong("a ) without (");
        return tree;
    }

  private:
    Error wrong(std::string_view what) const {
        return make_error(ErrorKind::bad_data, "regex",
                          "regular expression '" + excerpt(text_) + "', byte " +
                              std::to_string(at_ + 1) + ": " + std::string(what));
    }
    bool more() const { return at_ < text_.size(); }
    char peek() const { return text_[at_]; }
    bool takes(std::string_view word) {
        if (!text_.substr(at_).starts_with(word))
            return false;
        at_ += word.size();
        return true;
    }

    Result<Tree> choice(int depth) {
        if (depth > max_regex_depth)
            return wrong("nested more than 100 deep");
        const Regex::Flags outer = flags_;
        Tree tree{Tree::Kind::choice};
        do {
            AMOSKYS_TRY(part, sequence(depth));
            tree.parts.push_back(std::move(part));
        } while (takes("|"));
        flags_ = outer;  // (?i) in the middle goes to the end of its group
        if (tree.parts.size() == 1)
            return std::move(tree.parts[0]);
        return tree;
    }

    Result<Tree> sequence(int depth) {
        Tree tree{Tree::Kind::sequence};
        while (more() && peek() != '|' && peek() != ')') {
            AMOSKYS_TRY(part, piece(depth));
            AMOSKYS_TRY(repeated, quantified(std::move(part)));
            tree.parts.push_back(std::move(repeated));
        }
        return tree;
    }

    Tree bytes(ByteSet set) const {
        return {Tree::Kind::bytes, flags_.ignore_case ? either_case(set) : set};
    }
    static Tree assertion(Regex::Assertion which) {
        Tree tree{Tree::Kind::assertion};
        tree.assertion = which;
        return tree;
    }

    Result<Tree> piece(int depth) {
        const char c = text_[at_];
        switch (c) {
            case '(':
                ++at_;
                return group(depth);
            case '[':
                ++at_;
                return bracket();
            case '.':
                ++at_;
                return bytes(flags_.dot_all ? ByteSet().set() : ByteSet().set().reset('\n'));
            case '^':
                ++at_;
                return assertion(flags_.multi_line ? Regex::line_begin : Regex::text_begin);
            case '$':
                ++at_;
                return assertion(flags_.multi_line ? Regex::line_end : Regex::text_end_or_newline);
            case '*':
            case '+':
            case '?':
                return wrong("nothing to repeat");
            case '\\':
                ++at_;
                return escape();
            default:
                ++at_;
                return bytes(ByteSet().set(static_cast<std::uint8_t>(c)));
        }
    }

    Result<Tree> group(int depth) {
        for (const std::string_view refused : {"?=", "?!", "?<=", "?<!"})
            if (text_.substr(at_).starts_with(refused))
                return wrong("lookaround is not supported: it has no linear-time form");
        if (text_.substr(at_).starts_with("?>"))
            return wrong("atomic groups are not supported");
        const Regex::Flags outer = flags_;
        if (takes("?P<") || takes("?<")) {
            const std::size_t end = text_.find('>', at_);
            if (end == text_.npos || end == at_)
                return wrong("a group's name has no end");
            at_ = end + 1;
        } else if (takes("?")) {
            AMOSKYS_TRY(is_group, options());
            if (!is_group)  // (?i): from here to the end of the group around it
                return Tree{};
        }
        AMOSKYS_TRY(inner, choice(depth + 1));
        if (!takes(")"))
            return wrong("a ( without )");
        flags_ = outer;
        return inner;
    }

    // After "(?": "ims-ims:" is a group and "ims)" none.
    Result<bool> options() {
        bool value = true;
        for (; more(); ++at_) {
            switch (peek()) {
                case 'i':
                    flags_.ignore_case = value;
                    break;
                case 'm':
                    flags_.multi_line = value;
                    break;
                case 's':
                    flags_.dot_all = value;
                    break;
                case '-':
                    value = false;
                    break;
                case ':':
                    ++at_;
                    return true;
                case ')':
                    ++at_;
                    return false;
                default:
                    return wrong(
                        "this kind of group is not supported; known are (?:, (?ims), (?<name>");
            }
        }
        return wrong("a ( without )");
    }

    std::optional<ByteSet> class_escape(char c) const {
        switch (c) {
            case 'd':
                return digit_set();
            case 'D':
                return ~digit_set();
            case 'w':
                return word_set();
            case 'W':
                return ~word_set();
            case 's':
                return space_set();
            case 'S':
                return ~space_set();
            default:
                return std::nullopt;
        }
    }

    // The byte of an escape, after its backslash.
    Result<std::uint8_t> byte_escape() {
        const char c = text_[at_++];
        switch (c) {
            case 't':
                return std::uint8_t{'\t'};
            case 'n':
                return std::uint8_t{'\n'};
            case 'r':
                return std::uint8_t{'\r'};
            case 'f':
                return std::uint8_t{'\f'};
            case 'v':
                return std::uint8_t{'\v'};
            case 'a':
                return std::uint8_t{'\a'};
            case 'e':
                return std::uint8_t{0x1b};
            case '0':
                return std::uint8_t{0};
            case 'x': {
                const bool braces = takes("{");
                unsigned value = 0;
                int digits = 0;
                for (; more() && digits < 2; ++digits, ++at_) {
                    const char h = peek();
                    if (h >= '0' && h <= '9')
                        value = value * 16 + static_cast<unsigned>(h - '0');
                    else if ((h | 32) >= 'a' && (h | 32) <= 'f')
                        value = value * 16 + static_cast<unsigned>((h | 32) - 'a' + 10);
                    else
                        break;
                }
                if (digits == 0 || (braces && !takes("}")))
                    return wrong("\\x wants one or two hexadecimal digits");
                return static_cast<std::uint8_t>(value);
            }
            default:
                break;
        }
        if (c >= '1' && c <= '9')
            return wrong("back references are not supported: they have no linear-time form");
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            return wrong(std::string("\\") + c + " is not supported");
        return static_cast<std::uint8_t>(c);
    }

    Result<Tree> escape() {
        if (!more())
            return wrong("a backslash at the end");
        if (const auto set = class_escape(peek())) {
            ++at_;
            return bytes(*set);
        }
        switch (peek()) {
            case 'b':
                ++at_;
                return assertion(Regex::word_boundary);
            case 'B':
                ++at_;
                return assertion(Regex::no_word_boundary);
            case 'A':
                ++at_;
                return assertion(Regex::text_begin);
            case 'z':
                ++at_;
                return assertion(Regex::text_end);
            case 'Z':
                ++at_;
                return assertion(Regex::text_end_or_newline);
            default:
                break;
        }
        AMOSKYS_TRY(byte, byte_escape());
        return bytes(ByteSet().set(byte));
    }

    // One end of a range; a set such as \d is put into `set`, and then there is no byte.
    Result<std::optional<std::uint8_t>> bracket_item(ByteSet& set) {
        if (takes("[:")) {
            const std::size_t end = text_.find(":]", at_);
            const auto named = posix_set(text_.substr(at_, end == text_.npos ? 0 : end - at_));
            if (!named)
                return wrong("an unknown [:name:]");
            set |= *named;
            at_ = end + 2;
            return std::optional<std::uint8_t>();
        }
        const char c = text_[at_++];
        if (static_cast<std::uint8_t>(c) >= 0x80)
            return wrong("other than ASCII in [ ] is not supported");
        if (c != '\\')
            return std::optional(static_cast<std::uint8_t>(c));
        if (!more())
            return wrong("a backslash at the end");
        if (const auto named = class_escape(peek())) {
            ++at_;
            set |= *named;
            return std::optional<std::uint8_t>();
        }
        if (takes("b"))
            return std::optional<std::uint8_t>('\b');
        AMOSKYS_TRY(byte, byte_escape());
        return std::optional(byte);
    }

    Result<Tree> bracket() {
        const bool negated = takes("^");
        ByteSet set;
        bool first = true;
        for (; more() && (first || peek() != ']'); first = false) {
            AMOSKYS_TRY(low, bracket_item(set));
            if (!low)
                continue;
            if (at_ + 1 < text_.size() && peek() == '-' && text_[at_ + 1] != ']') {
                ++at_;
                AMOSKYS_TRY(high, bracket_item(set));
                if (!high || *high < *low)
                    return wrong("a range that ends before it begins");
                set |= range_set(*low, *high);
            } else {
                set.set(*low);
            }
        }
        if (!takes("]"))
            return wrong("a [ without ]");
        if (flags_.ignore_case)
            set = either_case(set);
        return Tree{Tree::Kind::bytes, negated ? ~set : set};
    }

    std::optional<int> number() {
        int value = 0;
        const std::size_t begin = at_;
        for (; more() && peek() >= '0' && peek() <= '9' && value <= max_repeat; ++at_)
            value = value * 10 + (peek() - '0');
        return at_ == begin ? std::nullopt : std::optional(value);
    }

    // {n}, {n,} or {n,m}; nothing where the brace is a plain character.
    std::optional<std::pair<int, int>> braces() {
        const std::size_t begin = at_++;
        const auto least = number();
        std::optional<int> most = least;
        if (least && takes(","))
            most = more() && peek() == '}' ? std::optional(no_limit) : number();
        if (least && most && takes("}"))
            return std::pair(*least, *most);
        at_ = begin;
        return std::nullopt;
    }

    Result<Tree> quantified(Tree part) {
        while (more()) {
            int least = 0;
            int most = no_limit;
            if (takes("*")) {
            } else if (takes("+")) {
                least = 1;
            } else if (takes("?")) {
                most = 1;
            } else if (peek() == '{') {
                const auto counts = braces();
                if (!counts)
                    return part;
                std::tie(least, most) = *counts;
                if (least > max_repeat || most > max_repeat)
                    return wrong("more than 1000 repetitions");
                if (most != no_limit && most < least)
                    return wrong("{n,m} with m below n");
            } else {
                return part;
            }
            if (takes("+"))
                return wrong("possessive quantifiers are not supported");
            takes("?");  // lazy: which part matches differs, whether it matches does not
            Tree repeat{Tree::Kind::repeat};
            repeat.least = least;
            repeat.most = most;
            repeat.parts.push_back(std::move(part));
            part = std::move(repeat);
        }
        return part;
    }

    std::string_view text_;
    Regex::Flags flags_;
    std::size_t at_ = 0;
};

// Trees to instructions, from the end to the beginning: emit() returns where the part begins.
class Assembler {
  public:
    bool full() const { return code_.size() > max_instructions || steps_ > max_emitted; }

    std::uint32_t put(Regex::Instruction instruction) {
        code_.push_back(instruction);
        return static_cast<std::uint32_t>(code_.size() - 1);
    }

    std::uint32_t emit(const Tree& tree, std::uint32_t next) {
        ++steps_;
        if (full())
            return next;
        switch (tree.kind) {
            case Tree::Kind::empty:
                return next;
            case Tree::Kind::bytes:
                return put({Op::bytes, set_number(tree.set), next});
            case Tree::Kind::assertion:
                return put({Op::assertion, tree.assertion, next});
            case Tree::Kind::sequence:
                for (auto part = tree.parts.rbegin(); part != tree.parts.rend(); ++part)
                    next = emit(*part, next);
                return next;
            case Tree::Kind::choice: {
                std::uint32_t begin = emit(tree.parts.back(), next);
                for (std::size_t i = tree.parts.size() - 1; i-- > 0 && !full();) {
                    const std::uint32_t part = emit(tree.parts[i], next);
                    begin = put({Op::split, 0, part, begin});
                }
                return begin;
            }
            case Tree::Kind::repeat:
                return emit_repeat(tree, next);
        }
        return next;
    }

    RegexProgram finish(std::uint32_t begin) {
        RegexProgram out;
        // The first instruction is where a match begins.
        out.instructions.push_back({Op::split, 0, begin + 1, begin + 1});
        for (Regex::Instruction each : code_) {
            ++each.next;
            ++each.other;
            out.instructions.push_back(each);
        }
        out.sets = std::move(sets_);
        return out;
    }

  private:
    std::uint32_t emit_repeat(const Tree& tree, std::uint32_t next) {
        const Tree& part = tree.parts[0];
        if (tree.most == no_limit) {
            const std::uint32_t loop = put({Op::split, 0, 0, next});
            code_[loop].next = emit(part, loop);
            next = loop;
        } else {
            for (int i = tree.least; i < tree.most && !full(); ++i)
                next = put({Op::split, 0, emit(part, next), next});
        }
        for (int i = 0; i < tree.least && !full(); ++i)
            next = emit(part, next);
        return next;
    }
    std::uint16_t set_number(const ByteSet& set) {
        const auto at = std::find(sets_.begin(), sets_.end(), set) - sets_.begin();
        if (at == std::ssize(sets_))
            sets_.push_back(set);
        return static_cast<std::uint16_t>(at);
    }

    std::vector<Regex::Instruction> code_;
    std::vector<ByteSet> sets_;
    std::size_t steps_ = 0;
};

}  // namespace

Result<RegexProgram> parse_regex(std::string_view pattern, Regex::Flags flags) {
    if (pattern.size() > max_pattern_bytes)
        return make_error(ErrorKind::bad_data, "regex",
                          "a regular expression of " + std::to_string(pattern.size()) +
                              " bytes; allowed are " + std::to_string(max_pattern_bytes));
    AMOSKYS_TRY(tree, PatternReader(pattern, flags).read());
    Assembler assembler;
    const std::uint32_t match = assembler.put({Op::match});
    const std::uint32_t begin = assembler.emit(tree, match);
    if (assembler.full())
        return make_error(ErrorKind::bad_data, "regex",
                          "regular expression '" + excerpt(pattern) + "' needs more than " +
                              std::to_string(max_instructions) +
                              " instructions; use smaller {n,m}");
    return assembler.finish(begin);
}

}  // namespace amoskys::rules
