// Named types for the values that travel through the whole product, so that a sequence is never
// passed where an offset is meant.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace amoskys {

template <class Tag>
struct Number {
    std::uint64_t value = 0;
    constexpr auto operator<=>(const Number&) const = default;
    constexpr Number next() const { return {value + 1}; }
};

using SeqNo = Number<struct SeqNoTag>;          // of one (agent, lane), from 1
using Epoch = Number<struct EpochTag>;          // Unix milliseconds at creation of a spool
using WalOffset = Number<struct WalOffsetTag>;  // global sequence in a log, from 1, gapless

// Kind of a stored record, as in the log's record header.
enum class RecordKind : std::uint8_t { universal = 1, legacy = 2, gap = 3, audit = 4 };

using Digest = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;
using PublicKey = std::array<std::uint8_t, 32>;

// agent_id: the CN of the agent's certificate, 1..64 characters of [A-Za-z0-9._-].
// lane: one writer's stream, [a-z0-9_-]{1,32}.
bool valid_agent_id(std::string_view text);
bool valid_lane(std::string_view text);

struct LaneKey {
    std::string agent_id;
    std::string lane;
    auto operator<=>(const LaneKey&) const = default;
};

}  // namespace amoskys
