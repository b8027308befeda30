#include "core/io/service_manager.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

using namespace amoskys;
using namespace std::chrono_literals;

namespace {

std::chrono::nanoseconds interval_with(const char* usec, const char* pid) {
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
    if (usec != nullptr)
        ::setenv("WATCHDOG_USEC", usec, 1);
    if (pid != nullptr)
        ::setenv("WATCHDOG_PID", pid, 1);
    const auto out = io::watchdog_interval();
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
    return out;
}

}  // namespace

TEST_CASE("the watchdog is fed at half its time, by the process it is meant for") {
    CHECK(interval_with(nullptr, nullptr) == 0ns);
    CHECK(interval_with("30000000", nullptr) == 15s);
    CHECK(interval_with("30000000", std::to_string(::getpid()).c_str()) == 15s);
    CHECK(interval_with("30000000", "1") == 0ns);
    CHECK(interval_with("30000000", "me") == 0ns);
    CHECK(interval_with("18446744073709551615", nullptr) == 12h);
    for (const char* text : {"", "0", "-1", "3s", "99999999999999999999"})
        CHECK(interval_with(text, nullptr) == 0ns);
}
