// Regular expressions for rules: linear in the text, never backtracking. A Thompson program, run as
// a DFA whose states are made when they are first met and forgotten all at once when there are too
// many. Bytes, not characters: `.` is one byte, and other than ASCII is compared as its UTF-8.
// search() changes the cache of states: one object per thread.
//
// Taken: literals, escapes (\d \w \s \b \A \z \xHH ...), classes, groups, |, ? * + {n,m} greedy or
// lazy (the same answer), ^ $, (?ims). Refused by name: lookaround, back references, possessive
// quantifiers and atomic groups, \p, \Q: what no linear engine has, or no rule uses.
// Limits: 4,096 bytes of pattern, 2,000 instructions (a{1000} counts a thousand), depth 100.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace amoskys::rules {

class Regex {
  public:
    struct Flags {
        bool ignore_case = false;  // i, ASCII
        bool multi_line = false;   // m: ^ and $ also at line ends
        bool dot_all = false;      // s: . also a line end
    };
    // bad_data "regex": what is wrong or not supported, and at which byte.
    static Result<Regex> compile(std::string_view pattern, Flags flags);

    // Whether it matches somewhere in the text.
    bool search(std::string_view text);

    using ByteSet = std::bitset<256>;
    struct Instruction {
        enum class Op : std::uint8_t { bytes, split, assertion, match } op = Op::match;
        std::uint16_t argument = 0;  // bytes: number of the set; assertion: an Assertion
        std::uint32_t next = 0, other = 0;
    };
    enum Assertion : std::uint16_t {
        text_begin,
        text_end,
        text_end_or_newline,  // $ without m, \Z: also before a last line end
        line_begin,
        line_end,
        word_boundary,
        no_word_boundary
    };

  private:
    // What stands beside a place between two bytes.
    enum class Side : std::uint8_t { edge, word, newline, last_newline, other };
    struct State {
        std::vector<std::uint32_t> kernel;  // instructions before their empty steps, in order
        Side before = Side::edge;
    };
    static constexpr std::uint32_t unknown = 0xffffffff, matched = 0xfffffffe;

    void set_classes();
    std::uint32_t state_of(std::vector<std::uint32_t> kernel, Side before);
    std::uint32_t step(std::uint32_t from, std::uint16_t symbol);
    bool reach(std::uint32_t from, Side before, Side after);
    Side side_of(std::uint8_t byte) const;

    std::vector<Instruction> program_;  // begins at 0
    std::vector<ByteSet> sets_;
    bool looks_around_ = false;  // has an assertion
    std::array<std::uint8_t, 256> class_of_{};
    std::vector<std::uint8_t> byte_of_class_;  // one byte of each
    // Symbols: the classes, then a line end that is the last byte, then the end of the text.
    std::uint16_t symbols_ = 0;

    std::vector<State> states_;
    std::vector<std::uint32_t> table_;  // states x symbols
    std::map<std::pair<std::vector<std::uint32_t>, Side>, std::uint32_t> known_;
    std::size_t kept_ = 0;             // instructions in all kernels
    std::vector<std::uint32_t> mark_;  // per instruction: the last walk that met it
    std::uint32_t walk_ = 0;
    std::vector<std::uint32_t> stack_, reached_;
};

}  // namespace amoskys::rules
