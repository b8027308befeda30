#include "core/wal/log.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "core/wal/folder.h"
#include "core/wal/merkle.h"
#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;
using namespace amoskys::wal::test;

namespace {

constexpr UnixNanos start_ns = 1'700'000'000'000'000'000;

std::unique_ptr<Log> open_log(const TemporaryFolder& folder, const Options& options = {}) {
    auto log = Log::open(folder.path(), options);
    INFO((log ? "" : log.error().message));
    REQUIRE(log);
    return std::move(*log);
}

Options small_segments() {
    Options options;
    options.segment_max_bytes = 256 << 10;
    return options;
}

// The tree's head as it must be by the leaves that the log gives.
Digest root_by_leaves(Log& log, std::uint64_t size) {
    const auto root = merkle_root(size, [&](std::uint64_t index) -> Result<Digest> {
        const auto leaf = log.leaf_hash({index + 1});
        if (leaf && *leaf)
            return **leaf;
        return make_error(ErrorKind::failed, "no_leaf", std::to_string(index));
    });
    REQUIRE(root);
    return *root;
}

}  // namespace

TEST_CASE("records, states and cursors come back after a reopening, numbered without a gap") {
    TemporaryFolder folder;
    {
        const auto log = open_log(folder);
        Group group;
        group.records = {audit("one"), audit("two")};
        group.states = {{"lane/a/snmp", "state 1"}};
        group.cursors = {{"reader", {1}}};
        const auto appended = log->append(group);
        REQUIRE(appended);
        CHECK(appended->first.value == 1);
        CHECK(appended->last.value == 2);
        REQUIRE(append_texts(*log, {"three"}));
    }
    const auto log = open_log(folder);
    CHECK(read_all(*log) == std::vector<std::string>{"one", "two", "three"});
    CHECK(read_all(*log, 3) == std::vector<std::string>{"three"});
    CHECK(log->state("lane/a/snmp").value() == "state 1");
    CHECK(log->state("lane/b/snmp").value() == std::nullopt);
    CHECK(log->states("lane/").value().size() == 1);
    CHECK(log->cursor("reader").value() == WalOffset{1});
    CHECK(log->cursor("nobody").value() == std::nullopt);
    CHECK(log->read_stored({2}).value() == to_bytes(as_bytes("two")));
    CHECK(log->read_stored({9}).value() == std::nullopt);
    const LogStats stats = log->stats();
    CHECK(stats.oldest.value == 1);
    CHECK(stats.newest.value == 3);
    CHECK(stats.records == 3);
    CHECK(stats.stored_bytes == 11);
    CHECK(log->damages().empty());
    CHECK(log->states_as_of().value == 3);
}

TEST_CASE("a group without records changes states and cursors alone") {
    TemporaryFolder folder;
    const auto log = open_log(folder);
    Group group;
    group.cursors = {{"reader", {5}}};
    const auto appended = log->append(group);
    REQUIRE(appended);
    CHECK(appended->first > appended->last);
    CHECK(log->stats().records == 0);
    CHECK(log->cursor("reader").value() == WalOffset{5});
    CHECK(log->tree_head().value().size == 0);
}

TEST_CASE("a state that is set to nothing is gone, also one that never was") {
    TemporaryFolder folder;
    {
        const auto log = open_log(folder);
        Group group;
        group.states = {{"cursor/a", "1"}, {"cursor/b", "2"}};
        REQUIRE(log->append(group));
        group.states = {{"cursor/a", ""}, {"cursor/c", ""}};
        REQUIRE(log->append(group));
    }
    const auto log = open_log(folder);
    const auto states = log->states("cursor/").value();
    REQUIRE(states.size() == 1);
    CHECK(states[0].key == "cursor/b");
    CHECK(log->state("cursor/a").value() == std::nullopt);
}

TEST_CASE("a reader that is killed while it reads keeps no pages: its slot is freed") {
    TemporaryFolder folder;
    REQUIRE(append_texts(*open_log(folder), {"one"}));
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        Options options;
        options.read_only = true;
        const auto log = Log::open(folder.path(), options);
        const auto read = (*log)->read({1}, 1, [&](const RecordView&) {
            check(::write(pipe[1], "r", 1) == 1, "write");
            ::pause();
            return false;
        });
        ::_exit(read ? 0 : 1);
    }
    char byte = 0;
    REQUIRE(::read(pipe[0], &byte, 1) == 1);
    const auto log = open_log(folder);
    CHECK(log->stats().readers == 1);
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(log->stats().readers == 0);
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("received times never go back, whatever the clock does") {
    TemporaryFolder folder;
    FakeClock late(start_ns + 1000);
    FakeClock early(start_ns);
    Options options;
    options.clock = &late;
    REQUIRE(append_texts(*open_log(folder, options), {"late"}));
    options.clock = &early;
    const auto log = open_log(folder, options);
    REQUIRE(append_texts(*log, {"early"}));
    std::vector<UnixNanos> times;
    REQUIRE(log->read({1}, 10, [&](const RecordView& record) {
        times.push_back(record.header.received_ns);
        return true;
    }));
    CHECK(times == std::vector<UnixNanos>{start_ns + 1000, start_ns + 1000});
}

