#include "modules/collectors/proc/reader.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <sstream>

#include "core/base/text.h"
#include "modules/collectors/proc/test/fake_proc.h"

using namespace amoskys;
using namespace amoskys::proc;
using namespace std::string_literals;

namespace {

std::unique_ptr<ProcessReader> open_reader(const std::filesystem::path& root,
                                           const FieldSet& fields = {}) {
    ReaderOptions options;
    options.fields = fields;
    options.passwd = root / "passwd";
    options.group = root / "group";
    auto reader = ProcessReader::open(root, options);
    REQUIRE(reader.has_value());
    return std::move(*reader);
}

std::vector<std::string> missing_of(const Sample& sample) {
    return {sample.event.missing().begin(), sample.event.missing().end()};
}

std::string output_of(const std::string& command) {
    std::string out;
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr)
        return out;
    char buffer[4096];
    for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
        out.append(buffer, n);
    ::pclose(pipe);
    return out;
}

}  // namespace

TEST_CASE("reader gives every field of a process") {
    FakeProc fake;
    fake.process(42, "sshd", 50000, 250, "sshd\0-D\0"s);
    auto reader = open_reader(fake.root);
    const FakeClock clock(2'000'000'000'000);  // boot was at 1,000 s
    reader->begin(clock);
    const auto pids = reader->list();
    REQUIRE(pids.has_value());
    CHECK(*pids == std::vector<Pid>{42});
    Sample sample;
    REQUIRE(reader->read(42, sample) == ReadOutcome::read);
    const auto& event = sample.event;
    CHECK(event.name() == "sshd");
    CHECK(event.exe() == "/usr/sbin/sshd");
    CHECK(event.cmdline() == "sshd -D");
    CHECK(event.args_size() == 2);
    CHECK(event.cwd() == "/");
    CHECK(event.uid() == 1);
    CHECK(event.euid() == 1001);
    CHECK(event.gid() == 7);
    CHECK(event.suid() == 1);
    CHECK(event.egid() == 7);
    CHECK(event.sgid() == 7);
    CHECK(event.group() == "staff");
    CHECK(event.effective_user().empty());  // 1001 has no name
    CHECK(event.root() == "/");
    CHECK(event.cap_effective() == 0x400);
    CHECK(event.seccomp() == 2);
    CHECK_FALSE(event.has_loginuid());
    CHECK(event.has_sockets());
    CHECK(event.sockets() == 0);
    CHECK(event.user() == "daemon");
    CHECK(event.cgroup() == "/system.slice/ssh.service");
    CHECK(event.tty() == "pts/0");
    CHECK(event.fds() == 2);
    CHECK(event.io_read_bytes() == 4096);
    CHECK(event.io_write_bytes() == 8192);
    CHECK(event.rss_bytes() == 100ULL * static_cast<unsigned long>(::sysconf(_SC_PAGESIZE)));
    CHECK(event.start_ticks() == 50000);
    CHECK(event.start_ts_ns() == 1'500'000'000'000);
    CHECK(event.event_time_ns() == 2'000'000'000'000);
    CHECK(event.boot_id() == "0c1d2e3f-0000-4000-8000-000000000001");
    CHECK(event.cpu_seconds() == Approx(2.5));
    CHECK(missing_of(sample).empty());
}

TEST_CASE("reader names what it could not read and gives no zero for it") {
    FakeProc fake;
    fake.process(42, "a", 1, 1, "a");
    for (const auto* name : {"42/io", "42/status", "42/exe", "42/cwd", "42/root", "42/cgroup"})
        std::filesystem::remove(fake.root / name);
    std::filesystem::remove_all(fake.root / "42/fd");
    auto reader = open_reader(fake.root);
    Sample sample;
    REQUIRE(reader->read(42, sample) == ReadOutcome::read);
    CHECK(missing_of(sample) ==
          std::vector<std::string>{"exe:ENOENT", "cwd:ENOENT", "root:ENOENT", "uid:ENOENT",
                                   "gid:ENOENT", "euid:ENOENT", "cgroup:ENOENT", "sockets:ENOENT",
                                   "io_read_bytes:ENOENT", "io_write_bytes:ENOENT", "fds:ENOENT"});
    CHECK_FALSE(sample.event.has_sockets());
    CHECK_FALSE(sample.event.has_euid());
    CHECK_FALSE(sample.event.has_fds());
    CHECK_FALSE(sample.event.has_io_read_bytes());
}

