// The process's event loop: one io_context on one thread, signals, a stop order and background
// tasks that are joined, never detached. Used by link, by the module host and by every module that
// waits for something. Threading: everything here is called on the io thread unless it says
// otherwise.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/task.h"

namespace amoskys::io {

// Waits; false where the wait was cancelled (also where the task had been cancelled before).
Task<bool> sleep_for(std::chrono::nanoseconds duration);
// True once the task that asks was cancelled.
Task<bool> cancelled();

// Wakes coroutines that wait for a change. A notify() without a waiter is remembered once, so that
// nothing is missed between looking and waiting. All on the io thread; from elsewhere:
// asio::post(io, ...).
class Event {
  public:
    explicit Event(asio::io_context& io);
    ~Event();
    void notify();
    Task<bool> wait();                                       // false: cancelled
    Task<bool> wait_for(std::chrono::nanoseconds duration);  // true also after the time has passed

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// Calls on_expiry once, after the duration, unless it was destroyed or cancelled first. For closing
// a socket that takes too long.
class Deadline {
  public:
    Deadline(asio::io_context& io, std::chrono::nanoseconds duration,
             std::function<void()> on_expiry);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    void cancel();
    bool expired() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// A set of coroutines that are cancelled and awaited together. A task that ends with an error stops
// the group; join() returns the first error. An exception that leaves a task is an error of kind
// internal.
class TaskGroup {
  public:
    explicit TaskGroup(asio::io_context& io);
    ~TaskGroup();  // check()s that all have ended
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    // After cancel() a task still starts, cancelled from the beginning.
    void spawn(std::string name, Task<Result<>> task);
    void cancel();  // asks all to end (asio cancellation)
    // Waits for all. Where the waiting task itself is cancelled, the group is cancelled and still
    // waited for.
    Task<Result<>> join();
    std::size_t size() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// SIGINT/SIGTERM -> stop (first) or immediate exit 130/143 (second); SIGHUP -> reload callback.
class Signals {
  public:
    explicit Signals(asio::io_context& io);
    ~Signals();
    void on_stop(std::function<void(int signal)> callback);
    void on_reload(std::function<void()> callback);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// A fixed thread for libraries that block or are not thread-safe; the queue is bounded.
class DedicatedThread {
  public:
    DedicatedThread(asio::io_context& io, std::string name, std::size_t max_queued);
    ~DedicatedThread();  // finishes what runs, drops what waits, joins
    // Runs fn on the thread and resumes here with its result. Not cancellable: fn must be bounded
    // in time. unavailable "thread_queue_full" where max_queued calls wait already.
    Task<Result<>> run(std::function<Result<>()> fn);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// min(cap, base x 2^attempt) x U(0.5, 1.5), never less than hint. base 50 ms, cap 2 s.
class Backoff {
  public:
    explicit Backoff(std::uint64_t seed);
    std::chrono::milliseconds next(std::chrono::milliseconds hint = {});
    void reset() { attempt_ = 0; }

  private:
    unsigned attempt_ = 0;
    std::uint64_t state_;
};

struct Endpoint {
    std::string host;  // address or name; "localhost" is resolved without asking anybody
    std::uint16_t port = 0;
};
// "127.0.0.1:50051", "[::1]:50051", "bus.example:50051", ":50051" (loopback); without a port the
// default one.
Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);
Result<> check_endpoint(std::string_view text);  // of an option
std::string format_endpoint(const std::string& host, std::uint16_t port);

// Numeric addresses, then localhost (127.0.0.1, ::1), then /etc/hosts, then getaddrinfo on asio's
// resolver thread: at least one address, or unavailable "name_not_found". In an empty chroot the
// last step cannot work.
Task<Result<std::vector<asio::ip::address>>> resolve(std::string host);
// The addresses of a name in the text of a hosts file, in the file's order.
std::vector<asio::ip::address> find_in_hosts(std::string_view hosts_text, std::string_view name);

// READY=1, RELOADING=1, STOPPING=1, WATCHDOG=1 datagrams to $NOTIFY_SOCKET; nothing where it is not
// set.
void notify_service_manager(std::string_view state);

}  // namespace amoskys::io
