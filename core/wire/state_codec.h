// The lane states as they ride in a log's transactions (wal::StateUpdate): of the bus, and of the
// writer of a spool. All integers big-endian.
//
//   lane    'L' 1 | epoch 8 | last_sequence 8 | envelopes 8 | events 8 | resets 8 | day 8 |
//           head_digest 32 | head_signature 0 or 64
//   writer  'W' 1 | epoch 8 | last_sequence 8 | last_signature 0 or 64
//
// Used by the bus, spools and inspect. decode: bad_data "state_damaged".
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/wire/builder.h"
#include "core/wire/custody.h"

namespace amoskys::wire {

std::string encode_lane_state(const LaneState& state);
Result<LaneState> decode_lane_state(std::string_view bytes);

std::string encode_writer_state(const WriterState& state);
Result<WriterState> decode_writer_state(std::string_view bytes);

}  // namespace amoskys::wire