TEST_CASE("reader survives names and arguments made to break output") {
    FakeProc fake;
    fake.process(7, "a) (b\n\x1b[2J\xff", 1, 1, "a\nb\0"s + std::string(1 << 20, '\xfe'));
    fake.link("7/exe", "/tmp/\x01 (deleted)");
    auto reader = open_reader(fake.root);
    Sample sample;
    REQUIRE(reader->read(7, sample) == ReadOutcome::read);
    CHECK(sample.event.name() == "a) (b\\x0a\\x1b[2J\\xff");
    CHECK(sample.event.exe() == "/tmp/\\x01 (deleted)");
    CHECK(valid_utf8(sample.event.cmdline()));
    CHECK(sample.event.ByteSizeLong() < 100'000);
    CHECK(missing_of(sample) == std::vector<std::string>{"args:truncated"});
}

TEST_CASE("reader tells gone, malformed and unknown entries apart") {
    FakeProc fake;
    fake.write("9/stat", "garbage");
    fake.process(10, "a", 1, 1, "a");
    fake.write("11/stat", FakeProc::stat(12, "other", 1, 1));
    fake.write("12x/stat", "");
    fake.write("4294967296/stat", "");
    auto reader = open_reader(fake.root);
    CHECK(*reader->list() == std::vector<Pid>{9, 10, 11});
    Sample sample;
    CHECK(reader->read(9, sample) == ReadOutcome::malformed);
    CHECK(reader->read(11, sample) == ReadOutcome::malformed);
    CHECK(reader->read(99, sample) == ReadOutcome::gone);
    CHECK_FALSE(ProcessReader::open(fake.root / "none", {}).has_value());
}

TEST_CASE("fields that are not asked for are neither read nor missing") {
    FakeProc fake;
    fake.process(42, "a", 1, 1, "a");
    const auto fields = parse_fields(std::vector<std::string>{"exe"});
    REQUIRE(fields.has_value());
    auto reader = open_reader(fake.root, *fields);
    Sample sample;
    REQUIRE(reader->read(42, sample) == ReadOutcome::read);
    CHECK(sample.event.exe() == "/usr/sbin/sshd");
    CHECK(sample.event.args_size() == 0);
    CHECK_FALSE(sample.event.has_fds());
    CHECK(missing_of(sample).empty());
    const auto wrong = parse_fields(std::vector<std::string>{"cgruop"});
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().kind == ErrorKind::config);
    CHECK(wrong.error().hint == "did you mean cgroup?");
}

