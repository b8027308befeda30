// The thread that talks to devices: one non-blocking socket per poll, epoll, timers. It sends what
// the DevicePoll asks for in the words of the Dialog, and hands the finished poll back.
//
//   submit() -> queue (bounded) -> open, send, answer or timeout, send ... -> deliver()      one
//   request per device
//
// Window: at most max_in_flight requests that were sent less than slot_hold ago. A device that
// keeps silent longer waits outside the window, so that dead devices cost the others nothing. The
// timeout doubles with each try; TCP, which repeats by itself, has one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "modules/collectors/snmp/dialog.h"
#include "modules/collectors/snmp/poll.h"
#include "modules/collectors/snmp/transport.h"

namespace amoskys::snmp {

struct Peer {
    Address address;
    Duration timeout{};    // of the first try
    unsigned retries = 0;  // tries after the first
};

struct PollJob {
    PollJob(std::uint64_t target_, Peer peer_, Dialog dialog_, DevicePoll poll_)
        : target(target_),
          peer(std::move(peer_)),
          dialog(std::move(dialog_)),
          poll(std::move(poll_)) {}

    std::uint64_t target;  // the caller's
    Peer peer;
    bool urgent = false;  // goes before those that are not: devices that answered last time
    Dialog dialog;
    DevicePoll poll;
    // Filled in by the thread:
    UnixNanos first_answer_ns = 0;
    std::chrono::steady_clock::time_point first_answer_at;
    Duration first_answer_after{};  // since its request was first sent
    Duration elapsed{};             // since the first request
    std::uint64_t retried = 0;      // requests sent again
    bool refused = false;           // the host said that nothing listens there
    std::string failure;            // why the poll could not go on; empty otherwise
};

struct SessionOptions {
    std::size_t max_in_flight = 64;
    std::size_t max_queued = 100'000;
    Duration slot_hold = std::chrono::milliseconds(100);
};

class SessionThread {
  public:
    using Deliver = std::function<void(std::unique_ptr<PollJob>)>;  // on the thread; must not block

    SessionThread(const SessionOptions& options, const Clock& clock, Deliver deliver);
    ~SessionThread();  // stops; polls that are under way are dropped without deliver()
    SessionThread(const SessionThread&) = delete;
    SessionThread& operator=(const SessionThread&) = delete;

    Result<> start();
    // unavailable "snmp_queue_full" where max_queued polls wait already.
    Result<> submit(std::unique_ptr<PollJob> job);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace amoskys::snmp
