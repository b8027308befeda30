#include "modules/collectors/proc/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/base/text.h"
#include "modules/collectors/proc/test/fake_proc.h"

using namespace amoskys;
using namespace amoskys::proc;
using namespace std::string_literals;
using Kind = LifeCycleEvent::Kind;

namespace {

// Says what the test puts into it.
class ScriptedSource final : public LifeCycleSource {
  public:
    std::string_view name() const override { return "SCRIPT"; }
    int descriptor() const override { return ready_.get(); }
    Result<> receive(std::vector<LifeCycleEvent>& out) override {
        if (broken)
            return make_error(ErrorKind::io, "broken", "the source broke");
        counts_.received += next.size();
        out.insert(out.end(), next.begin(), next.end());
        next.clear();
        return {};
    }
    LifeCycleCounts counts() const override { return counts_; }

    std::vector<LifeCycleEvent> next;
    LifeCycleCounts counts_;
    bool broken = false;

  private:
    FileDescriptor ready_{::eventfd(1, EFD_CLOEXEC)};
};

struct Bench {
    explicit Bench(ProcConfig settings = {}) : config(std::move(settings)) {
        config.proc_root = fake.root;
        ReaderOptions options;
        options.passwd = fake.root / "passwd";
        options.group = fake.root / "group";
        auto reader = ProcessReader::open(fake.root, options);
        REQUIRE(reader.has_value());
        auto allow = AllowList::parse(config.allow);
        REQUIRE(allow.has_value());
        worker.emplace(WorkerContext{config, clock, metrics, "box"}, std::move(*reader),
                       std::move(*allow), queue);
    }
    ScriptedSource& follow() {
        auto made = std::make_unique<ScriptedSource>();
        auto& source = *made;
        worker->follow(std::move(made));
        return source;
    }
    std::vector<messaging::ProcessEvent> take() {
        worker->hand_over();
        std::vector<messaging::ProcessEvent> out;
        while (auto item = queue.pop()) {
            for (auto& event : item->processes)
                out.push_back(std::move(event));
            if (item->record)
                records.push_back(std::move(*item->record));
        }
        return out;
    }
    std::vector<messaging::ProcessEvent> scan() {
        REQUIRE(worker->scan().has_value());
        return take();
    }
    std::vector<messaging::ProcessEvent> drain() {
        worker->drain();
        return take();
    }
    double metric(const std::string& name, const std::string& label = "") {
        for (const auto& sample : metrics.samples())
            if (sample.name == name &&
                (label.empty() || sample.labels.find(label) != std::string::npos))
                return sample.value;
        return 0;
    }

    FakeProc fake;
    ProcConfig config;
    FakeClock clock{2'000'000'000'000};
    metrics::Registry metrics;
    OutputQueue queue{[] {}};
    std::optional<Worker> worker;
    std::vector<messaging::DeviceTelemetry> records;
};

LifeCycleEvent make(Kind kind, Pid pid, Pid other = 0, std::uint32_t status = 0) {
    LifeCycleEvent event;
    event.kind = kind;
    event.pid = pid;
    event.other = other;
    event.status = status;
    event.time_ns = 1;
    return event;
}

bool misses(const messaging::ProcessEvent& event, const std::string& what) {
    for (const auto& field : event.missing())
        if (field == what)
            return true;
    return false;
}

}  // namespace

TEST_CASE("after the first scan only what moves is sent, until something changes") {
    Bench bench;
    bench.fake.process(42, "sshd", 50000, 250, "sshd\0-D\0"s);
    auto events = bench.scan();
    REQUIRE(events.size() == 1);
    CHECK_FALSE(events[0].partial());
    CHECK(events[0].cmdline() == "sshd -D");
    CHECK(events[0].observed_by() == "POLL");

    events = bench.scan();
    REQUIRE(events.size() == 1);
    CHECK(events[0].partial());
    CHECK(events[0].cmdline().empty());
    CHECK_FALSE(events[0].has_cap_effective());
    CHECK(events[0].exe() == "/usr/sbin/sshd");
    CHECK(events[0].uid() == 1);
    CHECK(events[0].user() == "daemon");
    CHECK(events[0].cgroup() == "/system.slice/ssh.service");
    CHECK(events[0].io_read_bytes() == 4096);
    CHECK(events[0].fds() == 2);
    CHECK(events[0].has_rss_bytes());

    bench.fake.process(42, "other", 50000, 250, "other\0"s);  // the same process, another program
    events = bench.scan();
    REQUIRE(events.size() == 1);
    CHECK_FALSE(events[0].partial());
    CHECK(events[0].cmdline() == "other");
    CHECK(events[0].kind() == "SNAPSHOT");
}

