#include "modules/collectors/snmp/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "modules/collectors/snmp/ber.h"

namespace amoskys::snmp {

bool Transport::fail(int errno_value) {
    error_ = std::strerror(errno_value);
    return false;
}

bool Transport::open(const Address& address) {
    const bool v6 = address.transport.ends_with('6');
    stream_ = address.transport.starts_with("tcp");
    fd_ = FileDescriptor(
        ::socket(v6 ? AF_INET6 : AF_INET,
                 (stream_ ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_)
        return fail(errno);
    sockaddr_in6 six{};
    sockaddr_in four{};
    six.sin6_family = AF_INET6;
    four.sin_family = AF_INET;
    six.sin6_port = four.sin_port = htons(address.port);
    inet_pton(AF_INET6, address.host.c_str(), &six.sin6_addr);
    inet_pton(AF_INET, address.host.c_str(), &four.sin_addr);
    const auto* to =
        v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    if (::connect(fd_.get(), to, v6 ? sizeof six : sizeof four) != 0 && errno != EINPROGRESS)
        return fail(errno);
    return true;
}

bool Transport::connected() {
    int failed = 0;
    socklen_t size = sizeof failed;
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    return failed == 0 || fail(failed);
}

bool Transport::send(ByteView message) {
    for (;;) {
        const ssize_t sent = ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL);
        if (sent == static_cast<ssize_t>(message.size()))
            return true;
        if (sent >= 0)
            return fail(ENOBUFS);  // a request is small: a stream that takes half of it is stuck
        if (errno == EINTR)
            continue;
        // What an earlier datagram met is not this one's: the answer, or the timeout, decides.
        if (!stream_ && (errno == ECONNREFUSED || errno == EAGAIN || errno == ENOBUFS))
            return true;
        return fail(errno);
    }
}

Transport::State Transport::next_in_stream(ByteView& message) {
    const ByteView rest = ByteView(received_).subspan(taken_);
    const auto length = message_length(rest);
    if (length && (*length == 0 || *length > max_stream_message)) {
        error_ = "what arrives is not SNMP";
        return State::failed;
    }
    if (!length || *length > rest.size())
        return State::idle;
    message = rest.first(*length);
    taken_ += *length;
    return State::message;
}

Transport::State Transport::read(std::span<std::uint8_t> buffer, ByteView& message) {
    if (stream_ && taken_ < received_.size())
        if (const State state = next_in_stream(message); state != State::idle)
            return state;
    for (;;) {
        const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return State::idle;
        if (got < 0) {
            fail(errno);
            return stream_ ? State::failed : State::refused;
        }
        if (!stream_) {
            message = ByteView(buffer).first(static_cast<std::size_t>(got));
            return State::message;
        }
        if (got == 0) {
            error_ = "the device closed the connection";
            return State::failed;
        }
        received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(taken_));
        taken_ = 0;
        received_.insert(received_.end(), buffer.begin(), buffer.begin() + got);
        if (const State state = next_in_stream(message); state != State::idle)
            return state;
    }
}

}  // namespace amoskys::snmp
