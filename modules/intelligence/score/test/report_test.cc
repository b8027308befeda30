#include "modules/intelligence/score/report.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "modules/intelligence/score/test/plain_model.h"

using namespace amoskys;
using namespace amoskys::score;
using namespace amoskys::score::test;

namespace {

Finding found(double severity) {
    return {{severity, 0.5}, {2, severity > 2}};
}

}  // namespace

TEST_CASE("a scored row is pinned: golden score noun") {
    const auto table =
        parse_table("device_id,window_start,window_end,a,b\nd,t0,t1,1,2.5\n", "t.csv", {}).value();
    const TrainedModel model = trained();
    StringSink out;
    const OutputOptions options{.format = OutputFormat::ndjson};
    auto rows = RowOutput::open(out, options, score_noun).value();
    Json row = score_row(model, table, table.features, 0, found(3), 3);
    for (const char* number : {"score", "low", "high", "threshold"})
        row[number] = std::round(row[number].get<double>() * 1e4) / 1e4;
    rows->row(row);
    REQUIRE(rows->finish());
    CHECK(out.text ==
          "{\"schema\":\"amoskys.score/1\",\"device\":\"d\",\"window_start\":\"t0\","
          "\"window_end\":\"t1\",\"score\":0.8,\"low\":0.7385,\"high\":0.8471,"
          "\"severity\":3.0,\"threshold\":0.658,\"anomaly\":true,\"model\":\"mine\","
          "\"why\":\"b is 2.5, usually 0.5\",\"features\":[{\"feature\":\"b\",\"value\":2.5,"
          "\"expected\":0.5,\"direction\":\"above\",\"share\":1.0}]}\n");
}

TEST_CASE("a table without keys gives null for device and window") {
    const auto table = parse_table("a,b\n1,0\n", "t.csv", {}).value();
    const Json row = score_row(trained(), table, table.features, 0, found(1), 0);
    CHECK(row["device"].is_null());
    CHECK(row["anomaly"] == false);
    CHECK(row["features"] == Json::array());
}

TEST_CASE("model parameters are name=number and anything else is a usage error") {
    const auto parsed = parse_parameters({"trees=200", "rate=0.5"}).value();
    CHECK(parsed["trees"].is_number_unsigned());
    CHECK(parsed["trees"] == 200);
    CHECK(parsed["rate"] == 0.5);
    for (const char* wrong : {"trees", "=5", "trees=", "trees=many", "trees=5x"}) {
        const auto refused = parse_parameters({wrong});
        REQUIRE(refused.has_error());
        CHECK(refused.error().kind == ErrorKind::usage);
    }
}
