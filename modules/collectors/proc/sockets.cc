#include "modules/collectors/proc/sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/file.h"
#include "core/base/text.h"
#include "modules/collectors/proc/decode.h"

namespace amoskys::proc {
namespace {

constexpr std::uint8_t tcp_established = 1, tcp_listen = 10;
constexpr std::string_view kind_names[] = {"tcp", "udp", "raw", "packet"};

std::string address_text(bool v6, const std::array<std::uint8_t, 16>& address) {
    char buffer[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(v6 ? AF_INET6 : AF_INET, address.data(), buffer, sizeof buffer);
    return buffer;
}

std::string text_of(const Socket& socket, const std::array<std::uint8_t, 16>& address,
                    std::uint16_t port) {
    std::string out(kind_names[static_cast<std::size_t>(socket.kind)]);
    out += socket.v6 ? " [" : " ";
    out += address_text(socket.v6, address);
    out += socket.v6 ? "]:" : ":";
    return out + std::to_string(port);
}

template <class T>
T load(ByteView from) {
    T out{};
    std::memcpy(&out, from.data(), sizeof out);
    return out;
}

}  // namespace

bool Socket::listening() const {
    return (kind == Kind::tcp && state == tcp_listen) ||
           (kind == Kind::udp && state != tcp_established);
}

std::string Socket::local_text() const {
    return text_of(*this, local, local_port);
}

std::string Socket::remote_text() const {
    return text_of(*this, remote, remote_port);
}

std::string Socket::remote_address() const {
    return address_text(v6, remote);
}

std::array<std::uint8_t, 72> inet_dump_request(std::uint8_t family, std::uint8_t protocol) {
    struct {
        nlmsghdr header;
        inet_diag_req_v2 request;
    } message{};
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.request.sdiag_family = family;
    message.request.sdiag_protocol = protocol;
    message.request.idiag_states = ~0U;
    std::array<std::uint8_t, 72> out{};
    static_assert(sizeof message == out.size());
    std::memcpy(out.data(), &message, sizeof message);
    return out;
}

DumpState decode_inet_dump(ByteView datagram, Socket::Kind kind, Sockets& out) {
    while (datagram.size() >= sizeof(nlmsghdr)) {
        const auto header = load<nlmsghdr>(datagram);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size())
            return DumpState::failed;
        if (header.nlmsg_type == NLMSG_DONE)
            return DumpState::done;
        if (header.nlmsg_type == NLMSG_ERROR)
            return DumpState::failed;
        if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
            if (header.nlmsg_len < sizeof header + sizeof(inet_diag_msg))
                return DumpState::failed;
            const auto message = load<inet_diag_msg>(datagram.subspan(sizeof header));
            Socket socket;
            socket.kind = kind;
            socket.v6 = message.idiag_family == AF_INET6;
            socket.state = message.idiag_state;
            socket.local_port = ntohs(message.id.idiag_sport);
            socket.remote_port = ntohs(message.id.idiag_dport);
            std::memcpy(socket.local.data(), message.id.idiag_src, socket.local.size());
            std::memcpy(socket.remote.data(), message.id.idiag_dst, socket.remote.size());
            // 0: a connection that no process has any more (TIME-WAIT).
            if (message.idiag_inode != 0 && out.size() < SocketTable::max_sockets)
                out.emplace(message.idiag_inode, socket);
        }
        const std::size_t step = NLMSG_ALIGN(header.nlmsg_len);
        datagram = datagram.subspan(std::min(step, datagram.size()));
    }
    return datagram.empty() ? DumpState::more : DumpState::failed;
}

void parse_packet_sockets(std::string_view text, Sockets& out) {
    take_line(text);  // names of the columns
    while (!text.empty()) {
        const auto line = trim(take_line(text));
        const auto inode_at = line.find_last_of(' ');
        if (inode_at == std::string_view::npos)
            continue;
        auto word = line.substr(inode_at);
        std::uint64_t inode = 0;
        if (take_number(word, inode) && word.empty() && out.size() < SocketTable::max_sockets) {
            Socket socket;
            socket.kind = Socket::Kind::packet;
            out.emplace(inode, socket);
        }
    }
}

Result<> SocketTable::refresh() {
    sockets_.clear();
    const FileDescriptor netlink(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!netlink)
        return errno_error("proc_sockets", "cannot open a sock_diag socket", errno);
    const timeval limit{1, 0};  // the kernel answers at once
    ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::vector<std::uint8_t> buffer(32 * 1024);
    constexpr std::uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW};
    Result<> result;
    for (std::size_t kind = 0; kind < std::size(protocols); ++kind)
        for (const int family : {AF_INET, AF_INET6}) {
            const auto request =
                inet_dump_request(static_cast<std::uint8_t>(family), protocols[kind]);
            ssize_t got = ::send(netlink.get(), request.data(), request.size(), 0);
            auto state = got < 0 ? DumpState::failed : DumpState::more;
            while (state == DumpState::more) {
                got = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
                if (got < 0 && errno == EINTR)
                    continue;
                if (got <= 0)
                    break;
                state = decode_inet_dump({buffer.data(), static_cast<std::size_t>(got)},
                                         static_cast<Socket::Kind>(kind), sockets_);
            }
            // Raw sockets have a module of their own, which need not be there.
            if (state != DumpState::done && kind < 2 && result)
                result = make_error(
                    ErrorKind::unavailable, "proc_sockets",
                    "the kernel refused a list of " + std::string(kind_names[kind]) + " sockets");
        }
    return result;
}

const Socket* SocketTable::find(std::uint64_t inode) const {
    const auto found = sockets_.find(inode);
    return found == sockets_.end() ? nullptr : &found->second;
}

}  // namespace amoskys::proc
