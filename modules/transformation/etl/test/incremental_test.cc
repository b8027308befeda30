#include "modules/transformation/etl/incremental.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "modules/transformation/etl/test/feeder.h"
#include "modules/transformation/etl/test/list_source.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

void grow(ListSource& source, unsigned from, unsigned to) {
    for (unsigned i = from; i < to; ++i)
        for (const char* device : {"a", "b"})
            source.events.push_back(gauge(device, origin + i * 10 * second, "m", i));
}

class First final : public module::Extractor {
  public:
    explicit First(module::ColumnTable& columns) : columns_(columns) {}
    void extract(const module::Window& window, module::FeatureRow& row) override {
        row.set(columns_.add({.name = "first"}), window.series[0].values[0]);
    }

  private:
    module::ColumnTable& columns_;
};
constexpr module::ExtractorKind first_kind = {
    .stage = "test",
    .make = [](module::ColumnTable& columns, const module::ExtractorSettings&)
        -> std::unique_ptr<module::Extractor> { return std::make_unique<First>(columns); }};

RunRequest request_for(const TempFolder& folder) {
    RunConfig options;
    options.out = folder.path.string();
    EtlConfig config;
    config.lateness = std::chrono::seconds(0);
    RunRequest request = make_request(config, options, origin).value();
    request.extractors = {&first_kind};
    request.writing = [](std::uint64_t) {};
    return request;
}

std::vector<std::string> parts(const TempFolder& folder) {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path))
        if (entry.is_regular_file() && entry.path().filename() != manifest_name)
            out.push_back(fs::relative(entry.path(), folder.path).string());
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

TEST_CASE("an increment has its shape that is kept") {
    TempFolder folder;
    ListSource source;
    // windows of -30, 0 close with the sample at 60 + 30 (a piece is 30 s)
    grow(source, 0, 12);
    const auto told = run_incremental(source, request_for(folder)).value();
    const auto kept = read_file(
        fs::path(AMOSKYS_SOURCE_DIR) / "modules/transformation/etl/test/golden/increment.json",
        1 << 20);
    CHECK(json::dump_pretty(told) + "\n" == kept.value());
}

TEST_CASE("a run writes what has closed since the one before, and nothing where nothing has") {
    TempFolder folder;
    ListSource source;
    grow(source, 0, 50);
    const auto first = run_incremental(source, request_for(folder)).value();
    const auto same = run_incremental(source, request_for(folder)).value();
    CHECK(same["rows"] == 0);
    CHECK(same["run"] == 1);
    grow(source, 50, 100);
    const auto second_run = run_incremental(source, request_for(folder)).value();
    CHECK(second_run["run"] == 2);
    CHECK(parts(folder).size() == 2);
    TempFolder at_once;
    const auto whole = run_incremental(source, request_for(at_once)).value();
    CHECK(whole["rows"] == first["rows"].get<int>() + second_run["rows"].get<int>());
}

TEST_CASE("what a killed run left is removed, what runs before it wrote stays") {
    TempFolder folder;
    ListSource source;
    grow(source, 0, 50);
    REQUIRE(run_incremental(source, request_for(folder)));
    const auto before = parts(folder);
    const fs::path day = folder.path / "canonical_telemetry_full/date=2024-10-27";
    REQUIRE(write_file_atomic(day / "part-000002.csv", "rows that nobody knows", 0644));
    REQUIRE(write_file_atomic(day / ".part-000002.csv.partial", "half a row", 0644));
    const std::vector<fs::path> own = {day / "notes.txt", day / "part-000002.csv.gz",
                                       day / "x.partial", folder.path / "part-000009.csv",
                                       folder.path / "other/date=2024-10-27/part-000009.parquet"};
    fs::create_directories(own.back().parent_path());
    for (const fs::path& file : own)
        REQUIRE(write_file_atomic(file, "somebody's own", 0644));
    REQUIRE(run_incremental(source, request_for(folder)));
    CHECK_FALSE(fs::exists(day / "part-000002.csv"));
    CHECK_FALSE(fs::exists(day / ".part-000002.csv.partial"));
    for (const fs::path& file : own)
        CHECK(fs::exists(file));
    for (const std::string& file : before)
        CHECK(fs::exists(folder.path / file));
}

TEST_CASE("a manifest comes back as it was and a damaged one is refused") {
    Manifest manifest;
    manifest.run = 3;
    manifest.settings = {{"window", "1m"}};
    manifest.until["edge"] = 1'730'000'000'123'456'789;
    manifest.files = {{"x/part-000001.csv", 5}};
    manifest.baselines["edge"]["m"] = {.count = 2, .min = 0.1, .max = 0.3, .mean = 0.2};
    const Json saved = to_json(manifest);
    const auto read = manifest_from_json(saved, "file").value();
    CHECK(read.until == manifest.until);
    CHECK(read.files == manifest.files);
    CHECK(to_json(read) == saved);
    for (const char* key : {"schema", "run", "settings", "devices", "files", "baselines"}) {
        Json changed = saved;
        changed[key] = -1;
        CHECK(manifest_from_json(changed, "file").has_error());
        changed.erase(key);
        CHECK(manifest_from_json(changed, "file").has_error());
    }
    for (const char* digits : {"", "x", "-1", "99999999999999999999", "5 "}) {
        Json changed = saved;
        changed["devices"]["edge"] = digits;
        CHECK(manifest_from_json(changed, "file").has_error());
    }
}
