// One socket to one device: datagrams over UDP, messages framed by their own length over TCP (RFC
// 3430). Never blocks. Used by the session thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/base/bytes.h"
#include "core/base/file.h"

namespace amoskys::snmp {

struct Address {
    std::string transport;  // udp, udp6, tcp, tcp6
    std::string host;       // numeric
    std::uint16_t port = 161;
};

class Transport {
  public:
    enum class State : std::uint8_t {
        idle,     // nothing (more) to read for now
        message,  // one whole message
        refused,  // UDP: the host says that nothing listens there
        failed,   // the connection is gone: error()
    };

    // False: error(). TCP is connected, or not, when the socket becomes writable: connected().
    bool open(const Address& address);
    bool connected();
    bool send(ByteView message);
    // `buffer` is scratch space of max_datagram octets; the message lies in it, or in here, until
    // the next call.
    State read(std::span<std::uint8_t> buffer, ByteView& message);

    bool is_stream() const { return stream_; }
    int fd() const { return fd_.get(); }
    const std::string& error() const { return error_; }

    static constexpr std::size_t max_datagram = 65'536;
    static constexpr std::size_t max_stream_message = 4 * 1024 * 1024;

  private:
    bool fail(int errno_value);
    State next_in_stream(ByteView& message);

    FileDescriptor fd_;
    bool stream_ = false;
    Bytes received_;  // TCP: what is not yet a whole message
    std::size_t taken_ = 0;
    std::string error_;
};

}  // namespace amoskys::snmp
