#include "modules/collectors/proc/tracker.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::proc;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

Sample make(Pid pid, std::uint64_t start_ticks, std::uint64_t cpu_ticks, std::uint64_t uptime_s) {
    Sample sample;
    sample.event.set_pid(pid);
    sample.event.set_name("p" + std::to_string(pid));
    sample.event.set_cmdline("p --x");
    sample.event.set_start_ticks(start_ticks);
    sample.event.set_euid(0);
    sample.detailed = true;
    sample.state = 'S';
    sample.cpu_ticks = cpu_ticks;
    sample.uptime_ns = uptime_s * second_ns;
    return sample;
}

struct Followed {
    ProcessTracker tracker{{100, 60 * second_ns, 2}};
    std::vector<messaging::ProcessEvent> exits;
    messaging::ProcessEvent look(Sample sample) {
        tracker.observe(sample, exits);
        return sample.event;
    }
    void end(std::vector<Pid> listed, std::uint64_t uptime_s) {
        tracker.end_scan(listed, uptime_s * second_ns,
                         {uptime_s * second_ns + 5, uptime_s * second_ns}, exits);
    }
};

}  // namespace

TEST_CASE("the first scan gives snapshots without a CPU share") {
    Followed f;
    const auto event = f.look(make(1, 100, 50, 100));
    CHECK(event.kind() == "SNAPSHOT");
    CHECK_FALSE(event.has_cpu_percent());
    REQUIRE(event.missing_size() == 1);
    CHECK(event.missing(0) == "cpu_percent:first_sample");
}

TEST_CASE("a look before the first scan gives it a CPU share") {
    Followed f;
    f.tracker.prime(make(1, 100, 50, 100));
    const auto event = f.look(make(1, 100, 150, 102));
    CHECK(event.kind() == "SNAPSHOT");
    CHECK(event.cpu_percent() == Approx(50));
    f.end({1}, 102);
    CHECK(f.exits.empty());
}

TEST_CASE("the CPU share is of the time since the previous sample") {
    Followed f;
    f.look(make(1, 100, 50, 100));
    f.end({1}, 100);
    const auto event = f.look(make(1, 100, 4050, 130));
    CHECK(event.kind() == "SNAPSHOT");
    CHECK(event.cpu_percent_host() == Approx(event.cpu_percent() / 2));
    CHECK(event.cpu_percent() == Approx(4000 / 100.0 / 30 * 100));
    CHECK(f.look(make(1, 100, 4050, 131)).cpu_percent() == 0);
    CHECK(f.look(make(1, 100, 4050, 131)).missing(0) == "cpu_percent:too_short");
}

TEST_CASE("a process that is new after the first scan has started") {
    Followed f;
    f.look(make(1, 100, 50, 100));
    f.end({1}, 100);
    const auto event = f.look(make(2, 12000, 500, 130));  // started at 120 s, 5 s of CPU in 10 s
    CHECK(event.kind() == "START");
    CHECK(event.cpu_percent() == Approx(50));
}

TEST_CASE("a process that is not listed any more has ended") {
    Followed f;
    f.look(make(1, 100, 50, 100));
    f.look(make(2, 5000, 50, 100));
    f.end({1, 2}, 100);
    CHECK(f.exits.empty());
    f.look(make(1, 100, 50, 130));
    f.end({1}, 130);
    REQUIRE(f.exits.size() == 1);
    const auto& exit = f.exits[0];
    CHECK(exit.kind() == "EXIT");
    CHECK(exit.pid() == 2);
    CHECK(exit.name() == "p2");
    CHECK(exit.cmdline() == "p --x");
    CHECK(exit.start_ticks() == 5000);
    CHECK(exit.duration_ns() == 80 * second_ns);
    CHECK(exit.event_time_ns() == 130 * second_ns + 5);
    CHECK_FALSE(exit.has_exit_code());
    CHECK(exit.missing(0) == "exit_code:polled");
    CHECK(f.tracker.size() == 1);
}

TEST_CASE("a pid that comes back with another start is an exit and a start") {
    Followed f;
    f.look(make(7, 100, 50, 100));
    f.end({7}, 100);
    const auto event = f.look(make(7, 11000, 0, 130));
    CHECK(event.kind() == "START");
    REQUIRE(f.exits.size() == 1);
    CHECK(f.exits[0].start_ticks() == 100);
    f.end({7}, 130);
    CHECK(f.exits.size() == 1);
}

TEST_CASE("a process that is listed but was not read has not ended") {
    Followed f;
    f.look(make(1, 100, 50, 100));
    f.look(make(2, 100, 50, 100));
    f.end({1, 2}, 100);
    f.look(make(1, 100, 50, 130));
    f.end({1, 2}, 130);
    CHECK(f.exits.empty());
    CHECK(f.look(make(2, 100, 50, 160)).kind() == "SNAPSHOT");
}

TEST_CASE("a process that ended before it was ever sent gives no exit") {
    Followed f;
    f.tracker.prime(make(3, 100, 50, 100));
    f.end({}, 101);
    CHECK(f.exits.empty());
    CHECK(f.tracker.size() == 0);
}

TEST_CASE(
    "the kernel's exit of a process that was never read has its pid and says what is missing") {
    Followed f;
    f.tracker.prime(make(3, 100, 50, 100));
    for (const Pid pid : {3, 4}) {  // one that the first look saw, one that nobody did
        const auto event = f.tracker.exited(pid, 1 << 8, {130 * second_ns, 130 * second_ns});
        CHECK(event.kind() == "EXIT");
        CHECK(event.pid() == static_cast<std::uint64_t>(pid));
        CHECK(event.exit_code() == 1);
        CHECK(event.has_start_ticks() == (pid == 3));
        CHECK(event.has_duration_ns() == (pid == 3));
        for (const char* field : {"ppid:unknown", "uid:unknown", "gid:unknown"})
            CHECK(std::ranges::count(event.missing(), field) == 1);
    }
}

TEST_CASE("an exit keeps the gap in the ids and bounded text") {
    Followed f;
    auto sample = make(4, 100, 50, 100);
    sample.event.set_cmdline(std::string(10000, 'x'));
    sample.event.add_missing("uid:EACCES");
    sample.event.add_missing("exe:EACCES");
    f.look(sample);
    f.end({}, 130);
    REQUIRE(f.exits.size() == 1);
    CHECK(f.exits[0].cmdline().size() == max_kept_bytes);
    REQUIRE(f.exits[0].missing_size() == 2);
    CHECK(f.exits[0].missing(0) == "uid:EACCES");
}
