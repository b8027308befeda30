// What of following needs no writer beside it.
#include "modules/tools/inspect/test/support.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

std::size_t lines_of(const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

TEST_CASE("events --follow gives what is there first, and ends at the limit") {
    State state;
    SampleLog(state).close();
    EventsOptions options;
    options.follow = true;
    options.limit = 3;
    const Outcome rows = state.run(events, options, OutputFormat::ndjson);
    REQUIRE_FALSE(rows.error.has_value());
    CHECK(lines_of(rows.text) == 3);
    const auto first = json::parse(rows.text.substr(0, rows.text.find('\n')), "row");
    REQUIRE(ok(first));
    CHECK((*first)["schema"] == "amoskys.event/1");
    CHECK((*first)["offset"] == 1);
    options.offset = 4;
    options.limit = 2;
    CHECK(state.run(events, options, OutputFormat::ndjson).text.find("router-2") !=
          std::string::npos);
}

TEST_CASE("a followed table is a line an event, without a device's control characters") {
    State state;
    SampleLog sample(state);
    sample.append(stored(sample.build("router\n3", start_ns + 2000 * second_ns)));
    sample.close();
    EventsOptions options;
    options.follow = true;
    options.limit = 10;
    const Outcome rows = state.run(events, options, OutputFormat::table);
    REQUIRE_FALSE(rows.error.has_value());
    CHECK(lines_of(rows.text) == 10);
    CHECK(
        rows.text.starts_with("2025-12-01T00:00:00.000000000Z INFO router-1 snmp "
                              "ifInOctets[2]=18000000000000000000 bytes\n"));
    CHECK(rows.text.find("router\\x0a3") != std::string::npos);
}

TEST_CASE("following is refused where its options contradict each other") {
    State state;
    SampleLog(state).close();
    const auto code = [&](const EventsOptions& options, OutputFormat format) {
        const Outcome outcome = state.run(tail, options, format);
        REQUIRE(outcome.error.has_value());
        CHECK(outcome.error->kind == ErrorKind::usage);
        return outcome.error->code;
    };
    auto options = *std::static_pointer_cast<EventsOptions>(make_tail_options());
    CHECK(code(options, OutputFormat::json) == "follow_format");
    CHECK(code(options, OutputFormat::yaml) == "follow_format");
    options.cursor = "siem";
    CHECK(code(options, OutputFormat::ndjson) == "needs_bus");
    options.bus = "127.0.0.1:1";
    options.log = "/x";
    CHECK(code(options, OutputFormat::ndjson) == "log_and_bus");
    options.log.clear();
    options.bus = "nowhere:99999";
    CHECK(code(options, OutputFormat::ndjson).find("endpoint") != std::string::npos);
    options.bus.clear();
    options.cursor.clear();
    options.kind = {"metrics"};
    CHECK(code(options, OutputFormat::ndjson) == "unknown_kind");
}

TEST_CASE("reading from a bus needs an identity") {
    State state;
    EventsOptions options;
    options.bus = "127.0.0.1:1";
    const Outcome outcome = state.run(events, options, OutputFormat::ndjson);
    REQUIRE(outcome.error.has_value());
    CHECK(outcome.error->code == "no_identity");
    options.newest = true;
    CHECK(state.run(events, options, OutputFormat::ndjson).error->code == "newest_and_bus");
}
