// What systemd is told by datagrams (sd_notify(3)), without its library.
#include "core/io/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "core/base/file.h"

namespace amoskys::io {
namespace {

// A whole number above 0, or 0.
std::uint64_t number_of(const char* text) {
    std::uint64_t value = 0;
    if (text == nullptr)
        return 0;
    const char* end = text + std::strlen(text);
    const auto [stop, ec] = std::from_chars(text, end, value);
    return ec == std::errc() && stop == end ? value : 0;
}

Task<Result<>> feed(std::chrono::nanoseconds every) {
    while (true) {
        notify_service_manager("WATCHDOG=1");
        const bool slept = co_await sleep_for(every);
        if (!slept)
            co_return Result<>();
    }
}

}  // namespace

void notify_service_manager(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@'))
        return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(path);
    if (length >= sizeof address.sun_path)
        return;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    const FileDescriptor fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd)
        return;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    // A service manager that does not listen is not our failure.
    [[maybe_unused]] const auto sent =
        ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

std::chrono::nanoseconds watchdog_interval() {
    const char* pid = std::getenv("WATCHDOG_PID");
    if (pid != nullptr && number_of(pid) != static_cast<std::uint64_t>(::getpid()))
        return {};
    constexpr std::uint64_t longest_us = 86'400'000'000;  // a day
    const std::uint64_t us = std::min(number_of(std::getenv("WATCHDOG_USEC")), longest_us);
    return std::chrono::nanoseconds(us * 1000 / 2);
}

void feed_watchdog(TaskGroup& group) {
    if (const auto every = watchdog_interval(); every.count() > 0)
        group.spawn("watchdog", feed(every));
}

}  // namespace amoskys::io
