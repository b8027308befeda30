#include "core/io/runtime.h"

#include <boost/asio/this_coro.hpp>

namespace amoskys::io {

Task<bool> cancelled() {
    auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

Task<bool> sleep_for(std::chrono::nanoseconds duration) {
    auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        co_return false;
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor,
                             std::chrono::duration_cast<asio::steady_timer::duration>(duration));
    auto [ec] = co_await timer.async_wait(use_tuple);
    co_return !ec;
}

struct Event::Impl {
    explicit Impl(asio::io_context& io_) : io(io_) {}
    asio::io_context& io;
    std::vector<asio::steady_timer*> waiters;
    bool pending = false;
};

Event::Event(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {}
Event::~Event() = default;

void Event::notify() {
    if (impl_->waiters.empty()) {
        impl_->pending = true;
        return;
    }
    for (auto* timer : impl_->waiters)
        timer->expires_at(asio::steady_timer::time_point::min());
}

Task<bool> Event::wait() {
    return wait_for(std::chrono::nanoseconds::max());
}

Task<bool> Event::wait_for(std::chrono::nanoseconds duration) {
    auto impl = impl_;
    auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        co_return false;
    if (impl->pending) {
        impl->pending = false;
        co_return true;
    }
    asio::steady_timer timer(impl->io);
    if (duration == std::chrono::nanoseconds::max())
        timer.expires_at(asio::steady_timer::time_point::max());
    else
        timer.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(duration));
    impl->waiters.push_back(&timer);
    // A notify() moves the expiry, which aborts the wait: only the task's own cancellation means
    // false.
    co_await timer.async_wait(use_tuple);
    std::erase(impl->waiters, &timer);
    co_return state.cancelled() == asio::cancellation_type::none;
}

struct Deadline::Impl {
    explicit Impl(asio::io_context& io) : timer(io) {}
    asio::steady_timer timer;
    std::function<void()> on_expiry;
    bool expired = false;
    bool active = true;
};

Deadline::Deadline(asio::io_context& io, std::chrono::nanoseconds duration,
                   std::function<void()> on_expiry)
    : impl_(std::make_shared<Impl>(io)) {
    impl_->on_expiry = std::move(on_expiry);
    impl_->timer.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(duration));
    impl_->timer.async_wait([impl = impl_](const boost::system::error_code& ec) {
        if (ec || !impl->active)
            return;
        impl->active = false;
        impl->expired = true;
        impl->on_expiry();
    });
}
Deadline::~Deadline() {
    cancel();
}

void Deadline::cancel() {
    impl_->active = false;
    impl_->timer.cancel();
}
bool Deadline::expired() const {
    return impl_->expired;
}

Backoff::Backoff(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 0x1234567ULL) {}

std::chrono::milliseconds Backoff::next(std::chrono::milliseconds hint) {
    constexpr std::uint64_t base_ms = 50, cap_ms = 2000;
    const std::uint64_t full = attempt_ >= 6 ? cap_ms : std::min(cap_ms, base_ms << attempt_);
    if (attempt_ < 6)
        ++attempt_;
    state_ += 0x9E3779B97F4A7C15ULL;  // splitmix64
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    const std::uint64_t jittered = full / 2 + z % (full + 1);
    return std::max(hint, std::chrono::milliseconds(static_cast<std::int64_t>(jittered)));
}

}  // namespace amoskys::io
