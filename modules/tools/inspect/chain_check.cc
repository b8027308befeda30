#include "modules/tools/inspect/chain_check.h"

#include <algorithm>

namespace amoskys::modules::inspect {

std::string LaneChain::check_position(const wire::CutEnvelope& envelope, std::uint64_t begins) {
    const bool linked = std::ranges::equal(envelope.prev_signature, state.head_signature);
    if (epochs == 0) {
        if (start_known_ && begins != 1)
            return "the lane begins with sequence " + std::to_string(begins) + ", expected 1";
        return {};
    }
    if (envelope.epoch.value < epoch)
        return "epoch " + std::to_string(envelope.epoch.value) + " after epoch " +
               std::to_string(epoch);
    if (envelope.epoch.value > epoch) {
        if (!linked)
            ++unlinked_resets;
        if (begins != 1)
            return "epoch " + std::to_string(envelope.epoch.value) + " begins with sequence " +
                   std::to_string(begins) + ", expected 1";
        return {};
    }
    if (begins != last_sequence + 1)
        return "sequence " + std::to_string(begins) + " after " + std::to_string(last_sequence) +
               ", expected " + std::to_string(last_sequence + 1);
    return linked ? std::string() : "prev_sig is not the signature of the envelope before it";
}

std::string LaneChain::next(const wire::CutEnvelope& envelope, const Digest& digest,
                            UnixNanos taken_ns) {
    const bool marker = envelope.payload_kind == wire::PayloadKind::gap;
    const std::uint64_t begins = marker ? envelope.gap.first.value : envelope.sequence.value;
    std::string wrong;
    if (marker &&
        (envelope.gap.last != envelope.sequence || envelope.gap.first > envelope.gap.last))
        wrong = "the gap marker's sequence is not its last one";
    else
        wrong = check_position(envelope, begins);
    if (forgiven_)
        wrong.clear();
    forgiven_ = false;
    if (epochs == 0 || envelope.epoch.value != epoch) {
        ++epochs;
        first_sequence = begins;
    }
    epoch = envelope.epoch.value;
    last_sequence = envelope.sequence.value;
    ++(marker ? gap_markers : envelopes);
    events += envelope.events;
    constexpr UnixNanos day_ns = 86'400'000'000'000, near_ns = 60'000'000'000;
    wire::LaneState after = wire::replayed(envelope, state, digest, taken_ns);
    if (after.unlinked_resets_today != state.unlinked_resets_today ||
        after.reset_day != state.reset_day)
        around_midnight = taken_ns % day_ns < near_ns;
    state = std::move(after);
    return wrong;
}

}  // namespace amoskys::modules::inspect