TEST_CASE("this process is read from the real /proc as it knows itself") {
    auto reader = open_reader("/proc");
    reader->begin(system_clock());
    const auto pids = reader->list();
    REQUIRE(pids.has_value());
    const auto own = static_cast<Pid>(::getpid());
    CHECK(std::binary_search(pids->begin(), pids->end(), own));
    const FileDescriptor extra(::dup(0));
    Sample sample;
    REQUIRE(reader->read(own, sample) == ReadOutcome::read);
    const auto& event = sample.event;
    CHECK(event.ppid() == static_cast<std::uint64_t>(::getppid()));
    CHECK(event.uid() == ::getuid());
    CHECK(event.exe() == std::filesystem::read_symlink("/proc/self/exe"));
    CHECK(event.cwd() == std::filesystem::current_path());
    const std::filesystem::directory_iterator listed("/proc/self/fd"), end;
    // The listing itself is one more.
    CHECK(event.fds() + 1 == static_cast<std::uint32_t>(std::distance(listed, end)));
    const double age_s = static_cast<double>(sample.uptime_ns) / 1e9 -
                         static_cast<double>(event.start_ticks()) / 100;
    CHECK(age_s >= 0);
    CHECK(std::llabs(static_cast<long long>(system_clock().now_ns() - event.event_time_ns())) <
          2'000'000'000LL);
    CHECK(missing_of(sample).empty());
}

TEST_CASE("values equal those of ps at the same moment") {
    const auto text = output_of("ps -eo pid=,ppid=,uid=,ni=,nlwp=,vsz=,rss=,comm= 2>/dev/null");
    if (text.empty()) {
        WARN("ps is not there: skipped");
        return;
    }
    auto reader = open_reader("/proc");
    reader->begin(system_clock());
    unsigned compared = 0;
    struct Resident {
        std::string line;
        double ps_bytes, bytes;
    };
    std::map<long, Resident> resident;
    for (const auto line : split(text, '\n')) {
        std::istringstream words{std::string(line)};
        long pid = 0, ppid = 0, uid = 0, nice = 0, threads = 0, vsz_kib = 0, rss_kib = 0;
        std::string ni, comm;
        words >> pid >> ppid >> uid >> ni >> threads >> vsz_kib >> rss_kib >> std::ws;
        std::getline(words, comm);
        Sample sample;
        if (pid == 0 || reader->read(static_cast<Pid>(pid), sample) != ReadOutcome::read)
            continue;  // ended meanwhile, ps itself for one
        const auto& event = sample.event;
        if (event.name() != comm || event.vms_bytes() != static_cast<std::uint64_t>(vsz_kib) * 1024)
            continue;  // it did something between the two looks
        CAPTURE(line);
        ++compared;
        CHECK(event.ppid() == static_cast<std::uint64_t>(ppid));
        CHECK(event.uid() == static_cast<std::uint32_t>(uid));
        if (ni != "-") {
            nice = std::stol(ni);
            CHECK(event.nice() == nice);
        }
        CHECK(std::abs(static_cast<long>(event.threads()) - threads) <= 2);
        resident[pid] = {std::string(line), static_cast<double>(rss_kib) * 1024,
                         static_cast<double>(event.rss_bytes())};
    }
    CHECK(compared > 0);
    // The resident size moves: ours lies between two looks of ps. The kernel's counters are batched
    // per CPU.
    const auto later = output_of("ps -eo pid=,rss= 2>/dev/null");
    for (const auto line : split(later, '\n')) {
        std::istringstream words{std::string(line)};
        long pid = 0, rss_kib = 0;
        words >> pid >> rss_kib;
        const auto ours = resident.find(pid);
        if (ours == resident.end())
            continue;
        const double after = static_cast<double>(rss_kib) * 1024;
        const auto [least, most] = std::minmax(ours->second.ps_bytes, after);
        CAPTURE(ours->second.line, line);
        CHECK(ours->second.bytes > 0.8 * least - (4 << 20));
        CHECK(ours->second.bytes < 1.2 * most + (4 << 20));
    }
}

TEST_CASE("a scan costs little CPU per process") {
    auto reader = open_reader("/proc");
    reader->begin(system_clock());
    Sample sample;
    std::size_t processes = 0;
    const auto cpu_us = [] {
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
               static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    };
    const double before = cpu_us();
    for (int round = 0; round < 20; ++round) {
        const auto pids = reader->list();
        REQUIRE(pids.has_value());
        for (const Pid pid : *pids)
            processes += reader->open(pid, sample) == ReadOutcome::read &&
                                 reader->read_numbers(sample) == ReadOutcome::read
                             ? 1U
                             : 0U;
    }
    const double each_us = (cpu_us() - before) / static_cast<double>(processes);
    WARN(processes << " reads, " << each_us << " us CPU each");
    CHECK(each_us < 500);  // a guard against blunders under sanitizers; bench/ has the figure
}
