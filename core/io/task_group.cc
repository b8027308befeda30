#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <list>
#include <optional>

#include "core/base/check.h"
#include "core/io/runtime.h"

namespace amoskys::io {

struct TaskGroup::Impl {
    explicit Impl(asio::io_context& io_) : io(io_) {}

    struct Entry {
        std::string name;
        asio::cancellation_signal signal;
        bool started = false, ended = false;
    };

    // asio would throw, where nobody can catch it, for a task that is cancelled between co_spawn
    // and its first step: such a one is cancelled in that step.
    static Task<Result<>> run_guarded(std::shared_ptr<Impl> impl, std::shared_ptr<Entry> entry,
                                      Task<Result<>> task);

    void cancel() {
        cancelled = true;
        // A cancelled task may end others, or spawn, while we are at it.
        auto copy = entries;
        for (const auto& entry : copy)
            if (entry->started && !entry->ended)
                entry->signal.emit(asio::cancellation_type::all);
    }

    void end(const std::shared_ptr<Entry>& entry, Result<> result) {
        entry->ended = true;
        entries.remove(entry);
        if (!result && !first_error) {
            first_error = std::move(result).error();
            cancel();
        }
        if (entries.empty())
            for (auto* timer : joiners)
                timer->cancel();
    }

    asio::io_context& io;
    std::list<std::shared_ptr<Entry>> entries;
    std::optional<Error> first_error;
    std::vector<asio::steady_timer*> joiners;
    bool cancelled = false;
};

Task<Result<>> TaskGroup::Impl::run_guarded(std::shared_ptr<Impl> impl,
                                            std::shared_ptr<Entry> entry, Task<Result<>> task) {
    co_await asio::this_coro::throw_if_cancelled(false);
    entry->started = true;
    if (impl->cancelled)
        entry->signal.emit(asio::cancellation_type::all);
    try {
        auto result = co_await std::move(task);
        co_return result;
    } catch (const std::exception& e) {
        co_return make_error(ErrorKind::internal, "task_exception",
                             "task " + entry->name + " ended by an exception: " + e.what());
    }
}

TaskGroup::TaskGroup(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {}
TaskGroup::~TaskGroup() {
    check(impl_->entries.empty(), "a TaskGroup ended before its tasks");
}

void TaskGroup::spawn(std::string name, Task<Result<>> task) {
    auto entry = std::make_shared<Impl::Entry>();
    entry->name = std::move(name);
    impl_->entries.push_back(entry);
    auto guarded = Impl::run_guarded(impl_, entry, std::move(task));
    auto done = [impl = impl_, entry](std::exception_ptr, Result<> result) {
        impl->end(entry, std::move(result));
    };
    asio::co_spawn(impl_->io, std::move(guarded),
                   asio::bind_cancellation_slot(entry->signal.slot(), std::move(done)));
}

void TaskGroup::cancel() {
    impl_->cancel();
}

Task<Result<>> TaskGroup::join() {
    auto impl = impl_;
    asio::steady_timer timer(impl->io);
    impl->joiners.push_back(&timer);
    while (!impl->entries.empty()) {
        auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none && !impl->cancelled)
            impl->cancel();
        if (impl->entries.empty())
            break;
        timer.expires_at(asio::steady_timer::time_point::max());
        co_await timer.async_wait(use_tuple);
    }
    std::erase(impl->joiners, &timer);
    if (impl->first_error)
        co_return *impl->first_error;
    co_return Result<>();
}

std::size_t TaskGroup::size() const {
    return impl_->entries.size();
}

}  // namespace amoskys::io
