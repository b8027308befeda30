#include "modules/tools/dash/stream.h"

#include <catch2/catch.hpp>

using namespace amoskys::modules::dash;

namespace {

SharedText shared(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

}  // namespace

TEST_CASE("a browser that is slow loses the oldest messages and is told how many") {
    BrowserQueue queue;
    for (std::size_t i = 0; i < BrowserQueue::messages_max + 3; ++i)
        queue.push(shared(sse_message("events", std::to_string(i), "[]")));
    const std::string text = queue.take();
    CHECK(text.starts_with("event: gap\ndata: {\"messages\":3}\n\n"));
    CHECK(text.find("id: 2\n") == std::string::npos);
    CHECK(text.find("id: 3\n") != std::string::npos);
    CHECK(queue.empty());
    CHECK(queue.take().empty());
}

TEST_CASE("a position is of this process's stream or of none") {
    CHECK(parse_feed_position(feed_position("ab12", 17), "ab12") == 17U);
    for (const char* other : {"ab13-17", "ab12", "ab12-", "ab12-1x", "", "ab1217", "ab12--1"})
        CHECK_FALSE(parse_feed_position(other, "ab12").has_value());
}
