#include "modules/tools/inspect/test/legacy_fixture.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

TEST_CASE("timeline counts intervals, gaps and hours") {
    State state;
    const auto file = state.folder / "legacy.db";
    {
        LegacyFixture fixture(file);
        fixture.make_table();
        for (const std::uint64_t at : {0, 60, 120, 165, 600, 660})  // 60 60 45 435 60
            fixture.add(legacy_envelope(start_ns + at * second_ns), start_ns);
    }
    ImportOptions options;
    options.database = file.string();
    REQUIRE_FALSE(state.run(import_log, options).error.has_value());
    const Outcome outcome = state.run(timeline, TimelineOptions{.tz = "-05:00"});
    REQUIRE_FALSE(outcome.error.has_value());
    CHECK(outcome.json["envelopes"] == 6);
    CHECK(outcome.json["intervals"] == 5);
    CHECK(outcome.json["intervals_ok"] == 3);
    CHECK(outcome.json["health_percent"] == 60.0);
    CHECK(outcome.json["gaps"] == 1);
    CHECK(outcome.json["hours"][19] == 6);
    CHECK(outcome.json["longest_gaps"][0]["minutes"] == 7.3);
    check_golden("timeline", outcome.json);
    CHECK(state.run(timeline, TimelineOptions{.tz = "UTC", .limit = 3}).json["envelopes"] == 3);
}
