#include "core/wal/retention.h"

#include <thread>

#include "core/wal/test/support.h"
#include "core/wal/writer.h"

using namespace amoskys;
using namespace amoskys::wal;
using namespace amoskys::wal::test;
using namespace std::chrono_literals;

namespace {

constexpr UnixNanos day_ns = 86'400'000'000'000;

std::unique_ptr<Log> open_log(const TemporaryFolder& folder, const Options& options) {
    auto log = Log::open(folder.path(), options);
    REQUIRE(log);
    return std::move(*log);
}

// Ten segments of 100 records and 1 MB, a day each; the last is not sealed.
std::vector<SegmentInfo> ten_days() {
    std::vector<SegmentInfo> out;
    for (std::uint64_t i = 0; i < 10; ++i)
        out.push_back({{i * 100 + 1}, {i * 100 + 100}, 1'000'000, (i + 1) * day_ns, i < 9});
    return out;
}

std::uint64_t last_of(const RetentionPolicy& policy, std::optional<WalOffset> hold = {},
                      UnixNanos now_ns = 10 * day_ns) {
    const auto plan = plan_retention(ten_days(), policy, now_ns, hold);
    return plan ? plan->last.value : 0;
}

WriteRequest texts(std::size_t count, std::size_t bytes) {
    WriteRequest request;
    for (std::size_t i = 0; i < count; ++i) {
        OwnedAppend record;
        record.stored = std::string(bytes, 'x');
        record.kind = RecordKind::audit;
        record.digest = crypto::sha256(as_bytes(record.stored));
        request.records.push_back(std::move(record));
    }
    return request;
}

// What the folder takes on the disk without leaf hashes.
std::uint64_t segment_bytes_on_disk(const TemporaryFolder& folder) {
    std::uint64_t out = 0;
    for (const auto& entry : fs::directory_iterator(folder.path()))
        if (entry.path().extension() == ".mdb")
            out += entry.file_size();
    return out;
}

}  // namespace

TEST_CASE("retention takes whole segments by age, size and count, and never the newest") {
    CHECK(last_of({}) == 0);
    CHECK(last_of({.max_age = 24h * 3}) == 700);
    CHECK(last_of({.max_age = 24h * 3}, {}, 10 * day_ns - 1) == 600);
    CHECK(last_of({.max_bytes = 10'000'000}) == 0);
    CHECK(last_of({.max_bytes = 9'999'999}) == 100);
    CHECK(last_of({.max_bytes = 3'500'000}) == 700);
    CHECK(last_of({.max_records = 1000}) == 0);
    CHECK(last_of({.max_records = 950}) == 100);
    CHECK(last_of({.max_records = 1}) == 900);
    CHECK(last_of({.max_age = 1ns}, {}, 100 * day_ns) == 900);
    CHECK(last_of({.max_age = 24h * 8, .max_bytes = 3'500'000}) == 700);
    const auto plan = plan_retention(ten_days(), {.max_bytes = 8'000'000}, 10 * day_ns, {});
    REQUIRE(plan);
    CHECK(plan->first == WalOffset{1});
    CHECK(plan->records == 200);
    CHECK(plan->bytes == 2'000'000);
    CHECK(plan->why == "size");
}

TEST_CASE("retention stops before the first record that a cursor holds") {
    const RetentionPolicy tight{.max_records = 1};
    CHECK(last_of(tight, WalOffset{1}) == 0);
    CHECK(last_of(tight, WalOffset{100}) == 0);
    CHECK(last_of(tight, WalOffset{101}) == 100);
    CHECK(last_of(tight, WalOffset{550}) == 500);
    CHECK(last_of(tight, WalOffset{5000}) == 900);
}

TEST_CASE("a log says of its segments what they hold") {
    TemporaryFolder folder;
    FakeClock clock(1'700'000'000'000'000'000);
    Options options;
    options.clock = &clock;
    options.segment_max_age = 1h;
    const auto log = open_log(folder, options);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(append_texts(*log, {"one", "two"}));
        clock.advance(2h);
    }
    const auto check_all = [&](Log& at) {
        const auto segments = at.segments();
        REQUIRE(segments.size() == 3);
        for (std::uint64_t i = 0; i < 3; ++i) {
            CHECK(segments[i].first == WalOffset{2 * i + 1});
            CHECK(segments[i].last == WalOffset{2 * i + 2});
            CHECK(segments[i].newest_received_ns ==
                  1'700'000'000'000'000'000 + i * 7'200'000'000'000);
            CHECK(segments[i].sealed == (i < 2));
            CHECK(segments[i].file_bytes > 0);
        }
    };
    check_all(*log);
    REQUIRE(log->prune({3}).value() == 2);
    CHECK(log->segments().size() == 2);
    CHECK(log->segments().front().first == WalOffset{3});
}

TEST_CASE("under a steady load the files stay at the size that retention allows") {
    TemporaryFolder folder;
    Options options;
    options.segment_max_bytes = 1 << 20;
    options.map_bytes = 4 << 20;
    const auto log = open_log(folder, options);
    Writer writer(*log, 64 << 20);
    const RetentionPolicy policy{.max_bytes = 8 << 20};
    std::uint64_t most = 0, pruned = 0;
    for (int round = 0; round < 60; ++round) {  // 60 MB through a log of 8
        for (int i = 0; i < 10; ++i)
            REQUIRE(writer.submit(texts(100, 1000)));
        std::atomic<bool> done{false};
        REQUIRE(writer.run_between_commits([&](Log&) { done = true; }));
        while (!done)
            std::this_thread::yield();
        if (const auto plan = plan_retention(log->segments(), policy, 1, {}))
            pruned += log->prune(plan->last.next()).value();
        most = std::max(most, segment_bytes_on_disk(folder));
    }
    CHECK(pruned > 40'000);
    CHECK(most < (8U << 20U) + 3 * (1U << 20U));  // two growing segments above the limit at most
    CHECK(log->stats().file_bytes <= 8U << 20U);
    CHECK(log->tree_head().value().size == 60'000);
    CHECK(log->leaf_hash({1}).value().has_value());  // pruned, and still provable
    writer.stop();
}

TEST_CASE("pruning goes on beside the writer and takes nothing that it appends") {
    TemporaryFolder folder;
    Options options;
    options.segment_max_bytes = 256 << 10;
    options.map_bytes = 4 << 20;
    const auto log = open_log(folder, options);
    Writer writer(*log, 64 << 20);
    std::atomic<std::uint64_t> committed{0}, refused{0};
    std::atomic<bool> stop{false};
    std::thread producer([&] {
        while (!stop) {
            auto request = texts(20, 1000);
            request.done = [&](const Result<Appended>& result) {
                result ? committed = result->last.value : ++refused;
            };
            if (!writer.submit(std::move(request)))
                std::this_thread::yield();
        }
    });
    std::uint64_t pruned = 0;
    while (pruned < 20'000) {
        const auto plan = plan_retention(log->segments(), {.max_bytes = 1 << 20}, 1, {});
        if (plan)
            pruned += log->prune(plan->last.next()).value();
        else
            std::this_thread::yield();
    }
    stop = true;
    producer.join();
    writer.stop();
    CHECK(refused == 0);
    const auto stats = log->stats();
    CHECK(stats.newest.value == committed);
    CHECK(stats.oldest.value == pruned + 1);
    CHECK(read_all(*log).size() == stats.records);
    CHECK(log->damages().empty());
}
