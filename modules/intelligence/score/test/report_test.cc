#include "modules/intelligence/score/report.h"

#include <catch2/catch.hpp>

#include "modules/intelligence/score/test/plain_model.h"

using namespace amoskys;
using namespace amoskys::score;
using namespace amoskys::score::test;

TEST_CASE("a scored row is pinned: golden score noun") {
    const auto table =
        parse_table("device_id,window_start,window_end,a,b\nd,t0,t1,1,2.5\n", "t.csv", {}).value();
    TrainedModel model;
    model.name = std::string("mine");
    model.threshold = 2;
    model.model = std::make_unique<Largest>(table.features.columns);
    StringSink out;
    const OutputOptions options{.format = OutputFormat::ndjson};
    auto rows = RowOutput::open(out, options, score_noun).value();
    rows->row(score_row(model, table, table.features, 0, 3));
    REQUIRE(rows->finish());
    CHECK(
        out.text ==
        "{\"schema\":\"amoskys.score/1\",\"device\":\"d\",\"window_start\":\"t0\","
        "\"window_end\":\"t1\",\"score\":2.5,\"threshold\":2.0,\"anomaly\":true,\"model\":\"mine\","
        "\"why\":\"b is 2.5, usually 0.5\",\"features\":[{\"feature\":\"b\",\"value\":2.5,"
        "\"expected\":0.5,\"share\":1.0}]}\n");
}

TEST_CASE("a table without keys gives null for device and window") {
    const auto table = parse_table("a\n1\n", "t.csv", {}).value();
    TrainedModel model;
    model.threshold = 2;
    model.model = std::make_unique<Largest>(table.features.columns);
    const Json row = score_row(model, table, table.features, 0, 0);
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
