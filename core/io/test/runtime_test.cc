#include "core/io/runtime.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

using namespace amoskys;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

io::Task<Result<>> sleeper(int* woken, std::chrono::nanoseconds duration) {
    const bool slept = co_await io::sleep_for(duration);
    if (!slept)
        ++*woken;
    co_return Result<>();
}

io::Task<Result<>> failing() {
    co_await io::sleep_for(0ns);
    co_return make_error(ErrorKind::io, "broken", "it broke");
}

io::Task<Result<>> throwing() {
    co_await io::sleep_for(0ns);
    throw std::runtime_error("odd");
}

io::Task<Result<>> stop_at_once(io::TaskGroup* group) {
    group->cancel();
    co_return Result<>();
}

io::Task<Result<>> join_into(io::TaskGroup* group, Result<>* out) {
    *out = co_await group->join();
    co_return Result<>();
}

void run(asio::io_context& io) {
    io.restart();
    io.run_for(20s);
    REQUIRE(io.stopped());
}

// Runs `main` in a group of its own until everything has ended.
void run_main(asio::io_context& io, io::Task<Result<>> main) {
    io::TaskGroup group(io);
    group.spawn("main", std::move(main));
    run(io);
}

}  // namespace

TEST_CASE("cancelling a group wakes its sleepers, and join returns") {
    asio::io_context io;
    io::TaskGroup group(io), outer(io);
    int woken = 0;
    Result<> joined = make_error(ErrorKind::failed, "unset", "");
    group.spawn("a", sleeper(&woken, 1h));
    group.spawn("b", sleeper(&woken, 2h));
    outer.spawn("join", join_into(&group, &joined));
    outer.spawn("stop", stop_at_once(&group));
    run(io);
    CHECK(woken == 2);
    CHECK(joined.has_value());
    CHECK(group.size() == 0);
}

TEST_CASE("a task spawned into a cancelled group starts cancelled") {
    asio::io_context io;
    io::TaskGroup group(io);
    group.cancel();
    int woken = 0;
    group.spawn("late", sleeper(&woken, 1h));
    run(io);
    CHECK(woken == 1);
    CHECK(group.size() == 0);
}

TEST_CASE("a task that ends the group before another has started leaves it to start cancelled") {
    asio::io_context io;
    io::TaskGroup group(io), outer(io);
    int woken = 0;
    Result<> joined = make_error(ErrorKind::failed, "unset", "");
    group.spawn("stop", stop_at_once(&group));
    group.spawn("not started", sleeper(&woken, 1h));
    outer.spawn("join", join_into(&group, &joined));
    run(io);
    CHECK(woken == 1);
    CHECK(joined.has_value());
}

TEST_CASE("an error of one task stops the group and is what join returns") {
    asio::io_context io;
    io::TaskGroup group(io), outer(io);
    int woken = 0;
    Result<> joined;
    group.spawn("waits", sleeper(&woken, 1h));
    group.spawn("fails", failing());
    outer.spawn("join", join_into(&group, &joined));
    run(io);
    CHECK(woken == 1);
    REQUIRE_FALSE(joined.has_value());
    CHECK(joined.error().code == "broken");
}

TEST_CASE("an exception that leaves a task is an internal error that names the task") {
    asio::io_context io;
    io::TaskGroup group(io), outer(io);
    Result<> joined;
    group.spawn("thrower", throwing());
    outer.spawn("join", join_into(&group, &joined));
    run(io);
    REQUIRE_FALSE(joined.has_value());
    CHECK(joined.error().kind == ErrorKind::internal);
    CHECK(joined.error().message == "task thrower ended by an exception: odd");
}

TEST_CASE("cancelling the task that joins cancels the group it waits for") {
    asio::io_context io;
    io::TaskGroup group(io), outer(io);
    int woken = 0;
    Result<> joined = make_error(ErrorKind::failed, "unset", "");
    group.spawn("a", sleeper(&woken, 1h));
    outer.spawn("join", join_into(&group, &joined));
    asio::post(io, [&] { outer.cancel(); });
    run(io);
    CHECK(woken == 1);
    CHECK(joined.has_value());
}

namespace {
io::Task<Result<>> count_events(io::Event* event, int* count) {
    while (*count < 2) {
        const bool woken = co_await event->wait();
        if (!woken)
            break;
        ++*count;
    }
    co_return Result<>();
}
}  // namespace

TEST_CASE("an event that fires before the wait is not missed") {
    asio::io_context io;
    io::Event event(io);
    io::TaskGroup group(io);
    int count = 0;
    event.notify();
    group.spawn("waiter", count_events(&event, &count));
    asio::post(io, [&] { asio::post(io, [&] { event.notify(); }); });
    run(io);
    CHECK(count == 2);
}

TEST_CASE("a deadline that passes calls back once, and a cancelled one never") {
    asio::io_context io;
    int calls = 0;
    io::Deadline passes(io, 1ms, [&] { ++calls; });
    io::Deadline cancelled_one(io, 1ms, [&] { calls += 10; });
    cancelled_one.cancel();
    run(io);
    CHECK(calls == 1);
    CHECK(passes.expired());
    CHECK_FALSE(cancelled_one.expired());
}

namespace {
io::Task<Result<>> use_thread(io::DedicatedThread* thread, std::thread::id* id, Result<>* out) {
    std::function<Result<>()> fn = [id]() -> Result<> {
        *id = std::this_thread::get_id();
        return make_error(ErrorKind::no_input, "said", "from the thread");
    };
    *out = co_await thread->run(std::move(fn));
    co_return Result<>();
}
}  // namespace

TEST_CASE("a dedicated thread runs the call elsewhere and gives its result back") {
    asio::io_context io;
    io::DedicatedThread thread(io, "worker", 4);
    std::thread::id id;
    Result<> out;
    run_main(io, use_thread(&thread, &id, &out));
    CHECK(id != std::this_thread::get_id());
    CHECK(id != std::thread::id());
    REQUIRE_FALSE(out.has_value());
    CHECK(out.error().code == "said");
}

TEST_CASE("a dedicated thread refuses what its bounded queue cannot hold") {
    asio::io_context io;
    io::DedicatedThread thread(io, "worker", 0);
    std::thread::id id;
    Result<> out;
    run_main(io, use_thread(&thread, &id, &out));
    REQUIRE_FALSE(out.has_value());
    CHECK(out.error().code == "thread_queue_full");
}

TEST_CASE("backoff doubles to its cap, stays within its jitter and respects a hint") {
    io::Backoff backoff(7);
    std::int64_t full = 50;
    for (int i = 0; i < 12; ++i) {
        const auto wait = backoff.next().count();
        CHECK(wait >= full / 2);
        CHECK(wait <= full + full / 2);
        full = std::min<std::int64_t>(2000, full * 2);
    }
    CHECK(backoff.next(10s) == 10s);
    backoff.reset();
    CHECK(backoff.next() <= 75ms);
    CHECK(io::Backoff(1).next() != io::Backoff(2).next());
}
