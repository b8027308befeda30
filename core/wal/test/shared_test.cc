#include "core/wal/shared.h"

#include <atomic>
#include <thread>

#include "core/wal/test/support.h"

namespace amoskys::wal::test {

TEST_CASE("readers of one folder share one handle, and the last one closes it") {
    const TemporaryFolder folder;
    REQUIRE(Log::open(folder.path(), {}).has_value());
    std::weak_ptr<Log> seen;
    {
        const auto first = open_reader(folder.path());
        const auto second = open_reader(folder.path() / ".");
        REQUIRE((first && second));
        CHECK(first->get() == second->get());
        seen = *first;
    }
    CHECK(seen.expired());
    CHECK(open_reader(folder.path()).has_value());
}

TEST_CASE(
    "an announced log is not closed under its readers, and takes no new ones while it waits") {
    const TemporaryFolder folder;
    const auto log = Log::open(folder.path(), {});
    REQUIRE(log.has_value());
    CHECK_FALSE(is_announced(folder.path()));
    AnnouncedLog announced(folder.path(), **log);
    CHECK(is_announced(folder.path()));
    auto reader = open_reader(folder.path());
    REQUIRE(reader.has_value());
    CHECK(reader->get() == log->get());
    std::atomic<bool> ended{false};
    std::thread owner([&] {
        announced.end_readers();
        ended = true;
    });
    while (open_reader(folder.path()).has_value())
        std::this_thread::yield();
    CHECK(open_reader(folder.path()).error().code == "log_closing");
    CHECK_FALSE(ended);
    reader->reset();
    owner.join();
    CHECK(ended);
}

}  // namespace amoskys::wal::test
