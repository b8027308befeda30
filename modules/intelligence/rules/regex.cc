#include "modules/intelligence/rules/regex.h"

#include <algorithm>

#include "modules/intelligence/rules/regex_parse.h"

namespace amoskys::rules {
namespace {

constexpr std::size_t most_states = 2000;
constexpr std::size_t most_kept = 200'000;

bool is_word_byte(std::uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '_';
}

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern, Flags flags) {
    AMOSKYS_TRY(parsed, parse_regex(pattern, flags));
    Regex regex;
    regex.program_ = std::move(parsed.instructions);
    regex.sets_ = std::move(parsed.sets);
    for (const Instruction& each : regex.program_)
        regex.looks_around_ |= each.op == Instruction::Op::assertion;
    regex.set_classes();
    regex.mark_.assign(regex.program_.size(), 0);
    return regex;
}

// Bytes that every set and every assertion treats alike are one class.
void Regex::set_classes() {
    std::vector<ByteSet> parts = sets_;
    if (looks_around_) {
        ByteSet words;
        for (unsigned byte = 0; byte < 256; ++byte)
            words[byte] = is_word_byte(static_cast<std::uint8_t>(byte));
        parts.push_back(words);
        parts.push_back(ByteSet().set('\n'));
    }
    std::map<std::vector<bool>, std::uint8_t> known;
    for (unsigned byte = 0; byte < 256; ++byte) {
        std::vector<bool> sign;
        for (const ByteSet& part : parts)
            sign.push_back(part[byte]);
        const auto [place, is_new] =
            known.try_emplace(std::move(sign), static_cast<std::uint8_t>(byte_of_class_.size()));
        if (is_new)
            byte_of_class_.push_back(static_cast<std::uint8_t>(byte));
        class_of_[byte] = place->second;
    }
    symbols_ = static_cast<std::uint16_t>(byte_of_class_.size() + 2);
}

Regex::Side Regex::side_of(std::uint8_t byte) const {
    if (!looks_around_)
        return Side::other;
    return byte == '\n' ? Side::newline : is_word_byte(byte) ? Side::word : Side::other;
}

// Collects the instructions that want a byte; true where `match` is among what can be reached.
bool Regex::reach(std::uint32_t from, Side before, Side after) {
    const bool at_begin = before == Side::edge;
    const bool at_end = after == Side::edge;
    const auto holds = [&](std::uint16_t assertion) {
        const bool boundary = (before == Side::word) != (after == Side::word);
        switch (static_cast<Assertion>(assertion)) {
            case text_begin:
                return at_begin;
            case text_end:
                return at_end;
            case text_end_or_newline:
                return at_end || after == Side::last_newline;
            case line_begin:
                return at_begin || before == Side::newline;
            case line_end:
                return at_end || after == Side::newline || after == Side::last_newline;
            case word_boundary:
                return boundary;
            case no_word_boundary:
                return !boundary;
        }
        return false;
    };
    bool is_match = false;
    stack_.assign(1, from);
    while (!stack_.empty()) {
        const std::uint32_t at = stack_.back();
        stack_.pop_back();
        if (mark_[at] == walk_)
            continue;
        mark_[at] = walk_;
        const Instruction& each = program_[at];
        switch (each.op) {
            case Instruction::Op::match:
                is_match = true;
                break;
            case Instruction::Op::bytes:
                reached_.push_back(at);
                break;
            case Instruction::Op::split:
                stack_.push_back(each.other);
                stack_.push_back(each.next);
                break;
            case Instruction::Op::assertion:
                if (holds(each.argument))
                    stack_.push_back(each.next);
                break;
        }
    }
    return is_match;
}

std::uint32_t Regex::state_of(std::vector<std::uint32_t> kernel, Side before) {
    const auto found = known_.find({kernel, before});
    if (found != known_.end())
        return found->second;
    const auto number = static_cast<std::uint32_t>(states_.size());
    kept_ += kernel.size();
    known_.emplace(std::pair(kernel, before), number);
    states_.push_back({std::move(kernel), before});
    table_.resize(table_.size() + symbols_, unknown);
    return number;
}

std::uint32_t Regex::step(std::uint32_t from, std::uint16_t symbol) {
    const bool is_end = symbol == symbols_ - 1;
    const bool is_last_newline = symbol == symbols_ - 2;
    const std::uint8_t byte = is_end || is_last_newline ? '\n' : byte_of_class_[symbol];
    const Side after = is_end ? Side::edge : is_last_newline ? Side::last_newline : side_of(byte);
    const State state = states_[from];
    ++walk_;
    reached_.clear();
    bool is_match = false;
    for (const std::uint32_t at : state.kernel)
        is_match |= reach(at, state.before, after);
    if (is_match)
        return matched;
    if (is_end)
        return from;                          // nobody goes on from here
    std::vector<std::uint32_t> kernel = {0};  // a match may begin at any place
    for (const std::uint32_t at : reached_)
        if (sets_[program_[at].argument][byte])
            kernel.push_back(program_[at].next);
    std::sort(kernel.begin(), kernel.end());
    kernel.erase(std::unique(kernel.begin(), kernel.end()), kernel.end());
    return state_of(std::move(kernel), side_of(byte));
}

bool Regex::search(std::string_view text) {
    if (walk_ > 0xf0000000) {
        std::fill(mark_.begin(), mark_.end(), 0);
        walk_ = 0;
    }
    if (states_.size() > most_states || kept_ > most_kept) {
        states_.clear();
        table_.clear();
        known_.clear();
        kept_ = 0;
    }
    std::uint32_t state = state_of({0}, Side::edge);
    for (std::size_t i = 0; i <= text.size(); ++i) {
        std::uint16_t symbol = static_cast<std::uint16_t>(symbols_ - 1);
        if (i < text.size()) {
            const auto byte = static_cast<std::uint8_t>(text[i]);
            const bool is_last_newline = looks_around_ && byte == '\n' && i + 1 == text.size();
            symbol = is_last_newline ? static_cast<std::uint16_t>(symbols_ - 2) : class_of_[byte];
        }
        std::uint32_t next = table_[state * symbols_ + symbol];
        if (next == unknown) {
            next = step(state, symbol);
            table_[state * symbols_ + symbol] = next;
            if (next != matched && (states_.size() > 2 * most_states || kept_ > 2 * most_kept)) {
                State kept = states_[next];
                states_.clear();
                table_.clear();
                known_.clear();
                kept_ = 0;
                next = state_of(std::move(kept.kernel), kept.before);
            }
        }
        if (next == matched)
            return true;
        state = next;
    }
    return false;
}

}  // namespace amoskys::rules