TEST_CASE("what can never be stored is refused and changes nothing") {
    TemporaryFolder folder;
    const auto log = open_log(folder);
    const std::string large(stored_bytes_max + 1, 'x');
    auto result = append_texts(*log, {"fits", large});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == "wal_too_large");
    Group group;
    group.states = {{std::string(401, 'k'), "value"}};
    result = log->append(group);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == "wal_bad_append");
    CHECK(log->stats().records == 0);
    REQUIRE(append_texts(*log, {std::string(stored_bytes_max, 'x')}));
}

TEST_CASE("the log goes over into new segments and reads across them") {
    TemporaryFolder folder;
    {
        const auto log = open_log(folder, small_segments());
        fill(*log, 2000, 500);
        Group group;
        group.states = {{"lane", "kept"}};
        group.cursors = {{"reader", {7}}};
        REQUIRE(log->append(group));
        fill(*log, 1000, 500);
        CHECK(log->stats().segments > 5);
        CHECK(log->stats().records == 3000);
        CHECK(read_all(*log).size() == 3000);
    }
    const auto log = open_log(folder, small_segments());
    CHECK(log->damages().empty());
    const auto texts = read_all(*log);
    REQUIRE(texts.size() == 3000);
    CHECK(texts[1999] == text_of(2000, 500));
    CHECK(texts[2999] == text_of(1000, 500));
    CHECK(log->state("lane").value() == "kept");
    CHECK(log->cursor("reader").value() == WalOffset{7});
    CHECK(log->read_stored({1500}).value() == to_bytes(as_bytes(text_of(1500, 500))));
    const auto head = log->tree_head();
    REQUIRE(head);
    CHECK(head->size == 3000);
    CHECK(head->root == root_by_leaves(*log, 3000));
    CHECK(log->stats().stored_bytes == 3000 * 500);
}

TEST_CASE("a segment that grew old is sealed by the next append") {
    TemporaryFolder folder;
    FakeClock clock(start_ns);
    Options options;
    options.clock = &clock;
    const auto log = open_log(folder, options);
    REQUIRE(append_texts(*log, {"one"}));
    clock.advance(std::chrono::hours(23));
    REQUIRE(append_texts(*log, {"two"}));
    CHECK(log->stats().segments == 1);
    clock.advance(std::chrono::hours(1));
    REQUIRE(append_texts(*log, {"three"}));
    CHECK(log->stats().segments == 2);
    CHECK(read_all(*log).size() == 3);
}

TEST_CASE("a map that is too small grows by itself") {
    TemporaryFolder folder;
    Options options;
    options.map_bytes = 1 << 20;
    const auto log = open_log(folder, options);
    fill(*log, 400, 100000);
    CHECK(read_all(*log).size() == 400);
    CHECK(log->stats().segments == 1);
}

TEST_CASE("pruning unlinks whole segments, and their leaf hashes stay provable") {
    TemporaryFolder folder;
    Digest root{};
    std::uint64_t oldest = 0;
    {
        const auto log = open_log(folder, small_segments());
        fill(*log, 3000, 500);
        const std::uint64_t before = log->stats().file_bytes;
        const auto removed = log->prune({1500});
        REQUIRE(removed);
        oldest = log->stats().oldest.value;
        CHECK(*removed == oldest - 1);
        CHECK(oldest > 1);
        CHECK(oldest <= 1500);
        CHECK(log->stats().file_bytes < before);
        CHECK(read_all(*log).front() == text_of(oldest, 500));
        CHECK(log->stats().stored_bytes == (3000 - oldest + 1) * 500);
        root = log->tree_head().value().root;
        CHECK(root == root_by_leaves(*log, 3000));
        CHECK(log->read_stored({1}).value() == std::nullopt);
    }
    const auto log = open_log(folder, small_segments());
    CHECK(log->stats().oldest.value == oldest);
    CHECK(log->tree_head().value().root == root);
    CHECK(root_by_leaves(*log, 3000) == root);
}

TEST_CASE("pruning never removes the record it names, nor later ones") {
    TemporaryFolder folder;
    const auto log = open_log(folder, small_segments());
    fill(*log, 3000, 500);
    for (std::uint64_t before = 1; before <= 3000; before += 250) {
        REQUIRE(log->prune({before}));
        REQUIRE(log->read_stored({before}).value().has_value());
    }
    REQUIRE(log->prune({99999}));
    CHECK(log->stats().newest.value == 3000);
    REQUIRE(append_texts(*log, {"next"}));
    CHECK(log->stats().newest.value == 3001);
}

