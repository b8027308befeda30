// The process's event loop: one io_context on one thread, signals, a stop order and background
// tasks that are joined, never detached.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/io/task.h"

namespace amoskys::io {

// Waits; false where the wait was cancelled.
Task<bool> sleep_for(std::chrono::nanoseconds duration);

// A set of coroutines that are cancelled and awaited together. A task that ends with an error stops
// the group; join() returns the first error.
class TaskGroup {
  public:
    explicit TaskGroup(asio::io_context& io);
    ~TaskGroup();  // check()s that all have ended
    void spawn(std::string name, Task<Result<>> task);
    void cancel();          // asks all to end (asio cancellation)
    Task<Result<>> join();  // waits for all
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
    ~DedicatedThread();
    // Runs fn on the thread and resumes here with its result. Not cancellable: fn must be bounded
    // in time.
    Task<Result<>> run(std::function<Result<>()> fn);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// min(cap, base x 2^attempt) x U(0.5, 1.5), never less than hint.
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
// "127.0.0.1:50051", "[::1]:50051", "bus.example:50051", ":50051" (loopback).
Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);
std::string format_endpoint(const std::string& host, std::uint16_t port);

// READY=1, RELOADING=1, STOPPING=1, WATCHDOG=1 datagrams to $NOTIFY_SOCKET; nothing where it is not
// set.
void notify_service_manager(std::string_view state);

}  // namespace amoskys::io