TEST_CASE("with details_interval 0 every scan sends everything") {
    ProcConfig config;
    config.details_interval = {};
    Bench bench(config);
    bench.fake.process(42, "a", 1, 1, "a\0"s);
    bench.scan();
    CHECK_FALSE(bench.scan().at(0).partial());
}

TEST_CASE("ancestors and the parent's program are named") {
    Bench bench;
    bench.fake.process(1, "init", 1, 1, "/sbin/init\0"s);
    bench.fake.process(42, "sh", 1, 1, "sh\0"s);  // its parent is 1
    const auto events = bench.scan();
    REQUIRE(events.size() == 2);
    REQUIRE(events[1].ancestors_size() >= 1);
    CHECK(events[1].ancestors(0) == "1 init");
    CHECK(events[1].parent_cmdline() == "/sbin/init");
    CHECK(events[1].ancestors_size() <= max_ancestors);  // this init is its own parent
}

TEST_CASE("fork, exec and exit come in order with what each knows") {
    Bench bench;
    bench.fake.process(1, "init", 1, 1, "/sbin/init\0"s);
    auto& source = bench.follow();
    bench.scan();
    bench.fake.process(50, "ls", 600, 2, "ls\0-l\0"s);
    source.next = {make(Kind::fork, 50, 1), make(Kind::exec, 50)};
    auto events = bench.drain();
    REQUIRE(events.size() == 2);
    CHECK(events[0].kind() == "START");
    CHECK(events[0].pid() == 50);
    CHECK(events[0].ppid() == 1);
    CHECK(events[0].start_ticks() == 600);
    CHECK(events[0].name() == "init");  // a copy until it executes something
    CHECK(events[0].observed_by() == "SCRIPT");
    CHECK(events[1].kind() == "EXEC");
    CHECK(events[1].cmdline() == "ls -l");
    CHECK(events[1].exe() == "/usr/sbin/sshd");
    CHECK(events[1].start_ticks() == 600);
    CHECK(events[1].ancestors(0) == "1 init");

    bench.fake.remove(50);
    source.next = {make(Kind::exit, 50, 0, 0x0300)};
    events = bench.drain();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind() == "EXIT");
    CHECK(events[0].exit_code() == 3);
    CHECK(events[0].start_ticks() == 600);
    CHECK(events[0].cmdline() == "ls -l");
    CHECK(events[0].has_duration_ns());
    CHECK_FALSE(misses(events[0], "exit_code:polled"));
    // A scan has nothing to add.
    events = bench.scan();
    REQUIRE(events.size() == 1);
    CHECK(events[0].pid() == 1);
}

TEST_CASE("a process killed by a signal says which, and whether it left a core") {
    Bench bench;
    auto& source = bench.follow();
    source.next = {make(Kind::exit, 50, 0, 9), make(Kind::exit, 51, 0, 0x80 | 11)};
    const auto events = bench.drain();
    REQUIRE(events.size() == 2);
    CHECK(events[0].exit_code() == -9);
    CHECK_FALSE(events[0].core_dumped());
    CHECK(misses(events[0], "start_ticks:unknown"));  // nobody told of its start
    CHECK(events[1].exit_code() == -11);
    CHECK(events[1].core_dumped());
}

TEST_CASE("what ended before it could be read has its events, marked and counted as late") {
    Bench bench;
    auto& source = bench.follow();
    source.next = {make(Kind::fork, 60, 1), make(Kind::exec, 60), make(Kind::exit, 60)};
    const auto events = bench.drain();
    REQUIRE(events.size() == 3);
    CHECK(events[0].kind() == "START");
    CHECK(misses(events[0], "start_ticks:estimated"));
    CHECK(events[1].kind() == "EXEC");
    CHECK(misses(events[1], "cmdline:late"));
    CHECK(events[1].start_ticks() == events[0].start_ticks());
    CHECK(events[2].kind() == "EXIT");
    CHECK(events[2].start_ticks() == events[0].start_ticks());
    CHECK(bench.metric("amoskys_proc_life_cycle_late_total", "cmdline") == 1);
    CHECK(bench.metric("amoskys_proc_life_cycle_late_total", "start_ticks") == 1);
}

