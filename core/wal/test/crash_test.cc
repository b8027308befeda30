// Kills a writing process at each named step and compares what a new process finds with what was
// acknowledged.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "core/wal/failpoint.h"
#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;
using namespace amoskys::wal::test;

namespace {

Options small_segments() {
    Options options;
    options.segment_max_bytes = 128 << 10;
    return options;
}

// Writes groups until it is killed at the n-th passing of `step`; after each acknowledged group its
// last offset goes into the pipe.
[[noreturn]] void write_until_killed(const TemporaryFolder& folder, std::string_view step, int pass,
                                     int pipe) {
    int left = pass;
    set_failpoints([&left, step](std::string_view at) {
        if (at == step && --left == 0)
            ::_exit(42);
        return 0;
    });
    const auto log = Log::open(folder.path(), small_segments());
    if (!log)
        ::_exit(1);
    std::uint64_t next = (*log)->stats().newest.value;
    for (int round = 0; round < 60; ++round) {
        Group group;
        std::vector<std::string> texts;
        for (int i = 0; i < 8; ++i)
            texts.push_back(text_of(++next, 1500));
        for (const auto& text : texts)
            group.records.push_back(audit(text));
        group.states = {{"lane", std::to_string(next)}};
        group.cursors = {{"reader", {next}}};
        const auto appended = (*log)->append(group);
        if (!appended || appended->last.value != next)
            ::_exit(2);
        if (::write(pipe, &next, sizeof next) != sizeof next)
            ::_exit(3);
        if (round % 10 == 9 && !(*log)->prune({next / 2}))
            ::_exit(4);
    }
    ::_exit(0);
}

}  // namespace

TEST_CASE("nothing acknowledged is lost, whatever step the process is killed at") {
    const std::string step =
        GENERATE("append:begin", "append:records", "commit:before", "commit:after",
                 "segment:filled", "segment:renamed", "prune:unlink");
    CAPTURE(step);
    TemporaryFolder folder;
    std::uint64_t acknowledged = 0;
    for (const int pass : {1, 2, 5, 17}) {
        CAPTURE(pass);
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
            write_until_killed(folder, step, pass, ends[1]);
        ::close(ends[1]);
        for (std::uint64_t offset = 0; ::read(ends[0], &offset, sizeof offset) == sizeof offset;)
            acknowledged = offset;
        ::close(ends[0]);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        REQUIRE((WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0));

        const auto log = Log::open(folder.path(), small_segments());
        REQUIRE(log);
        const LogStats stats = (*log)->stats();
        // The group that was being committed is in whole or not at all.
        CHECK(stats.newest.value >= acknowledged);
        CHECK(stats.newest.value <= acknowledged + 8);
        CHECK(stats.newest.value % 8 == 0);
        if (stats.newest.value != 0) {
            CHECK((*log)->state("lane").value() == std::to_string(stats.newest.value));
            CHECK((*log)->cursor("reader").value() == stats.newest);
        }
        std::uint64_t next = stats.oldest.value;
        for (const auto& text : read_all(**log))
            REQUIRE(text == text_of(next++, 1500));
        CHECK((stats.newest.value == 0 || next == stats.newest.value + 1));
        CHECK((*log)->damages().empty());
        CHECK((*log)->tree_head().value().size == stats.newest.value);
        acknowledged = stats.newest.value;
    }
}

TEST_CASE(
    "a disk that is full or failing at any step loses nothing and writing goes on by itself") {
    const std::string step = GENERATE("append:begin", "append:records", "commit:before",
                                      "segment:filled", "segment:renamed");
    CAPTURE(step);
    TemporaryFolder folder;
    const auto log = Log::open(folder.path(), small_segments());
    REQUIRE(log);
    std::uint64_t acknowledged = 0;
    std::map<std::string, int> codes;
    int left = 0;
    std::mt19937 random(3);
    set_failpoints([&](std::string_view at) { return at == step && --left == 0 ? ENOSPC : 0; });
    for (int round = 0; round < 60; ++round) {
        left = random() % 3 == 0 ? 0 : 1;
        const auto appended =
            append_texts(**log, {text_of(acknowledged + 1, 3000), text_of(acknowledged + 2, 3000)});
        if (appended) {
            CHECK(appended->first.value == acknowledged + 1);
            acknowledged = appended->last.value;
        } else {
            ++codes[appended.error().code];
        }
    }
    set_failpoints(nullptr);
    REQUIRE(codes.size() == 1);
    CHECK(codes.begin()->first == "wal_disk_full");
    REQUIRE(append_texts(**log, {"end"}));
    const auto texts = read_all(**log);
    REQUIRE(texts.size() == acknowledged + 1);
    for (std::uint64_t i = 0; i < acknowledged; ++i)
        REQUIRE(texts[i] == text_of(i + 1, 3000));
    CHECK((*log)->damages().empty());
}

TEST_CASE("a commit that failed after it was written is named as unknown") {
    TemporaryFolder folder;
    const auto log = Log::open(folder.path(), {});
    REQUIRE(log);
    REQUIRE(append_texts(**log, {"one"}));
    set_failpoints([](std::string_view at) { return at == "commit:after" ? EIO : 0; });
    const auto appended = append_texts(**log, {"two"});
    set_failpoints(nullptr);
    REQUIRE_FALSE(appended);
    CHECK(appended.error().code == "wal_commit_unknown");
    CHECK(read_all(**log) == std::vector<std::string>{"one", "two"});
    CHECK(append_texts(**log, {"three"})->first.value == 3);
}
