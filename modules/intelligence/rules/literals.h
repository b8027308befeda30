// Many literals looked for in one pass over a text, whatever their number: Aho and Corasick 1975,
// as a table of states by classes of bytes. ASCII letters are found in either case. Built once,
// then const and thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace amoskys::rules {

std::string fold_case(std::string_view text);  // ASCII letters to lower case

class Literals {
  public:
    // The literal's number, the same for the same text without case. Not empty. Before build().
    std::uint32_t add(std::string_view literal);
    std::size_t size() const { return texts_.size(); }

    // bad_data where there are more than 1,000,000 states, or 256 MiB of table.
    Result<> build();

    // visit(number, end) for each place where a literal ends.
    template <class Visit>
    void scan(std::string_view text, Visit visit) const {
        if (texts_.empty())
            return;
        std::uint32_t state = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            state = table_[(state & state_mask) * classes_ +
                           class_of_[static_cast<std::uint8_t>(text[i])]];
            if ((state & has_output) == 0)
                continue;
            for (std::uint32_t at = first_[state & state_mask]; at != none; at = link_[at])
                visit(output_[at], i + 1);
        }
    }

  private:
    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr std::uint32_t has_output = 0x80000000, state_mask = 0x7fffffff;

    std::vector<std::string> texts_;
    std::map<std::string, std::uint32_t, std::less<>> numbers_;
    std::array<std::uint8_t, 256> class_of_{};
    std::uint32_t classes_ = 1;
    std::vector<std::uint32_t> table_;
    std::vector<std::uint32_t> output_;  // per state: the literal that ends there, or none
    std::vector<std::uint32_t> first_;   // the first state of its suffixes that has one
    std::vector<std::uint32_t> link_;    // the next one after it
};

}  // namespace amoskys::rules
