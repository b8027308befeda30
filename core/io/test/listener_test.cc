#include "core/io/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/log/log.h"

using namespace amoskys;
using namespace std::chrono_literals;
namespace asio = io::asio;

namespace {

io::Task<Result<>> accept_into(io::Listener* listener, bool* accepted) {
    auto task = listener->accept();
    auto socket = co_await std::move(task);
    *accepted = socket.has_value();
    co_return Result<>();
}

// The lowest descriptor that is free: with it as the limit there is none.
rlim_t next_descriptor() {
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(next >= 0);
    ::close(next);
    return static_cast<rlim_t>(next);
}

}  // namespace

TEST_CASE(
    "without a free descriptor a listener waits, counts that, and goes on once there is one") {
    asio::io_context io;
    io::Listener listener(io);
    const auto address = listener.open({"127.0.0.1", 0});
    REQUIRE(address.has_value());
    const auto at = io::parse_endpoint(*address, 0);
    asio::ip::tcp::socket peer(io);
    peer.connect({asio::ip::make_address(at->host), at->port});

    // UBSan looks at an object of a class for the first time through a pipe: later it has none.
    static_cast<void>(log::allow("test"));
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlimit none{next_descriptor(), limit.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    bool accepted = false;
    io::TaskGroup tasks(io);
    tasks.spawn("accept", accept_into(&listener, &accepted));
    const auto until = [&](auto done) {
        const auto end = std::chrono::steady_clock::now() + 30s;
        while (!done() && std::chrono::steady_clock::now() < end) {
            io.restart();
            io.run_one_for(50ms);
        }
        return done();
    };
    const bool paused = until([&] { return listener.pauses() >= 2; });
    CHECK_FALSE(accepted);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(paused);
    CHECK(until([&] { return tasks.size() == 0; }));
    CHECK(accepted);
}
