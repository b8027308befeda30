#include "modules/collectors/flow/stream.h"

#include <algorithm>

#include "modules/collectors/flow/sequence.h"
#include "modules/collectors/flow/tcp.h"

namespace amoskys::flow {
namespace {

// Payload above a hole that nobody acknowledges: the other direction is not seen, gaps are not
// counted any more.
constexpr std::uint64_t max_above_hole = 16384;

bool clean(const Side& side) {
    return side.state == TcpState::established ||
           (side.state == TcpState::closed && side.before == TcpState::established);
}

bool none_acknowledged(const Side& side) {
    const std::uint64_t at = full(side.acknowledged, side.ack_wraps);
    return at == side.start_sequence || at == std::uint64_t{side.start_sequence} + 1;
}

// Pieces are kept in 32 bits: near what has been delivered.
std::uint64_t piece_position(const Side& side, std::uint32_t value) {
    const std::uint64_t delivered = side.delivered;
    return delivered + (value - static_cast<std::uint32_t>(delivered));
}

// Only between sides that are established or closing: elsewhere numbers can be off.
void gap(Flow& flow, unsigned s, std::uint64_t bytes) {
    if (!clean(flow.side[s]) || !clean(flow.side[s ^ 1U]))
        return;
    flow.more[s].missed_bytes += bytes;
    add_scaled(flow, s, 'G', flow.more[s].gaps);
}

// Takes the pieces that what has been delivered reaches.
void deliver_pieces(Flow& flow, unsigned s) {
    Side& side = flow.side[s];
    auto& pieces = flow.more[s].pieces;
    while (side.holes > 0) {
        const auto delivered = static_cast<std::uint32_t>(side.delivered);
        if (difference(pieces[0].begin, delivered) > 0)
            return;
        const std::int32_t further = difference(pieces[0].end, delivered);
        if (further > 0)
            side.delivered += static_cast<std::uint32_t>(further);
        std::move(pieces.begin() + 1, pieces.begin() + side.holes, pieces.begin());
        --side.holes;
    }
}

// The peer acknowledges what has not been seen.
void undelivered(Flow& flow, unsigned s, std::uint64_t up_to) {
    Side& side = flow.side[s];
    // The numbers of a partial connection began with a guess.
    if (up_to <= 2 && flow.partial)
        return;
    if (!side.gave_up) {
        while (side.holes > 0) {
            const std::uint64_t begin = piece_position(side, flow.more[s].pieces[0].begin);
            if (begin >= up_to)
                break;
            gap(flow, s, begin - side.delivered);
            side.delivered = begin;
            deliver_pieces(flow, s);
        }
        if (up_to > side.delivered)
            gap(flow, s, up_to - side.delivered);
    }
    side.delivered = std::max(side.delivered, up_to);
    deliver_pieces(flow, s);
}

void add_piece(Flow& flow, unsigned s, std::uint64_t begin, std::uint64_t end) {
    Side& side = flow.side[s];
    auto& pieces = flow.more[s].pieces;
    SideMore::Piece merged{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
    std::array<SideMore::Piece, SideMore::max_pieces + 1> all;
    std::size_t count = 0;
    bool placed = false;
    for (std::size_t i = 0; i < side.holes; ++i) {
        const SideMore::Piece piece = pieces[i];
        if (difference(piece.end, merged.begin) < 0) {
            all[count++] = piece;
        } else if (difference(piece.begin, merged.end) > 0) {
            if (!placed)
                all[count++] = merged;
            placed = true;
            all[count++] = piece;
        } else {
            if (difference(piece.begin, merged.begin) < 0)
                merged.begin = piece.begin;
            if (difference(piece.end, merged.end) > 0)
                merged.end = piece.end;
        }
    }
    if (!placed)
        all[count++] = merged;
    if (count > SideMore::max_pieces) {
        // More holes than there is room for: the first one is taken for lost.
        const std::uint64_t first = piece_position(side, all[0].begin);
        gap(flow, s, first - side.delivered);
        side.delivered = piece_position(side, all[0].end);
        std::move(all.begin() + 1, all.begin() + static_cast<std::ptrdiff_t>(count), all.begin());
        --count;
    }
    std::copy_n(all.begin(), count, pieces.begin());
    side.holes = static_cast<std::uint8_t>(count);
}

bool all_delivered(const Side& side) {
    if (side.gave_up)
        return true;
    const std::uint64_t delivered = side.start_sequence + side.delivered;
    const std::uint64_t last = full(side.last_sequence, side.last_wraps);
    return last < delivered || delivered == last || delivered + 1 == last;
}

}  // namespace

bool stream_acknowledged(Flow& flow, unsigned s, std::uint64_t at) {
    Side& side = flow.side[s];
    const SideMore& more = flow.more[s];
    if (side.fins > 0) {  // a FIN takes a number and is no payload
        const std::int32_t past_fin = difference(static_cast<std::uint32_t>(at), more.fin_sequence);
        if (past_fin >= 0)
            at -= static_cast<std::uint32_t>(past_fin) + 1U;
    }
    // Signed: a position may be before the start.
    if (static_cast<std::int64_t>(at) <= static_cast<std::int64_t>(side.trimmed))
        return false;
    if (at > side.delivered)
        undelivered(flow, s, at);
    side.trimmed = at;
    return true;
}

void stream_payload(Flow& flow, unsigned s, std::uint64_t at, std::uint32_t bytes) {
    Side& side = flow.side[s];
    if (side.gave_up)
        return;
    const std::uint64_t end = at + bytes;
    const std::uint64_t known = std::max(side.trimmed, side.delivered);
    if (static_cast<std::int64_t>(end) <= static_cast<std::int64_t>(known) ||
        end - side.delivered >= (1U << 31U))
        return;
    if (at <= side.delivered) {
        side.delivered = end;
        deliver_pieces(flow, s);
        return;
    }
    add_piece(flow, s, at, end);
    const std::uint32_t top = flow.more[s].pieces[side.holes - 1].end;
    if (none_acknowledged(side) && piece_position(side, top) - side.delivered > max_above_hole) {
        side.gave_up = true;
        side.holes = 0;
    }
}

bool stream_pending(const Flow& flow, unsigned s) {
    if (flow.side[s].gave_up)
        return false;
    if (!all_delivered(flow.side[s]))
        return true;
    return flow.side[s].state != TcpState::reset && flow.side[s ^ 1U].holes > 0;
}

}  // namespace amoskys::flow