TEST_CASE("what the source lost is counted and found by the next scan") {
    Bench bench;
    bench.fake.process(1, "init", 1, 1, "/sbin/init\0"s);
    auto& source = bench.follow();
    bench.scan();
    bench.fake.process(70, "lost", 700, 1, "lost\0"s);
    source.counts_.lost = 3;
    source.counts_.overruns = 1;
    source.next = {make(Kind::ptrace, 1)};
    bench.drain();
    CHECK(bench.metric("amoskys_proc_life_cycle_lost_total", "\"lost\"") == 3);
    CHECK(bench.metric("amoskys_proc_life_cycle_lost_total", "overrun") == 1);
    auto events = bench.scan();
    REQUIRE(events.size() == 2);
    CHECK(events[1].kind() == "START");
    CHECK(events[1].observed_by() == "POLL");
    // Its exit is lost too.
    bench.fake.remove(70);
    bench.clock.advance(std::chrono::seconds(1));
    bench.fake.write("uptime", "1001.00 900.00\n");
    events = bench.scan();
    REQUIRE(events.size() == 2);
    CHECK(events[1].kind() == "EXIT");
    CHECK(misses(events[1], "exit_code:polled"));
}

TEST_CASE("a loss ends the watch, so that a scan can look") {
    Bench bench;
    auto& source = bench.follow();
    bench.clock.advance(std::chrono::minutes(1));
    source.counts_.lost = 1;
    source.next = {make(Kind::ptrace, 1)};
    CHECK(bench.worker->watch(bench.clock.steady() + std::chrono::hours(1)).has_value());
}

TEST_CASE("a source that fails is given up and scans go on") {
    Bench bench;
    bench.fake.process(1, "init", 1, 1, "/sbin/init\0"s);
    bench.follow().broken = true;
    CHECK(bench.worker->watch(bench.clock.steady() + std::chrono::hours(1)).has_value());
    CHECK_FALSE(bench.worker->follows());
    CHECK(bench.scan().size() == 1);
    CHECK(bench.metric("amoskys_proc_errors_total", "life_cycle") == 1);
}

TEST_CASE("a start that a scan has sent is not sent again when the source tells of it") {
    Bench bench;
    bench.fake.process(1, "init", 1, 1, "/sbin/init\0"s);
    auto& source = bench.follow();
    bench.scan();
    bench.fake.process(80, "x", 800, 1, "x\0"s);
    CHECK(bench.scan().size() == 2);
    source.next = {make(Kind::fork, 80, 1)};
    CHECK(bench.drain().empty());
}

TEST_CASE("names, arguments and cgroups made to break output cannot") {
    Bench bench;
    auto& source = bench.follow();
    const std::string evil = "a\x1b[2J\r\n\xff\xc3(\0b"s + std::string(1 << 20, '\xfe');
    bench.fake.process(7, "n) \x1b[2J\n\xff", 1, 1, evil);
    bench.fake.write("7/cgroup", "0::/" + evil + "\n1:name=systemd:/\x1b\n");
    bench.fake.write("7/environ", "LD_PRELOAD=/\x1b]0;x\x07" + evil);
    source.next = {make(Kind::exec, 7)};
    auto events = bench.drain();
    for (auto& event : bench.scan())
        events.push_back(std::move(event));
    REQUIRE(events.size() == 2);
    for (const auto& event : events) {
        CHECK(event.ByteSizeLong() < 100'000);
        for (const auto* text : {&event.name(), &event.cmdline(), &event.cgroup(), &event.exe()}) {
            CHECK(valid_utf8(*text));
            CHECK(text->find_first_of("\x1b\n\r\x07") == std::string::npos);
        }
    }
    REQUIRE(bench.records.size() >= 1);
    const auto& observed = bench.records[0].events(0);
    CHECK(observed.security_event().event_action() == "library_preload");
    CHECK(observed.ByteSizeLong() < 20'000);
    for (const auto& [key, value] : observed.attributes()) {
        CHECK(valid_utf8(value));
        CHECK(value.find_first_of("\x1b\n\r\x07") == std::string::npos);
    }
}

TEST_CASE("an observation is said once per program, and not at all where it is allowed") {
    ProcConfig config;
    config.allow = {"library_preload /usr/sbin/sshd"};
    for (const bool allowed : {false, true}) {
        Bench bench(allowed ? config : ProcConfig{});
        bench.fake.process(7, "a", 1, 1, "a\0"s);
        bench.fake.write("7/environ", "A=b\0LD_PRELOAD=/x.so\0"s);
        bench.scan();
        bench.fake.process(7, "b", 1, 1, "b\0"s);  // renamed itself: read again
        bench.scan();
        CHECK(bench.records.size() == (allowed ? 0 : 1));
        CHECK(bench.metric("amoskys_proc_security_observations_total",
                           allowed ? "allowed" : "library_preload") == 1);
    }
}