TEST_CASE("a spool trims single records and stays constant under a steady load") {
    TemporaryFolder folder;
    Options options = small_segments();
    options.segment_max_bytes = 1 << 20;
    options.trim_records = true;
    options.keep_leaf_hashes = false;
    std::uint64_t high = 0;
    {
        const auto log = open_log(folder, options);
        for (std::uint64_t round = 0; round < 200; ++round) {
            fill(*log, 32, 2000);
            REQUIRE(log->prune({round * 32}));
            high = std::max(high, log->stats().file_bytes);
        }
        CHECK(log->stats().records <= 64);
        CHECK(log->stats().stored_bytes == log->stats().records * 2000);
        REQUIRE(log->prune({UINT64_MAX}));
        CHECK(log->stats().records == 0);
        CHECK(log->stats().stored_bytes == 0);
        CHECK(read_all(*log).empty());
        CHECK(log->damages().empty());
    }
    CHECK(high < (3U << 20));
    const auto log = open_log(folder, options);
    CHECK(log->stats().records == 0);
    const auto appended = append_texts(*log, {"next"});
    REQUIRE(appended);
    CHECK(appended->first.value == 6401);
}

TEST_CASE("a duplicate key is found within its window and no longer") {
    TemporaryFolder folder;
    FakeClock clock(start_ns);
    Options options = small_segments();
    options.clock = &clock;
    options.dedup_max_keys = 100;
    const auto log = open_log(folder, options);
    const auto key = [](unsigned number) {
        return to_string(crypto::sha256(as_bytes(std::to_string(number))));
    };
    const auto add = [&](unsigned number) {
        const std::string keep = key(number);
        const std::string text = text_of(number, 2000);
        Group group;
        group.records = {audit(text)};
        group.records[0].dedup_key = keep;
        REQUIRE(log->append(group));
    };
    add(1);
    const auto hit = log->find_dedup(key(1)).value();
    REQUIRE(hit);
    CHECK(hit->offset.value == 1);
    CHECK(hit->digest == crypto::sha256(as_bytes(text_of(1, 2000))));
    CHECK_FALSE(log->find_dedup(key(2)).value());
    for (unsigned number = 2; number <= 400; ++number)
        add(number);
    CHECK(log->stats().segments > 1);
    CHECK_FALSE(log->find_dedup(key(300)).value());
    CHECK(log->find_dedup(key(301)).value());
    clock.advance(std::chrono::seconds(301));
    CHECK_FALSE(log->find_dedup(key(400)).value());
    add(400);
    CHECK(log->find_dedup(key(400)).value()->offset.value == 401);
}

TEST_CASE("a search by device and time passes over zones that cannot hold it") {
    TemporaryFolder folder;
    const auto log = open_log(folder, small_segments());
    constexpr std::uint64_t count = 20 * 256;
    for (std::uint64_t i = 0; i < count; i += 64) {
        Group group;
        std::vector<std::string> texts;
        std::vector<std::uint64_t> devices;
        for (std::uint64_t k = i; k < i + 64; ++k) {
            texts.push_back(text_of(k + 1, 200));
            devices.push_back(device_hash("device " + std::to_string(k / 256)));
        }
        for (std::uint64_t k = i; k < i + 64; ++k) {
            group.records.push_back(audit(texts[k - i]));
            group.records.back().first_event_ns = start_ns + k;
            group.records.back().last_event_ns = start_ns + k;
            group.records.back().device_hashes = std::span(devices).subspan(k - i, 1);
        }
        REQUIRE(log->append(group));
    }
    CHECK(log->stats().segments > 3);
    const auto count_matching = [&](const Log::Skip& skip) {
        std::vector<std::uint64_t> seen;
        REQUIRE(log->read_matching({1}, UINT64_MAX, skip, [&](const RecordView& record) {
            seen.push_back(record.header.offset.value);
            return true;
        }));
        return seen;
    };
    Log::Skip skip;
    skip.device_hash = device_hash("device 7");
    auto seen = count_matching(skip);
    CHECK(seen.size() >= 256);
    CHECK(seen.size() <= 2 * 256);
    CHECK(std::ranges::count_if(seen, [](auto n) { return (n - 1) / 256 == 7; }) == 256);
    skip.device_hash.reset();
    skip.since_ns = start_ns + 1000;
    skip.until_ns = start_ns + 1001;
    seen = count_matching(skip);
    CHECK(seen.size() <= 256);
    CHECK(std::ranges::find(seen, 1001) != seen.end());
    skip.since_ns = start_ns + count;
    skip.until_ns = UINT64_MAX;
    CHECK(count_matching(skip).empty());
    CHECK(log->damages().empty());
}

