#include "core/link/inspection_pool.h"

#include <algorithm>

namespace amoskys::link {

unsigned InspectionPool::threads_of_this_machine() {
    constexpr unsigned most = 8;
    const unsigned cores = std::thread::hardware_concurrency();
    return cores < 2 ? 0 : std::min(cores, most);
}

InspectionPool::InspectionPool(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i)
        threads_.emplace_back([this] { run(); });
}

InspectionPool::~InspectionPool() {
    stop();
}

void InspectionPool::submit(std::shared_ptr<Inspection> inspection, std::function<void()> done) {
    {
        const std::lock_guard hold(mutex_);
        jobs_.push_back({std::move(inspection), std::move(done)});
    }
    wake_.notify_one();
}

void InspectionPool::stop() {
    {
        const std::lock_guard hold(mutex_);
        stopping_ = true;
        jobs_.clear();
    }
    wake_.notify_all();
    for (auto& thread : threads_)
        if (thread.joinable())
            thread.join();
}

void InspectionPool::run() {
    while (true) {
        Job job;
        {
            std::unique_lock hold(mutex_);
            wake_.wait(hold, [this] { return stopping_ || !jobs_.empty(); });
            if (stopping_)
                return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job.inspection->verify();
        job.inspection->done.store(true, std::memory_order_release);
        job.done();
    }
}

}  // namespace amoskys::link
