// From the reading thread to the io thread: what is to be emitted, in order. Bounded: push() waits
// where it is full, and the kernel's buffer fills meanwhile, which counts what it then loses.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "proto/messaging_schema.pb.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::proc {

// Serialized size at which a chunk of processes is handed to the emitter.
inline constexpr std::size_t chunk_bytes = 64 * 1024;

struct Output {
    std::vector<messaging::ProcessEvent> processes;
    std::optional<messaging::DeviceTelemetry> record;
    bool end_of_scan = false;
};

class OutputQueue {
  public:
    static constexpr std::size_t max_items = 4;  // of a chunk each
    // wake is called after each push, on the thread that pushes.
    explicit OutputQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

    // False where the queue was closed.
    bool push(Output output) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return closed_ || items_.size() < max_items; });
            if (closed_)
                return false;
            items_.push_back(std::move(output));
        }
        wake_();
        return true;
    }
    // Nothing where it is empty at the moment.
    std::optional<Output> pop() {
        std::optional<Output> out;
        {
            const std::lock_guard lock(mutex_);
            if (items_.empty())
                return out;
            out = std::move(items_.front());
            items_.pop_front();
        }
        changed_.notify_all();
        return out;
    }
    // Nobody pops any more: push() waits no longer.
    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Output> items_;
    bool closed_ = false;
    std::function<void()> wake_;
};

}  // namespace amoskys::proc
