#include "core/wal/writer.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;
using namespace amoskys::wal::test;

namespace {

OwnedAppend owned(std::string text) {
    OwnedAppend record;
    record.kind = RecordKind::audit;
    record.digest = crypto::sha256(as_bytes(text));
    record.stored = std::move(text);
    return record;
}

// Blocks the writer thread until let go, so that a queue can be filled without a race.
class Gate {
  public:
    void hold() {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        wake_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    bool open_ = false;
};

}  // namespace

TEST_CASE("what waited together is committed together, and each request gets its own offsets") {
    TemporaryFolder folder;
    const auto log = Log::open(folder.path(), {});
    REQUIRE(log);
    Gate gate;
    std::vector<Appended> got;
    std::vector<std::size_t> groups;
    Writer writer(**log, 1 << 20);
    writer.on_commit([&](double, std::size_t records) { groups.push_back(records); });
    REQUIRE(writer.run_between_commits([&](Log&) { gate.hold(); }));
    for (int i = 0; i < 10; ++i) {
        WriteRequest request;
        request.records = {owned("a" + std::to_string(i)), owned("b" + std::to_string(i))};
        request.states = {{"state", std::to_string(i)}};
        request.done = [&](const Result<Appended>& result) { got.push_back(result.value()); };
        REQUIRE(writer.submit(std::move(request)));
    }
    gate.open();
    writer.stop();
    REQUIRE(got.size() == 10);
    for (std::uint64_t i = 0; i < 10; ++i) {
        CHECK(got[i].first.value == 2 * i + 1);
        CHECK(got[i].last.value == 2 * i + 2);
    }
    CHECK(groups == std::vector<std::size_t>{20});
    CHECK(writer.stats().commits == 1);
    CHECK(writer.stats().records == 20);
    CHECK(writer.stats().queued_bytes == 0);
    CHECK((*log)->state("state").value() == "9");
    CHECK(read_all(**log).size() == 20);
}

TEST_CASE("a full queue refuses, and a stopped writer too") {
    TemporaryFolder folder;
    const auto log = Log::open(folder.path(), {});
    REQUIRE(log);
    Gate gate;
    Writer writer(**log, 100000);
    REQUIRE(writer.run_between_commits([&](Log&) { gate.hold(); }));
    int accepted = 0;
    for (;; ++accepted) {
        WriteRequest request;
        request.records = {owned(std::string(10000, 'x'))};
        if (!writer.submit(std::move(request)))
            break;
    }
    CHECK(accepted == 9);
    gate.open();
    writer.stop();
    CHECK_FALSE(writer.submit({}));
    CHECK_FALSE(writer.run_between_commits([](Log&) {}));
    CHECK(read_all(**log).size() == 9);
}

TEST_CASE("a request that can never be stored does not fail its neighbours") {
    TemporaryFolder folder;
    const auto log = Log::open(folder.path(), {});
    REQUIRE(log);
    Gate gate;
    std::vector<bool> good;
    {
        Writer writer(**log, 1 << 30);
        REQUIRE(writer.run_between_commits([&](Log&) { gate.hold(); }));
        for (const std::size_t bytes : {std::size_t{10}, std::size_t{17 << 20}, std::size_t{10}}) {
            WriteRequest request;
            request.records = {owned(std::string(bytes, 'x'))};
            request.done = [&](const Result<Appended>& result) {
                good.push_back(result.has_value());
            };
            REQUIRE(writer.submit(std::move(request)));
        }
        gate.open();
    }
    CHECK(good == std::vector<bool>{true, false, true});
    CHECK(read_all(**log).size() == 2);
}

TEST_CASE("records may be read while others are written") {
    TemporaryFolder folder;
    Options options;
    options.segment_max_bytes = 256 << 10;
    options.map_bytes = 1 << 20;
    const auto log = Log::open(folder.path(), options);
    REQUIRE(log);
    constexpr std::uint64_t count = 2000;
    std::atomic<bool> ended = false;
    std::uint64_t read_in_order = 0;
    std::thread reader([&] {
        WalOffset at{1};
        while (!ended || at.value <= count) {
            const auto next = (*log)->read(at, 100, [&](const RecordView& record) {
                read_in_order += record.header.offset.value == read_in_order + 1 ? 1 : 0;
                return true;
            });
            if (!next)
                return;
            at = *next;
        }
    });
    {
        Writer writer(**log, 1 << 24);
        for (std::uint64_t i = 0; i < count; ++i) {
            WriteRequest request;
            request.records = {owned(text_of(i, 1500))};
            while (!writer.submit(request))
                std::this_thread::yield();
        }
    }
    ended = true;
    reader.join();
    CHECK(read_in_order == count);
    CHECK((*log)->stats().segments > 1);
    CHECK((*log)->damages().empty());
}
