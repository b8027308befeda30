#include "modules/transformation/etl/baseline_file.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/base/file.h"

using namespace amoskys;
using namespace amoskys::etl;

namespace {

Baselines some() {
    Baselines out;
    out["edge \"1\""]["cpu"] = {.count = 3,
                                .min = -0.1,
                                .max = 1.0 / 3,
                                .mean = 1e-300,
                                .std = 5e-324,
                                .step_std = 1.7976931348623157e308,
                                .interval_s = 0.1 + 0.2};
    out["idle"] = {};
    return out;
}

}  // namespace

TEST_CASE("baselines come back from their file bit for bit") {
    const fs::path file =
        fs::temp_directory_path() / ("etl_baselines_" + std::to_string(getpid()) + ".json");
    const Json metadata = {{"schema", "amoskys.feature_metadata/1"},
                           {"baselines", to_json(some())}};
    REQUIRE(write_file_atomic(file, json::dump_pretty(metadata), 0644));
    const auto read = read_baselines(file);
    fs::remove(file);
    REQUIRE(read.has_value());
    REQUIRE(read->size() == 2);
    const module::Baseline& cpu = read->at("edge \"1\"").at("cpu");
    const module::Baseline& before = some()["edge \"1\""]["cpu"];
    CHECK(cpu.count == 3);
    CHECK(cpu.min == before.min);
    CHECK(cpu.max == before.max);
    CHECK(cpu.mean == before.mean);
    CHECK(cpu.std == before.std);
    CHECK(cpu.step_std == before.step_std);
    CHECK(cpu.interval_s == before.interval_s);
}

TEST_CASE("what are no baselines is refused with its place") {
    const Json good = to_json(some());
    const auto refused = [](const Json& saved) {
        const auto read = baselines_from_json(saved, "file");
        return read.has_error() && read.error().kind == ErrorKind::bad_data;
    };
    CHECK_FALSE(refused(good));
    CHECK(refused(Json()));
    CHECK(refused(Json::array()));
    CHECK(refused({{"d", 1}}));
    for (const char* field : {"count", "min", "max", "mean", "std", "step_std", "interval_s"}) {
        Json changed = good;
        changed["edge \"1\""]["cpu"][field] = "x";
        CHECK(refused(changed));
        changed["edge \"1\""]["cpu"].erase(field);
        CHECK(refused(changed));
    }
    Json turned = good;
    turned["edge \"1\""]["cpu"]["min"] = 2;
    CHECK(refused(turned));
    CHECK(read_baselines("/nonexistent/feature_metadata.json").has_error());
}
