#include "modules/transformation/calendar/calendar.h"

#include <catch2/catch.hpp>

using namespace amoskys;
using calendar::moment_of;

namespace {

constexpr UnixNanos second = 1'000'000'000;
constexpr UnixNanos thursday = 1'732'752'000 * second;  // 2024-11-28T00:00:00Z

}  // namespace

TEST_CASE("hours and days of a week, Monday first") {
    const TimeZone utc = TimeZone::find("UTC").value();
    CHECK(moment_of(0, utc).day_of_week == 3);
    for (unsigned hour = 0; hour < 7 * 24; ++hour) {
        const auto moment = moment_of(thursday + hour * 3600 * second, utc);
        CHECK(moment.hour == hour % 24);
        CHECK(moment.day_of_week == (3 + hour / 24) % 7);
        CHECK(moment.is_weekend() == (hour / 24 == 2 || hour / 24 == 3));
    }
}

TEST_CASE("business hours end with the second before 18:00 and on Friday") {
    const TimeZone utc = TimeZone::find("UTC").value();
    const auto open = [&](unsigned day, unsigned seconds) {
        return moment_of(thursday + (day * 86'400ULL + seconds) * second, utc).is_business_hours();
    };
    CHECK_FALSE(open(0, 9 * 3600 - 1));
    CHECK(open(0, 9 * 3600));
    CHECK(open(1, 18 * 3600 - 1));
    CHECK_FALSE(open(1, 18 * 3600));
    CHECK_FALSE(open(2, 12 * 3600));
    CHECK(open(4, 12 * 3600));
}

TEST_CASE("offsets move hour and day, also before the first day of 1970") {
    const auto west = moment_of(thursday, TimeZone::find("-05:30").value());
    CHECK(west.hour == 18);
    CHECK(west.day_of_week == 2);
    const auto east = moment_of(thursday + 23 * 3600 * second, TimeZone::find("+03:00").value());
    CHECK(east.hour == 2);
    CHECK(east.day_of_week == 4);
    CHECK(moment_of(0, TimeZone::find("-05:00").value()).day_of_week == 2);
}

TEST_CASE("the extractor writes the moment of the window's start") {
    module::ColumnTable columns;
    module::ExtractorSettings settings;
    settings.time_zone = TimeZone::find("+01:00").value();
    const auto extractor = calendar::make_extractor(columns, settings);
    module::FeatureRow row;
    extractor->extract({"d", thursday + 9 * 3600 * second, thursday + 9 * 3600 * second + 60, {}},
                       row);
    REQUIRE(columns.columns().size() == 4);
    CHECK(columns.columns()[0].name == "hour");
    CHECK(row.values()[0] == 10);
    CHECK(row.values()[1] == 3);
    CHECK(row.values()[2] == 0);
    CHECK(row.values()[3] == 1);
}
