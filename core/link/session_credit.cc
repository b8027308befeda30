// Credit of a session: how much it may send before it is answered.
#include <algorithm>

#include "core/link/server_session.h"

namespace amoskys::link {
namespace {
constexpr auto idle_credit = std::chrono::seconds(10);
}

// Envelopes: the soft window, or the hard one where the client says that more wait. Bytes: an equal
// share of the budget for who wants more; one envelope for who does not, while half of the budget
// is free.
bool ServerSession::extend_credit() {
    const auto& limits = bus_.limits;
    const auto window = wants_more_ ? limits.hard_window : limits.soft_window;
    granted_envelopes_ = std::max(granted_envelopes_, answered_envelopes_ + window);

    const auto one = limits.max_envelope_bytes;
    const auto share = limits.budget_bytes / std::max<std::uint64_t>(1, bus_.open_sessions);
    const auto wanted = wants_more_ || used_envelopes_ > 0
                            ? std::clamp(share, one, std::max(one, limits.session_bytes))
                            : (bus_.budget.free() >= bus_.budget.total() / 2 ? one : 0);
    const auto out = granted_bytes_ - answered_bytes_;
    // Grants are made in pieces that are worth a frame.
    if (out < wanted && (out < one || wanted - out >= wanted / 2)) {
        const auto more = std::min(wanted - out, bus_.budget.free());
        if (more >= one || out + more >= one) {
            granted_bytes_ += more;
            bus_.budget.take(more);
        }
    }
    const bool enough = granted_bytes_ - answered_bytes_ >= one || !wants_more_;
    if (enough)
        bus_.starving.erase(id_);
    else
        bus_.starving.insert(id_);
    return enough;
}

void ServerSession::grant() {
    if (closing_ || phase_ != Phase::open)
        return;
    const auto envelopes = granted_envelopes_, bytes = granted_bytes_;
    extend_credit();
    const auto& limits = bus_.limits;
    const bool worth = granted_bytes_ != bytes ||
                       granted_envelopes_ - envelopes >= limits.soft_window / 2 ||
                       envelopes - used_envelopes_ <= limits.soft_window / 2;
    if (!worth || (granted_bytes_ == bytes && granted_envelopes_ == envelopes)) {
        granted_envelopes_ = envelopes;  // said together with the next piece
        return;
    }
    wire::Frame frame;
    frame.mutable_credit()->set_envelopes_limit(granted_envelopes_);
    frame.mutable_credit()->set_bytes_limit(granted_bytes_);
    send(frame);
}

bool ServerSession::spend_credit(std::uint64_t size_bytes) {
    if (parked_) {
        parked_ = false;
        bus_.budget.take(granted_bytes_ - answered_bytes_);
    }
    last_publish_ = bus_.clock.steady();
    if (used_envelopes_ + 1 > granted_envelopes_ || used_bytes_ + size_bytes > granted_bytes_) {
        bus_.metrics.rejected("credit_exceeded");
        fail(amoskys::bus::ErrorFrame::CREDIT_EXCEEDED,
             "credit exceeded: envelope " + std::to_string(used_envelopes_ + 1) + " of " +
                 std::to_string(granted_envelopes_) + ", byte " +
                 std::to_string(used_bytes_ + size_bytes) + " of " +
                 std::to_string(granted_bytes_));
        return false;
    }
    ++used_envelopes_;
    used_bytes_ += size_bytes;
    return true;
}

void ServerSession::park_idle_credit(SteadyTime now) {
    if (parked_ || used_bytes_ != answered_bytes_ || now - last_publish_ < idle_credit)
        return;
    parked_ = true;
    bus_.budget.give_back(granted_bytes_ - answered_bytes_);
}

}  // namespace amoskys::link