TEST_CASE("a second process that would write is told who holds the log") {
    TemporaryFolder folder;
    int to_parent[2];
    int to_child[2];
    REQUIRE(::pipe(to_parent) == 0);
    REQUIRE(::pipe(to_child) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto log = Log::open(folder.path(), {});
        char byte = log ? 'y' : 'n';
        if (::write(to_parent[1], &byte, 1) != 1 || ::read(to_child[0], &byte, 1) != 1)
            ::_exit(1);
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(to_parent[0], &byte, 1) == 1);
    CHECK(byte == 'y');
    const auto second = Log::open(folder.path(), {});
    REQUIRE_FALSE(second);
    CHECK(second.error().code == "wal_locked");
    CHECK(second.error().kind == ErrorKind::unavailable);
    CHECK(second.error().message.find("wal_locked: " + std::to_string(child)) != std::string::npos);
    REQUIRE(::write(to_child[1], &byte, 1) == 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(Log::open(folder.path(), {}).has_value());
    for (const int fd : {to_parent[0], to_parent[1], to_child[0], to_child[1]})
        ::close(fd);
}

TEST_CASE("one process does not open a log twice") {
    TemporaryFolder folder;
    const auto log = open_log(folder);
    Options reading;
    reading.read_only = true;
    const auto second = Log::open(folder.path(), reading);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == "wal_open_here");
}

TEST_CASE("a reading process follows the writing one through new segments") {
    TemporaryFolder folder;
    int to_parent[2];
    int to_child[2];
    REQUIRE(::pipe(to_parent) == 0);
    REQUIRE(::pipe(to_child) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {  // the writer: one batch a byte
        auto log = Log::open(folder.path(), small_segments());
        char byte = 'r';
        bool good = log.has_value() && append_texts(**log, {"first"}).has_value();
        while (good && ::write(to_parent[1], &byte, 1) == 1 && ::read(to_child[0], &byte, 1) == 1 &&
               byte == 'g')
            fill(**log, 200, 1000);
        ::_exit(good ? 0 : 1);
    }
    char byte = 0;
    REQUIRE(::read(to_parent[0], &byte, 1) == 1);
    Options reading;
    reading.read_only = true;
    const auto log = open_log(folder, reading);
    CHECK(read_all(*log).size() == 1);
    for (std::uint64_t round = 1; round <= 10; ++round) {
        REQUIRE(::write(to_child[1], "g", 1) == 1);
        REQUIRE(::read(to_parent[0], &byte, 1) == 1);
        REQUIRE(read_all(*log).size() == 1 + round * 200);
        REQUIRE(log->stats().records == 1 + round * 200);
    }
    CHECK(log->stats().segments > 3);
    CHECK(log->damages().empty());
    CHECK(log->append({}).error().code == "wal_read_only");
    REQUIRE(::write(to_child[1], "e", 1) == 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    for (const int fd : {to_parent[0], to_parent[1], to_child[0], to_child[1]})
        ::close(fd);
}

TEST_CASE("reading where there is no log says so and creates nothing") {
    TemporaryFolder folder;
    Options reading;
    reading.read_only = true;
    const auto none = Log::open(folder.path(), reading);
    REQUIRE_FALSE(none);
    CHECK(none.error().code == "wal_missing");
    CHECK(fs::is_empty(folder.path()));
    const auto nowhere = Log::open(folder.path() / "absent", reading);
    REQUIRE_FALSE(nowhere);
    CHECK(nowhere.error().kind == ErrorKind::no_input);
}

TEST_CASE("append refuses records below the watermark of free disk space") {
    TemporaryFolder folder;
    Options options;
    options.min_free_bytes = UINT64_MAX;
    const auto log = open_log(folder, options);
    const auto refused = append_texts(*log, {"one"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == "wal_disk_low");
    Group group;
    group.cursors = {{"reader", {1}}};
    CHECK(log->append(group).has_value());
}

TEST_CASE("network file systems are known by their type") {
    CHECK(network_file_system(0x6969, "").value() == "NFS");
    CHECK(network_file_system(0xFE534D42, "").value() == "SMB2");
    CHECK(network_file_system(0xFFFFFFFFFE534D42, "").value() == "SMB2");
    CHECK(network_file_system(0x65735546, "fuse.sshfs").value() == "fuse.sshfs");
    CHECK_FALSE(network_file_system(0x65735546, "fuse.ntfs"));
    CHECK_FALSE(network_file_system(0xEF53, "ext4"));
}

TEST_CASE("files of the log are for their owner alone") {
    TemporaryFolder folder;
    const fs::path inner = folder.path() / "wal";
    const auto log = Log::open(inner, {});
    REQUIRE(log);
    struct stat status {};
    REQUIRE(::stat((inner / "00000001.mdb").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    REQUIRE(::stat(inner.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}
