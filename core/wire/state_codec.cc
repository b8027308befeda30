#include "core/wire/state_codec.h"

#include <algorithm>
#include <array>
#include <span>

namespace amoskys::wire {
namespace {

constexpr char format = 1;
constexpr std::size_t lane_fixed_bytes = 2 + 6 * 8 + 32;
constexpr std::size_t writer_fixed_bytes = 2 + 2 * 8;

void put(std::string& out, std::uint64_t value) {
    std::array<std::uint8_t, 8> bytes{};
    store_be64(bytes.data(), value);
    out += as_text(bytes);
}

// The signature at the end; false where the lengths do not fit.
bool split(std::string_view bytes, char mark, std::size_t fixed_bytes, Bytes& signature) {
    if (bytes.size() != fixed_bytes && bytes.size() != fixed_bytes + signature_bytes)
        return false;
    if (bytes[0] != mark || bytes[1] != format)
        return false;
    signature = to_bytes(as_bytes(bytes.substr(fixed_bytes)));
    return true;
}

Error damaged(std::string_view what, std::size_t size) {
    return make_error(ErrorKind::bad_data, "state_damaged",
                      std::string(what) + " state is damaged (" + std::to_string(size) + " bytes)");
}

}  // namespace

std::string encode_lane_state(const LaneState& state) {
    std::string out{'L', format};
    for (const std::uint64_t value : {state.epoch.value, state.last_sequence.value, state.envelopes,
                                      state.events, state.unlinked_resets_today, state.reset_day})
        put(out, value);
    out += as_text(state.head_digest);
    out += as_text(state.head_signature);
    return out;
}

Result<LaneState> decode_lane_state(std::string_view bytes) {
    LaneState state;
    if (!split(bytes, 'L', lane_fixed_bytes, state.head_signature))
        return damaged("lane", bytes.size());
    const std::uint8_t* in = as_bytes(bytes).data() + 2;
    for (std::uint64_t* value : {&state.epoch.value, &state.last_sequence.value, &state.envelopes,
                                 &state.events, &state.unlinked_resets_today, &state.reset_day}) {
        *value = load_be64(in);
        in += 8;
    }
    std::copy_n(in, state.head_digest.size(), state.head_digest.begin());
    return state;
}

std::string encode_writer_state(const WriterState& state) {
    std::string out{'W', format};
    put(out, state.epoch.value);
    put(out, state.last_sequence.value);
    out += as_text(state.last_signature);
    return out;
}

Result<WriterState> decode_writer_state(std::string_view bytes) {
    WriterState state;
    if (!split(bytes, 'W', writer_fixed_bytes, state.last_signature))
        return damaged("writer", bytes.size());
    const std::uint8_t* in = as_bytes(bytes).data() + 2;
    state.epoch = {load_be64(in)};
    state.last_sequence = {load_be64(in + 8)};
    return state;
}

}  // namespace amoskys::wire
