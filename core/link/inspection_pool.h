// Threads that inspect envelopes beside the io thread. Nothing is ordered here: the connection
// keeps what it has given in the order of its frames. Bounded by its users: a connection stops
// reading while max_waiting_bytes of its envelopes are here.
//
// submit() from any thread; `done` runs on a thread of the pool and must not block.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/link/inspection.h"

namespace amoskys::link {

class InspectionPool {
  public:
    // One thread for each core, at most 8; none on a machine of one core, where everything is
    // inspected in place.
    static unsigned threads_of_this_machine();

    explicit InspectionPool(unsigned threads);
    ~InspectionPool();
    InspectionPool(const InspectionPool&) = delete;
    InspectionPool& operator=(const InspectionPool&) = delete;

    bool empty() const { return threads_.empty(); }
    void submit(std::shared_ptr<Inspection> inspection, std::function<void()> done);
    void stop();  // what has not begun is dropped; joins

  private:
    struct Job {
        std::shared_ptr<Inspection> inspection;
        std::function<void()> done;
    };
    void run();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> jobs_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace amoskys::link
