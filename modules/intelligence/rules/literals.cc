#include "modules/intelligence/rules/literals.h"

#include <algorithm>

namespace amoskys::rules {
namespace {

constexpr std::size_t most_trie_states = 1'000'000;
constexpr std::size_t most_table_cells = 64U << 20U;

std::uint8_t folded(std::uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<std::uint8_t>(byte + 32) : byte;
}

}  // namespace

std::string fold_case(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = static_cast<char>(folded(static_cast<std::uint8_t>(c)));
    return out;
}

std::uint32_t Literals::add(std::string_view literal) {
    const auto [place, is_new] =
        numbers_.try_emplace(fold_case(literal), static_cast<std::uint32_t>(texts_.size()));
    if (is_new)
        texts_.push_back(place->first);
    return place->second;
}

Result<> Literals::build() {
    for (const std::string& text : texts_)
        for (const char c : text) {
            std::uint8_t& number = class_of_[static_cast<std::uint8_t>(c)];
            if (number == 0)
                number = static_cast<std::uint8_t>(std::min(classes_++, 255U));
        }
    for (unsigned upper = 'A'; upper <= 'Z'; ++upper)
        class_of_[upper] = class_of_[upper + 32];
    classes_ = std::min(classes_, 256U);

    // The trie, in the table itself: 0 = no child, since nothing leads back to the root.
    table_.assign(classes_, 0);
    output_.assign(1, none);
    for (std::uint32_t number = 0; number < texts_.size(); ++number) {
        std::uint32_t state = 0;
        for (const char c : texts_[number]) {
            const std::size_t cell =
                std::size_t{state} * classes_ + class_of_[static_cast<std::uint8_t>(c)];
            if (table_[cell] == 0) {
                if (output_.size() == most_trie_states ||
                    table_.size() + classes_ > most_table_cells)
                    return make_error(ErrorKind::bad_data, "rules_too_many",
                                      "the rules look for more text than the " +
                                          std::to_string(most_trie_states) +
                                          " bytes in one field that are allowed");
                table_[cell] = static_cast<std::uint32_t>(output_.size());
                output_.push_back(none);
                table_.resize(table_.size() + classes_, 0);
            }
            state = table_[cell];
        }
        output_[state] = number;
    }

    // Breadth first: what is missing goes where the longest suffix goes.
    const std::size_t states = output_.size();
    std::vector<std::uint32_t> suffix(states, 0), order;
    order.reserve(states);
    first_.assign(states, none);
    link_.assign(states, none);
    const auto settle = [&](std::uint32_t state) {
        link_[state] = state == 0 ? none : first_[suffix[state]];
        first_[state] = output_[state] != none ? state : link_[state];
    };
    settle(0);
    for (std::uint32_t symbol = 0; symbol < classes_; ++symbol)
        if (table_[symbol] != 0)
            order.push_back(table_[symbol]);
    for (std::size_t i = 0; i < order.size(); ++i) {
        const std::uint32_t state = order[i];
        settle(state);
        for (std::uint32_t symbol = 0; symbol < classes_; ++symbol) {
            std::uint32_t& cell = table_[std::size_t{state} * classes_ + symbol];
            const std::uint32_t other = table_[std::size_t{suffix[state]} * classes_ + symbol];
            if (cell == 0) {
                cell = other;
            } else {
                suffix[cell] = other;
                order.push_back(cell);
            }
        }
    }
    for (std::uint32_t& cell : table_)
        cell |= first_[cell] != none ? has_output : 0;
    return {};
}

}  // namespace amoskys::rules
