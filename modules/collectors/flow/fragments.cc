#include "modules/collectors/flow/fragments.h"

#include <algorithm>

namespace amoskys::flow {

// Copies what is new of the fragment. False where there are too many holes.
bool Fragments::insert(const Fragment& fragment, Datagram& datagram) {
    const std::uint32_t begin = fragment.offset;
    const auto end = static_cast<std::uint32_t>(begin + fragment.data.size());
    if (datagram.data.size() < end)
        datagram.data.resize(end);
    const auto copy = [&](std::uint32_t from, std::uint32_t to) {
        if (from < to)
            std::copy(fragment.data.begin() + (from - begin), fragment.data.begin() + (to - begin),
                      datagram.data.begin() + from);
    };
    Piece merged{begin, end};
    std::uint32_t at = begin;
    std::vector<Piece> pieces;
    pieces.reserve(datagram.pieces.size() + 1);
    for (const Piece& piece : datagram.pieces) {
        if (piece.end < begin || piece.begin > end) {
            pieces.push_back(piece);
            continue;
        }
        copy(at, std::min(piece.begin, end));
        at = std::max(at, piece.end);
        merged.begin = std::min(merged.begin, piece.begin);
        merged.end = std::max(merged.end, piece.end);
    }
    copy(at, end);
    pieces.push_back(merged);
    std::sort(pieces.begin(), pieces.end(),
              [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
    datagram.pieces = std::move(pieces);
    return datagram.pieces.size() <= max_pieces;
}

void Fragments::forget(Place place) {
    bytes_ -= place->data.size();
    by_key_.erase(place->key);
    waiting_.erase(place);
}

void Fragments::give_up(Place place) {
    ++given_up_;
    forget(place);
}

Fragments::Whole Fragments::add(const Fragment& fragment, UnixNanos now_ns) {
    while (!waiting_.empty() && waiting_.front().began_ns + timeout_ns < now_ns)
        give_up(waiting_.begin());
    constexpr std::size_t largest = 65535;
    const std::size_t end = fragment.offset + fragment.data.size();
    const bool uneven = fragment.more && fragment.data.size() % 8 != 0;
    if (fragment.data.empty() || uneven || end + fragment.header_bytes > largest) {
        ++given_up_;
        return {};
    }
    const Key key{fragment.source, fragment.destination, fragment.id, fragment.version,
                  fragment.protocol};
    auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        while (!waiting_.empty() && (waiting_.size() >= max_datagrams || bytes_ + end > max_bytes))
            give_up(waiting_.begin());
        waiting_.emplace_back();
        waiting_.back().key = key;
        waiting_.back().began_ns = now_ns;
        found = by_key_.emplace(key, std::prev(waiting_.end())).first;
    }
    const Place place = found->second;
    Datagram& datagram = *place;
    const std::size_t before = datagram.data.size();
    const bool fits = insert(fragment, datagram);
    bytes_ += datagram.data.size() - before;
    if (fragment.offset == 0 && !datagram.have_first) {
        datagram.have_first = true;
        datagram.first = fragment;
        datagram.first.data = {};
    }
    if (!fragment.more && datagram.total == 0)
        datagram.total = static_cast<std::uint32_t>(end);
    if (!fits || (datagram.total != 0 && datagram.data.size() > datagram.total)) {
        give_up(place);
        return {};
    }
    const bool complete = datagram.total != 0 && datagram.have_first &&
                          datagram.pieces.size() == 1 && datagram.pieces[0].begin == 0 &&
                          datagram.pieces[0].end == datagram.total;
    if (!complete)
        return {};
    bytes_ -= datagram.data.size();
    by_key_.erase(found);
    whole_ = std::move(datagram);
    waiting_.erase(place);
    return {&whole_.first, whole_.data};
}

}  // namespace amoskys::flow
