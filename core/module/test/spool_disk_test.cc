// A spool at its cap on a disk that is really full: a tmpfs of its own size, in a mount namespace
// of this process. Where the machine forbids that, the cases say so and pass.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "core/base/file.h"
#include "core/module/test/spool_fixture.h"

using namespace amoskys;
using amoskys::module::Spool;
using amoskys::module::WhenFull;
using namespace amoskys::module::test;

namespace {

constexpr std::uint64_t cap_bytes = 400'000, envelope_bytes = 20'000;

class SmallDisk {
  public:
    explicit SmallDisk(const std::filesystem::path& folder) : folder_(folder) {
        std::filesystem::create_directories(folder_);
        mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
                   ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                   ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=6m") == 0;
        if (!mounted_)
            WARN("not allowed to mount a small disk here");
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    ~SmallDisk() {
        if (mounted_)
            ::umount2(folder_.c_str(), MNT_DETACH);
    }
    bool mounted() const { return mounted_; }
    std::uint64_t free_bytes() const {
        struct statvfs status {};
        REQUIRE(::statvfs(folder_.c_str(), &status) == 0);
        return status.f_bavail * status.f_frsize;
    }
    // Somebody else's file takes all that is left.
    void fill() {
        const FileDescriptor fd(::open(other().c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600));
        REQUIRE(fd);
        const std::string page(4096, 'x');
        while (::write(fd.get(), page.data(), page.size()) > 0) {
        }
        REQUIRE(free_bytes() == 0);
    }
    void give_space_back() { std::filesystem::remove(other()); }

  private:
    std::filesystem::path other() const { return folder_ / "other"; }

    std::filesystem::path folder_;
    bool mounted_ = false;
};

// A collector: waits for room, appends one envelope, waits for the disk, and so on.
struct Collected {
    unsigned envelopes = 0;
    bool over = false;
};

io::Task<> collect(Fixture& f, unsigned count, Collected& out) {
    for (unsigned i = 0; i < count; ++i) {
        auto waiting = f.spool->wait_room();
        const auto room = co_await std::move(waiting);
        if (!room)
            co_return;
        f.append_only(envelope_bytes);
        ++out.envelopes;
        auto writing = f.spool->wait_durable();
        const auto written = co_await std::move(writing);
        if (!written)
            co_return;
    }
    out.over = true;
}

void start(Fixture& f, unsigned count, Collected& out) {
    io::asio::co_spawn(f.io, collect(f, count, out), io::asio::detached);
}

// Runs what there is to run until `reached`, at most as long as a loaded machine may need.
template <class Reached>
void run_until(Fixture& f, const Reached& reached) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!reached() && std::chrono::steady_clock::now() < limit)
        f.io.run_one_for(std::chrono::milliseconds(100));
    REQUIRE(reached());
}

// Fills the spool up to its cap, then the disk.
void fill_both(Fixture& f, SmallDisk& disk, WhenFull when_full) {
    f.folder_of_spool = f.folder.path / "disk" / "spool";
    f.reopen(cap_bytes, when_full);
    while (f.spool->stats().pending_bytes + 2 * envelope_bytes < cap_bytes)
        f.append(1, envelope_bytes);
    REQUIRE(f.spool->stats().dropped_envelopes == 0);
    disk.fill();
}

}  // namespace

TEST_CASE(
    "a spool at its cap on a full disk waits, drops only what a marker on disk counts, and goes on "
    "by itself when space returns") {
    Fixture f;
    SmallDisk disk(f.folder.path / "disk");
    if (!disk.mounted())
        return;
    fill_both(f, disk, WhenFull::drop_oldest);
    const unsigned before = f.appended;
    Collected collected;
    start(f, 60, collected);
    run_until(f, [&] { return !f.spool->stats().trouble.empty(); });
    const auto full = f.spool->stats();
    CHECK(disk.free_bytes() == 0);
    CHECK(collected.envelopes < 60);                     // the collector waits
    CHECK(f.spool->position().last.value < f.appended);  // and nothing is claimed
    CHECK(full.pending_envelopes == f.appended);

    disk.give_space_back();
    run_until(f, [&] { return collected.over; });
    run_until(f, [&] { return f.spool->position().last.value == f.appended; });
    const auto after = f.spool->stats();
    CHECK(after.trouble.empty());
    CHECK(f.appended == before + 60);
    CHECK(after.pending_bytes <= cap_bytes);
    CHECK(after.dropped_envelopes > 0);

    f.reopen(cap_bytes);  // what the disk has, not what memory has
    Bus bus;
    f.send(bus);
    CHECK(bus.gap_envelopes == after.dropped_envelopes);
    CHECK(bus.gap_events == after.dropped_events);
    CHECK(bus.gap_reason == "spool full: oldest dropped");
    CHECK(bus.taken.size() + bus.gap_envelopes == f.appended);
    CHECK(devices(bus).size() == bus.taken.size());
}

TEST_CASE("a spool at its cap that stops collecting loses nothing on a full disk") {
    Fixture f;
    SmallDisk disk(f.folder.path / "disk");
    if (!disk.mounted())
        return;
    fill_both(f, disk, WhenFull::stop);
    const unsigned before = f.appended;
    Collected collected;
    start(f, 40, collected);
    for (int i = 0; i < 20; ++i)
        f.io.run_one_for(std::chrono::milliseconds(10));
    CHECK(collected.envelopes < 10);  // the cap holds it, disk or not
    CHECK(f.spool->stats().dropped_envelopes == 0);

    // The bus takes all that is on disk; the disk stays full: what comes now waits in memory.
    Bus bus;
    f.send(bus);
    run_until(f, [&] { return !f.spool->stats().trouble.empty() || collected.envelopes >= 10; });
    disk.give_space_back();
    const auto deliver = [&] {
        f.send(bus);
        return collected.over && bus.taken.size() == f.appended;
    };
    run_until(f, deliver);
    CHECK(f.appended == before + 40);
    CHECK(bus.gap_envelopes == 0);
    CHECK(f.spool->stats().dropped_envelopes == 0);
    CHECK(devices(bus).size() == f.appended);
}
