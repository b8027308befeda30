// The sockets on which traps and informs arrive. On the collector's loop; each socket is one
// coroutine that ends when it is cancelled.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "modules/collectors/snmp/trap.h"

namespace amoskys::snmp {

class TrapReceiver {
  public:
    // The device id of an address that sent something.
    using NameOf = std::function<std::string(const std::string& address)>;

    TrapReceiver(const module::CollectorContext& context,
                 std::shared_ptr<const Credentials> credentials, double per_second, NameOf name_of);
    // HOST:PORT, numeric. The error names what cannot be bound, and why.
    Result<> open(const std::vector<std::string>& listen);
    // One task per socket.
    std::vector<io::Task<Result<>>> tasks(module::Emitter& emitter);
    std::vector<std::string> addresses() const;  // as bound

  private:
    using Socket = io::asio::ip::udp::socket;
    io::Task<Result<>> receive(Socket& socket, module::Emitter& emitter);
    std::optional<messaging::DeviceTelemetry> take(Socket& socket, ByteView datagram,
                                                   const io::asio::ip::udp::endpoint& from);

    module::CollectorContext context_;
    TrapDecoder decoder_;
    SourceLimit limit_;
    NameOf name_of_;
    std::list<Socket> sockets_;
};

}  // namespace amoskys::snmp
