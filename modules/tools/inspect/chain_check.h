// The chain of one (agent, lane) as the records of a log show it: sequence, epochs, prev_sig and
// gap markers (PROTOCOL.md "Custody" rules 1, 6, 7), and the state that they leave the lane in. Fed
// with the envelopes of the lane in the order of the log. Pure; one thread.
#pragma once

#include <string>

#include "core/wire/custody.h"

namespace amoskys::modules::inspect {

// Whether records of the lane may have stood before the first one seen.
enum class ChainStart { known, pruned };

class LaneChain {
  public:
    explicit LaneChain(ChainStart start)
        : start_known_(start == ChainStart::known), whole_(start_known_) {}

    // What is wrong with this envelope where it stands; "" = nothing. The chain goes on from it
    // either way, so that one break is one finding.
    std::string next(const wire::CutEnvelope& envelope, const Digest& digest, UnixNanos taken_ns);
    // After a record that could not be read: it may have been of this lane.
    void forgive_break() {
        forgiven_ = true;
        whole_ = false;
    }
    void accept_reset() { wire::accept_reset(state); }
    // Every record of the lane was seen: `state` has all counts, not only those of these records.
    bool whole() const { return whole_; }
    // The bus may have counted the last unlinked epoch to the day before.
    bool around_midnight = false;

    std::uint64_t epoch = 0;
    std::uint64_t first_sequence = 0, last_sequence = 0;  // of the current epoch, as seen
    std::uint64_t envelopes = 0, events = 0, gap_markers = 0, epochs = 0, unlinked_resets = 0;
    wire::LaneState state;

  private:
    std::string check_position(const wire::CutEnvelope& envelope, std::uint64_t begins);

    bool start_known_, whole_, forgiven_ = false;
};

}  // namespace amoskys::modules::inspect
