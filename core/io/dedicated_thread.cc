#include <boost/asio/post.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/io/runtime.h"

#include <pthread.h>

namespace amoskys::io {

struct DedicatedThread::Impl {
    struct Call {
        explicit Call(asio::io_context& io) : wake(io) {}
        std::function<Result<>()> fn;
        Result<> result;
        asio::steady_timer wake;
        bool done = false;  // written and read on the io thread
    };

    Impl(asio::io_context& io_, std::size_t max) : io(io_), max_queued(max) {}

    void loop() {
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock, [this] { return stopping || !queue.empty(); });
            if (stopping)
                return;
            auto call = std::move(queue.front());
            queue.pop_front();
            lock.unlock();
            call->result = call->fn();
            call->fn = nullptr;
            asio::post(io, [call] {
                call->done = true;
                call->wake.cancel();
            });
            call.reset();
            lock.lock();
        }
    }

    asio::io_context& io;
    const std::size_t max_queued;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::shared_ptr<Call>> queue;
    bool stopping = false;
    std::thread thread;
};

DedicatedThread::DedicatedThread(asio::io_context& io, std::string name, std::size_t max_queued)
    : impl_(std::make_unique<Impl>(io, max_queued)) {
    impl_->thread = std::thread([impl = impl_.get(), name = std::move(name)] {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        impl->loop();
    });
}

DedicatedThread::~DedicatedThread() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->changed.notify_all();
    impl_->thread.join();
}

Task<Result<>> DedicatedThread::run(std::function<Result<>()> fn) {
    auto call = std::make_shared<Impl::Call>(impl_->io);
    call->fn = std::move(fn);
    call->wake.expires_at(asio::steady_timer::time_point::max());
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->queue.size() >= impl_->max_queued)
            co_return make_error(
                ErrorKind::unavailable, "thread_queue_full",
                std::to_string(impl_->max_queued) + " calls already wait for this thread");
        impl_->queue.push_back(call);
    }
    impl_->changed.notify_one();
    // A cancelled wait goes on waiting: fn runs and may use what the caller owns.
    while (!call->done) {
        co_await call->wake.async_wait(use_tuple);
        if (!call->done)
            call->wake.expires_at(asio::steady_timer::time_point::max());
    }
    co_return std::move(call->result);
}

}  // namespace amoskys::io
