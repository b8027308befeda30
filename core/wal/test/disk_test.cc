// Real small and read-only disks: a tmpfs in a mount namespace of a child's own. Where the machine
// forbids that, the cases say so and pass; crash_test.cc covers the same code with pretended
// errors.
#include <sched.h>
#include <sys/mount.h>

#include <catch2/catch.hpp>

#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;
using namespace amoskys::wal::test;

namespace {

constexpr int not_allowed = 77;

bool mount_small_disk(const fs::path& folder) {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=6m") == 0;
}

Options small_segments() {
    Options options;
    options.segment_max_bytes = 1 << 20;
    return options;
}

// Exit codes say which expectation failed.
int fill_the_disk(const fs::path& folder) {
    if (!mount_small_disk(folder))
        return not_allowed;
    auto log = Log::open(folder / "wal", small_segments());
    if (!log)
        return 1;
    std::uint64_t acknowledged = 0;
    Result<Appended> appended = make_error(ErrorKind::failed, "", "");
    while ((appended = append_texts(**log, {text_of(acknowledged + 1, 20000)})) &&
           acknowledged < 1000)
        ++acknowledged;
    if (appended || appended.error().code != "wal_disk_full") {
        std::fprintf(stderr, "%s\n", appended ? "no error" : appended.error().message.c_str());
        return 2;
    }
    if (append_texts(**log, {text_of(1, 20000)}) || read_all(**log).size() != acknowledged)
        return 3;
    log->reset();  // opening does not need more space than there is
    log = Log::open(folder / "wal", small_segments());
    if (!log)
        return 9;
    const auto pruned = (*log)->prune({acknowledged - 10});
    if (!pruned) {
        std::fprintf(stderr, "%s\n", pruned.error().message.c_str());
        return 4;
    }
    if ((*log)->stats().segments > 2)
        return 8;
    for (int i = 0; i < 50; ++i)
        if (!append_texts(**log, {text_of(++acknowledged, 20000)}))
            return 5;
    std::uint64_t next = (*log)->stats().oldest.value;
    for (const auto& text : read_all(**log))
        if (text != text_of(next++, 20000))
            return 6;
    return next == acknowledged + 1 && (*log)->damages().empty() ? 0 : 7;
}

int use_a_read_only_disk(const fs::path& folder) {
    if (!mount_small_disk(folder))
        return not_allowed;
    {
        const auto log = Log::open(folder / "wal", small_segments());
        if (!log)
            return 1;
        fill(**log, 100, 20000);
    }
    if (::mount("tmpfs", folder.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=6m") != 0)
        return not_allowed;
    const auto writing = Log::open(folder / "wal", small_segments());
    if (writing || writing.error().code != "wal_read_only")
        return 2;
    Options reading;
    reading.read_only = true;
    const auto log = Log::open(folder / "wal", reading);
    if (!log)
        return 3;
    return read_all(**log).size() == 100 && (*log)->damages().empty() ? 0 : 4;
}

}  // namespace

TEST_CASE(
    "a disk that is really full refuses, keeps all it took, and serves again after a pruning") {
    TemporaryFolder folder;
    const int code = in_child([&] { return fill_the_disk(folder.path()); });
    if (code == not_allowed)
        WARN("not allowed to mount a small disk here");
    CAPTURE(code);
    CHECK((code == 0 || code == not_allowed));
}

TEST_CASE("a read-only disk refuses a writer with a clear code and serves a reader") {
    TemporaryFolder folder;
    const int code = in_child([&] { return use_a_read_only_disk(folder.path()); });
    if (code == not_allowed)
        WARN("not allowed to mount a small disk here");
    CAPTURE(code);
    CHECK((code == 0 || code == not_allowed));
}
