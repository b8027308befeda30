#include "modules/collectors/proc/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "core/base/file.h"

using namespace amoskys;
using namespace amoskys::proc;

namespace {

constexpr std::uint8_t listen_state = 10;

// One message of an answer: nlmsghdr 16, inet_diag_msg 72.
Bytes answer(std::uint8_t state, std::uint16_t port, std::uint32_t inode) {
    Bytes out(88);
    out[0] = 88;
    out[4] = 20;  // SOCK_DIAG_BY_FAMILY
    out[16] = AF_INET;
    out[17] = state;
    out[20] = static_cast<std::uint8_t>(port >> 8);
    out[21] = static_cast<std::uint8_t>(port);
    out[24] = 127;
    out[27] = 1;
    std::memcpy(out.data() + 84, &inode, sizeof inode);
    return out;
}

Bytes done() {
    Bytes out(20);
    out[0] = 20;
    out[4] = 3;
    return out;
}

std::uint64_t inode_of(int fd) {
    struct stat info {};
    REQUIRE(::fstat(fd, &info) == 0);
    return info.st_ino;
}

}  // namespace

TEST_CASE("an answer names the address of a socket by its inode") {
    Sockets sockets;
    Bytes datagram = answer(listen_state, 22, 77);
    const auto more = answer(1, 23, 0);  // nobody's any more
    datagram.insert(datagram.end(), more.begin(), more.end());
    CHECK(decode_inet_dump(datagram, Socket::Kind::tcp, sockets) == DumpState::more);
    REQUIRE(sockets.size() == 1);
    CHECK(sockets.at(77).listening());
    CHECK_FALSE(sockets.at(77).has_peer());
    CHECK(sockets.at(77).local_text() == "tcp 127.0.0.1:22");
    CHECK(decode_inet_dump(done(), Socket::Kind::tcp, sockets) == DumpState::done);
}

TEST_CASE("an answer that is cut short or says an error ends the list") {
    const auto whole = answer(listen_state, 22, 77);
    for (std::size_t size = 1; size < whole.size(); ++size) {
        Sockets sockets;
        CHECK(decode_inet_dump(ByteView(whole).first(size), Socket::Kind::tcp, sockets) ==
              DumpState::failed);
        CHECK(sockets.empty());
    }
    Sockets sockets;
    auto error = done();
    error[4] = 2;
    CHECK(decode_inet_dump(error, Socket::Kind::tcp, sockets) == DumpState::failed);
    auto short_one = answer(listen_state, 22, 77);
    short_one[0] = 40;  // a message without room for a socket
    CHECK(decode_inet_dump(short_one, Socket::Kind::tcp, sockets) == DumpState::failed);
}

TEST_CASE("packet sockets are the last column of /proc/net/packet") {
    Sockets sockets;
    parse_packet_sockets(
        "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"
        "0000000000000000 3      3    0003   2     1 0      0      4711\n"
        "broken line\n\n",
        sockets);
    REQUIRE(sockets.size() == 1);
    CHECK(sockets.at(4711).kind == Socket::Kind::packet);
}

TEST_CASE("the kernel lists a listening and a connected socket of this test") {
    const FileDescriptor listening(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listening.get(), generic, sizeof address) == 0);
    REQUIRE(::listen(listening.get(), 1) == 0);
    REQUIRE(::getsockname(listening.get(), generic, &size) == 0);
    const FileDescriptor connected(::socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(::connect(connected.get(), generic, sizeof address) == 0);
    const FileDescriptor udp(::socket(AF_INET6, SOCK_DGRAM, 0));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    const bool has_v6 =
        udp && ::bind(udp.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;

    SocketTable table;
    const auto refreshed = table.refresh();
    if (!refreshed) {
        WARN("no list of sockets here: " << refreshed.error().message);
        return;
    }
    const auto port = std::to_string(ntohs(address.sin_port));
    const auto* const first = table.find(inode_of(listening.get()));
    REQUIRE(first != nullptr);
    CHECK(first->listening());
    CHECK(first->local_text() == "tcp 127.0.0.1:" + port);
    const auto* const second = table.find(inode_of(connected.get()));
    REQUIRE(second != nullptr);
    CHECK(second->has_peer());
    CHECK(second->remote_text() == "tcp 127.0.0.1:" + port);
    CHECK(second->remote_address() == "127.0.0.1");
    if (has_v6) {
        const auto* const third = table.find(inode_of(udp.get()));
        REQUIRE(third != nullptr);
        CHECK(third->local_text().starts_with("udp [::]:"));
        CHECK(third->listening());
    }
}
