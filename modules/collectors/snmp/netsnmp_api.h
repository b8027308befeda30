// net-snmp's C API as the session thread uses it: one open session, requests out, answers in. The
// only file beside its .cc that knows net-snmp's types exist. All calls on one thread.
#pragma once

#include <optional>
#include <string>

#include "modules/collectors/snmp/poll.h"
#include "modules/collectors/snmp/session.h"

namespace amoskys::snmp {

// Once per process, before any Session: no configuration files, no MIBs, no persistent state, no
// log.
void initialise_netsnmp();

class NetsnmpSession {
  public:
    enum class Event : std::uint8_t { none, response, timed_out, failed };

    NetsnmpSession() = default;
    ~NetsnmpSession();
    NetsnmpSession(const NetsnmpSession&) = delete;
    NetsnmpSession& operator=(const NetsnmpSession&) = delete;

    Result<> open(const Peer& peer);
    Result<> send(const Request& request);
    void read();      // the socket is readable
    void on_timer();  // sends again what is due, or gives up
    int fd() const;   // -1 where the transport is closed

    // What read() or on_timer() brought; asking resets it.
    Event take_event();
    Response& response() { return response_; }
    std::uint64_t retried() const { return retried_; }

    // Called by net-snmp only.
    int on_callback(int operation, void* pdu);

  private:
    void* handle_ = nullptr;
    Event event_ = Event::none;
    Response response_;
    std::uint64_t retried_ = 0;
};

}  // namespace amoskys::snmp
