#include "modules/transformation/etl/incremental.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/base/text.h"
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
        if (entry.is_regular_file() && entry.path().extension() == ".csv")
            out.push_back(fs::relative(entry.path(), folder.path).string());
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<fs::path> states(const TempFolder& folder) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder.path))
        if (entry.path().extension() == ".state")
            out.push_back(entry.path());
    return out;
}

// The rows of all parts, sorted.
std::vector<std::string> rows_of(const TempFolder& folder) {
    std::vector<std::string> out;
    for (const std::string& part : parts(folder)) {
        const std::string text = folder.text(part);
        for (const std::string_view line : amoskys::split(text, '\n'))
            if (!line.empty() && !line.starts_with("device_id"))
                out.emplace_back(line);
    }
    std::sort(out.begin(), out.end());
    return out;
}

// Of a run into `into`, with the baselines that `from` has.
RunRequest with_baselines_of(const TempFolder& from, const TempFolder& into) {
    RunRequest request = request_for(into);
    request.baselines = load_manifest(from.path / manifest_name).value().baselines;
    return request;
}

}  // namespace

TEST_CASE("an increment has its shape that is kept") {
    TempFolder folder;
    ListSource source;
    // the window of 0 closes with the sample at 60 + 30 (a piece is 30 s)
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

TEST_CASE("a run goes on at the position of the one before and reads nothing twice") {
    TempFolder folder, at_once;
    ListSource source;
    std::size_t seen = 0;
    for (unsigned to = 50; to <= 400; to += 50) {
        grow(source, to - 50, to);
        source.read_events = 0;
        REQUIRE(run_incremental(source, request_for(folder)));
        // The first one learns its baselines before.
        CHECK(source.read_events == (to == 50 ? 2 : 1) * (source.events.size() - seen));
        seen = source.events.size();
    }
    CHECK(states(folder).size() == 1);
    REQUIRE(run_incremental(source, with_baselines_of(folder, at_once)));
    CHECK(rows_of(folder) == rows_of(at_once));
    CHECK(rows_of(folder).size() > 200);
}

TEST_CASE("a position that is of no use is not used, and no row is there twice") {
    const std::vector<std::pair<std::string, std::function<void(TempFolder&, ListSource&)>>> cases =
        {{"the state is gone", [](TempFolder& f, ListSource&) { fs::remove(states(f)[0]); }},
         {"it is damaged",
          [](TempFolder& f, ListSource&) {
              std::string bytes = read_file(states(f)[0], 1 << 20).value();
              bytes[bytes.size() / 2] ^= 1;
              REQUIRE(write_file_atomic(states(f)[0], bytes, 0644));
          }},
         {"it is another log", [](TempFolder&, ListSource& s) { s.log_name = "other"; }},
         {"the manifest has none", [](TempFolder& f, ListSource&) {
              Json saved = json::parse(f.text("manifest.json"), "manifest").value();
              saved.erase("position");
              REQUIRE(write_file_atomic(f.path / manifest_name, json::dump(saved), 0644));
          }}};
    for (const auto& [what, spoil] : cases) {
        INFO(what);
        TempFolder folder, at_once;
        ListSource source;
        grow(source, 0, 100);
        REQUIRE(run_incremental(source, request_for(folder)));
        spoil(folder, source);
        grow(source, 100, 200);
        source.read_events = 0;
        REQUIRE(run_incremental(source, request_for(folder)));
        CHECK(source.read_events == source.events.size());
        REQUIRE(run_incremental(source, with_baselines_of(folder, at_once)));
        CHECK(rows_of(folder) == rows_of(at_once));
    }
}

TEST_CASE("other devices are read from the beginning of the log") {
    TempFolder folder;
    ListSource source;
    grow(source, 0, 100);
    RunRequest only_a = request_for(folder);
    only_a.filter.devices = {"a"};
    const auto first = run_incremental(source, only_a).value();
    CHECK(first["devices"] == 1);
    const auto both = run_incremental(source, request_for(folder)).value();
    CHECK(both["devices"] == 2);
    CHECK(both["rows"] == first["rows"]);
}

TEST_CASE("following writes increments as the log grows, as a run over the whole log") {
    TempFolder folder, at_once;
    ListSource source;
    unsigned to = 0;  // an empty log at first
    source.more = [&] {
        grow(source, to, to + 37);
        to += 37;
        return to < 400;
    };
    StringSink out;
    REQUIRE(follow_incremental(source, request_for(folder), Duration(0), out));
    CHECK(std::count(out.text.begin(), out.text.end(), '\n') > 8);
    CHECK(out.text.starts_with(R"({"schema":"amoskys.increment/1",)"));
    source.events.resize(source.events.size() - 37 * 2);  // what the last look brought
    REQUIRE(run_incremental(source, with_baselines_of(folder, at_once)));
    CHECK(rows_of(folder) == rows_of(at_once));
}

TEST_CASE("parts lie in folders by date, device or both") {
    CHECK(partition_folder({}, "x", origin) == "date=2024-10-27");
    CHECK(partition_folder({true, true}, "edge-1.lan", origin) ==
          "date=2024-10-27/device=edge-1.lan");
    CHECK(partition_folder({false, true}, "a/b =%\xc3\xa9", origin) ==
          "device=a%2Fb%20%3D%25%C3%A9");
    CHECK(partition_folder({false, true}, "", origin) == "device=__HIVE_DEFAULT_PARTITION__");
    const std::string long_name = partition_folder({false, true}, std::string(300, 'x'), origin);
    CHECK(long_name.size() < 255);
    CHECK(long_name != partition_folder({false, true}, std::string(299, 'x'), origin));
    TempFolder folder, by_date;
    ListSource source;
    grow(source, 0, 200);
    RunRequest request = request_for(folder);
    request.partition.device = true;
    const auto told = run_incremental(source, request).value();
    CHECK(told["files"][0] == "canonical_telemetry_full/date=2024-10-27/device=a/part-000001.csv");
    CHECK(told["files"].size() == 2);
    // What a killed run left is found there, too.
    const fs::path left =
        folder.path / "canonical_telemetry_full/date=2024-10-27/device=a/part-000002.csv";
    REQUIRE(write_file_atomic(left, "rows that nobody knows", 0644));
    grow(source, 200, 201);
    REQUIRE(run_incremental(source, request));
    CHECK(folder.text(fs::relative(left, folder.path).string()) != "rows that nobody knows");
    REQUIRE(run_incremental(source, with_baselines_of(folder, by_date)));
    CHECK(rows_of(folder) == rows_of(by_date));
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
    manifest.position = Position{17, "ab", "all", "position-17.state", "cd"};
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
    for (const char* key : {"record", "mark", "filter", "state", "sha256"}) {
        Json changed = saved;
        changed["position"].erase(key);
        CHECK(manifest_from_json(changed, "file").has_error());
    }
    for (const char* digits : {"", "x", "-1", "99999999999999999999", "5 "}) {
        Json changed = saved;
        changed["devices"]["edge"] = digits;
        CHECK(manifest_from_json(changed, "file").has_error());
    }
}
