// Which socket is which: inode to addresses, from the kernel's sock_diag dump (netlink(7),
// sock_diag(7)) of this network namespace. The decoder is bytes in, table out; SocketTable::refresh
// does the system calls. Not thread-safe. 40 bytes a socket and the map's node.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace amoskys::proc {

struct Socket {
    enum class Kind : std::uint8_t { tcp, udp, raw, packet };
    Kind kind = Kind::tcp;
    bool v6 = false;
    std::uint8_t state = 0;  // TCP_* of the kernel: 1 established, 10 listening
    std::uint16_t local_port = 0, remote_port = 0;
    std::array<std::uint8_t, 16> local{}, remote{};  // network order; IPv4 in the first four

    bool listening() const;  // TCP: in that state; UDP: bound, without a peer
    bool has_peer() const { return remote_port != 0; }
    std::string local_text() const;   // "tcp 0.0.0.0:22", "udp [::1]:53"
    std::string remote_text() const;  // "tcp 192.0.2.1:443"
    std::string remote_address() const;
};
using Sockets = std::unordered_map<std::uint64_t, Socket>;  // by inode

// A request for all sockets of one family (AF_INET, AF_INET6) and protocol (IPPROTO_*).
std::array<std::uint8_t, 72> inet_dump_request(std::uint8_t family, std::uint8_t protocol);

enum class DumpState { more, done, failed };
// One datagram of the answer. Malformed messages end the dump as failed.
DumpState decode_inet_dump(ByteView datagram, Socket::Kind kind, Sockets& out);

// /proc/net/packet: inodes of packet sockets.
void parse_packet_sockets(std::string_view text, Sockets& out);

class SocketTable {
  public:
    static constexpr std::size_t max_sockets = 200'000;
    // Anew; the error is that of the first family that could not be read.
    Result<> refresh();
    const Socket* find(std::uint64_t inode) const;
    Sockets& all() { return sockets_; }

  private:
    Sockets sockets_;
};

}  // namespace amoskys::proc
