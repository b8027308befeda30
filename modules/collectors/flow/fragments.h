// Puts IP fragments together (RFC 791, RFC 8200 section 4.5). No clock: the caller gives the time.
// What came first at a place wins. Memory is bounded by max_bytes and max_datagrams; where a new
// datagram does not fit, the oldest one is given up and counted. Not thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <vector>

#include "core/base/clock.h"
#include "modules/collectors/flow/packet.h"

namespace amoskys::flow {

class Fragments {
  public:
    static constexpr std::size_t max_bytes = 4U << 20U;
    static constexpr std::size_t max_datagrams = 1024;
    static constexpr std::size_t max_pieces = 128;  // holes of one datagram
    static constexpr UnixNanos timeout_ns = 30'000'000'000;

    // A datagram that is complete now; valid until the next add().
    struct Whole {
        const Fragment* first = nullptr;
        ByteView data;
    };
    // first is null while something is missing.
    Whole add(const Fragment& fragment, UnixNanos now_ns);
    std::uint64_t given_up() const { return given_up_; }  // datagrams never completed
    std::size_t size() const { return waiting_.size(); }

  private:
    struct Key {
        Address source, destination;
        std::uint32_t id = 0;
        std::uint8_t version = 0, protocol = 0;
        auto operator<=>(const Key&) const = default;
    };
    struct Piece {
        std::uint32_t begin = 0, end = 0;
    };
    struct Datagram {
        Key key;
        Fragment first;  // without data
        UnixNanos began_ns = 0;
        std::uint32_t total = 0;  // 0: the last fragment has not come
        std::vector<std::uint8_t> data;
        std::vector<Piece> pieces;  // ascending, apart from each other
        bool have_first = false;
    };
    using Place = std::list<Datagram>::iterator;
    void give_up(Place place);
    void forget(Place place);
    static bool insert(const Fragment& fragment, Datagram& datagram);

    std::list<Datagram> waiting_;  // oldest first
    std::map<Key, Place> by_key_;
    std::size_t bytes_ = 0;
    Datagram whole_;
    std::uint64_t given_up_ = 0;
};

}  // namespace amoskys::flow
