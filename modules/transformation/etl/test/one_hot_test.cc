#include "modules/transformation/etl/one_hot.h"

#include <catch2/catch.hpp>

#include "core/module/test/feature_values.h"
#include "modules/transformation/etl/etl.h"
#include "modules/transformation/etl/preprocess.h"
#include "modules/transformation/etl/test/feeder.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

using Named = std::map<std::string, double>;

Named row_of(OneHotOptions options, const Baselines& baselines, std::string_view device,
             const std::vector<module::FlowSample>& flows = {}) {
    module::ColumnTable columns;
    const auto one_hot = make_one_hot(columns, options, baselines);
    module::FeatureRow row;
    one_hot->extract({device, origin, origin + 60 * second, {}, {}, flows}, row);
    return module::test::values_of(row, columns);
}

module::FlowSample flow(bool is_tcp, bool is_udp) {
    module::FlowSample out;
    out.is_tcp = is_tcp;
    out.is_udp = is_udp;
    return out;
}

}  // namespace

TEST_CASE("each device with a baseline is a column of its own") {
    Baselines baselines;
    baselines["a"]["m"] = {};
    baselines["b"]["m"] = {};
    CHECK(row_of({.device = true}, baselines, "b") ==
          Named{{"device_is_a", 0}, {"device_is_b", 1}});
    CHECK(row_of({.device = true}, baselines, "c") ==
          Named{{"device_is_a", 0}, {"device_is_b", 0}});
}

TEST_CASE("the protocol of most flows is 1, the others 0, and all of them without flows") {
    const auto protocols = [](const std::vector<module::FlowSample>& flows) {
        return row_of({.protocol = true}, {}, "a", flows);
    };
    const auto tcp = flow(true, false), udp = flow(false, true), other = flow(false, false);
    const auto is = [](double t, double u, double o) {
        return Named{{"protocol_is_tcp", t}, {"protocol_is_udp", u}, {"protocol_is_other", o}};
    };
    CHECK(protocols({}) == is(0, 0, 0));
    CHECK(protocols({tcp, udp, udp}) == is(0, 1, 0));
    CHECK(protocols({udp, tcp}) == is(1, 0, 0));
    CHECK(protocols({other}) == is(0, 0, 1));
}

TEST_CASE("columns of 0 and 1 are not scaled") {
    std::vector<double> training = {0, 0, 1, 1};
    CHECK_FALSE(
        fit_scale({.name = "device_is_a", .stage = std::string(one_hot_stage)}, {}, training)
            .scaled);
}

TEST_CASE("what can be made columns of 0 and 1 is named") {
    CHECK(check_one_hot("device"));
    CHECK(check_one_hot("protocol"));
    CHECK(check_one_hot("port").has_error());
    EtlConfig config;
    config.one_hot = {"protocol"};
    const RunRequest request = make_request(config, {.out = "x"}, origin).value();
    CHECK_FALSE(request.batch.engine.one_hot.device);
    CHECK(request.batch.engine.one_hot.protocol);
}
