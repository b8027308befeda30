#include "core/wire/legacy.h"
#include "modules/tools/inspect/legacy_db.h"
#include "modules/tools/inspect/stored_form.h"
#include "modules/tools/inspect/test/legacy_fixture.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

ImportOptions database(const std::filesystem::path& file) {
    ImportOptions options;
    options.database = file.string();
    return options;
}

template <class Options>
Options in_place(const std::filesystem::path& file) {
    Options options;
    options.log = file.string();
    return options;
}

void make_mixed(const std::filesystem::path& file) {
    LegacyFixture fixture(file);
    fixture.make_table();
    fixture.add(legacy_envelope(start_ns), start_ns);
    const std::string universal = universal_envelope(start_ns + 60 * second_ns);
    fixture.add(universal, crypto::sha256(as_bytes(universal)), start_ns + 60 * second_ns);
    fixture.add(legacy_envelope(start_ns + 120 * second_ns, 0), start_ns + 120 * second_ns);
    const std::string copy = legacy_envelope(start_ns + 180 * second_ns);
    fixture.add(copy, as_bytes(copy), start_ns + 180 * second_ns);
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        out.push_back(entry.path().filename().string());
    std::ranges::sort(out);
    return out;
}

}  // namespace

TEST_CASE("import takes both envelope kinds of one table over, bytes as they are") {
    State state;
    const auto file = state.folder / "legacy.db";
    make_mixed(file);
    const auto before = read_file(file, 1 << 20);
    Outcome outcome = state.run(import_log, database(file));
    REQUIRE_FALSE(outcome.error.has_value());
    CHECK(outcome.json["rows"] == 4);
    CHECK(outcome.json["imported"] == 4);
    CHECK(outcome.json["envelopes"]["universal"] == 1);
    CHECK(outcome.json["unsigned"] == 2);
    CHECK(*before == *read_file(file, 1 << 20));
    CHECK(names_in(state.folder) == std::vector<std::string>{"legacy.db", "wal"});
    outcome.json["file"] = "legacy.db";
    check_golden("import", outcome.json);

    wal::Options options;
    options.read_only = true;
    auto log = wal::Log::open(state.folder / "wal", options);
    REQUIRE(ok(log));
    CHECK(as_text(**(*log)->read_stored({1})) == legacy_envelope(start_ns));
    CHECK(as_text(**(*log)->read_stored({2})) == universal_envelope(start_ns + 60 * second_ns));
}

TEST_CASE("imported records are decoded, summed up and verified") {
    State state;
    make_mixed(state.folder / "legacy.db");
    REQUIRE_FALSE(state.run(import_log, database(state.folder / "legacy.db")).error.has_value());
    const Outcome rows = state.run(events, EventsOptions{});
    REQUIRE_FALSE(rows.error.has_value());
    REQUIRE(rows.json.size() == 4);
    CHECK(rows.json[0]["protocol"] == "SNMP-TELEMETRY");
    CHECK(rows.json[1]["metric"] == "cpuUtilization");
    const Outcome sums = state.run(summary, SummaryOptions{});
    CHECK(sums.json["imported"] == 4);
    CHECK(sums.json["unsigned"] == 2);
    const Outcome checked = state.run(verify, VerifyOptions{});
    INFO(checked.text);
    REQUIRE_FALSE(checked.error.has_value());
    CHECK(checked.json["unchecked_signatures"] == 2);
    CHECK(checked.json["unsigned"] == 2);
}

TEST_CASE("importing a file again adds nothing, and a grown file only what is new") {
    State state;
    const auto file = state.folder / "legacy.db";
    make_mixed(file);
    REQUIRE_FALSE(state.run(import_log, database(file)).error.has_value());
    const Outcome again = state.run(import_log, database(file));
    REQUIRE_FALSE(again.error.has_value());
    CHECK(again.json["imported"] == 0);
    CHECK(again.json["duplicates"] == 4);
    CHECK(again.json["already_imported"] == true);
    const auto grown = state.folder / "grown.db";
    {
        LegacyFixture fixture(grown);
        fixture.make_table();
        fixture.add(legacy_envelope(start_ns), start_ns);
        fixture.add(legacy_envelope(start_ns + 240 * second_ns), start_ns);
    }
    const Outcome more = state.run(import_log, database(grown));
    CHECK(more.json["imported"] == 1);
    CHECK(more.json["duplicates"] == 1);
    CHECK(state.run(summary, SummaryOptions{}).json["records"] == 5);
}

TEST_CASE("a file with one bad row, or that is no such database, changes nothing") {
    State state;
    const auto file = state.folder / "legacy.db";
    const auto refused = [&](std::string_view code) {
        const Outcome outcome = state.run(import_log, database(file));
        REQUIRE(outcome.error.has_value());
        CHECK(exit_code(*outcome.error) == 65);
        CHECK(outcome.error->code == code);
        CHECK_FALSE(std::filesystem::exists(state.folder / "wal"));
    };
    SECTION("a checksum of other bytes") {
        make_mixed(file);
        LegacyFixture(file).add(legacy_envelope(start_ns + second_ns), as_bytes("xxxx"), start_ns);
        refused("import_row");
    }
    SECTION("bytes that are no envelope") {
        make_mixed(file);
        LegacyFixture(file).add("\xff\xff garbage", start_ns);
        refused("import_row");
    }
    SECTION("another table") {
        LegacyFixture(file).execute("CREATE TABLE other (id INTEGER)");
        refused("import_schema");
    }
    SECTION("another column") {
        LegacyFixture(file).execute("CREATE TABLE wal (id INTEGER, bytes BLOB)");
        refused("import_schema");
    }
    SECTION("text where bytes belong") {
        LegacyFixture fixture(file);
        fixture.make_table();
        fixture.execute("INSERT INTO wal (idem, ts_ns, bytes, checksum) VALUES ('a', 1, 'b', 'c')");
        refused("import_row");
    }
    SECTION("not a database") {
        std::ofstream(file) << std::string(4096, 'x');
        refused("import_not_sqlite");
    }
    SECTION("a transaction that did not end") {
        make_mixed(file);
        std::ofstream(file.string() + "-journal") << "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
                                                  << "rest";
        refused("import_unsupported");
    }
    SECTION("a file that is cut") {
        make_mixed(file);
        std::filesystem::resize_file(file, 4096);
        refused("import_damaged");
    }
    SECTION("rows without their number") {
        LegacyFixture(file).execute(
            "CREATE TABLE wal (id TEXT PRIMARY KEY, idem, ts_ns, bytes, checksum)");
        refused("import_schema");
    }
    SECTION("a folder") {
        std::filesystem::create_directory(file);
        refused("import_not_sqlite");
    }
}

TEST_CASE("the earlier system's log is read where it is, as after an import") {
    State state;
    const auto file = state.folder / "legacy.db";
    make_mixed(file);
    const auto all = in_place<EventsOptions>(file);
    const Outcome rows = state.run(events, all);
    REQUIRE_FALSE(rows.error.has_value());
    EventsOptions last = all, later = all, near = all;
    last.newest = true;
    last.limit = 2;
    later.offset = 3;
    near.device = {"test-device-001"};
    CHECK(state.run(events, last).json[1] == rows.json[3]);
    CHECK(state.run(events, later).json[0] == rows.json[2]);
    CHECK(state.run(events, near).json == Json::array({rows.json[1]}));
    const Outcome sums = state.run(summary, in_place<SummaryOptions>(file));
    const Outcome times = state.run(timeline, TimelineOptions{.log = file.string(), .tz = "UTC"});
    CHECK(state.run(gaps, in_place<GapsOptions>(file)).json == Json::array());
    CHECK(names_in(state.folder) == std::vector<std::string>{"legacy.db"});

    REQUIRE_FALSE(state.run(import_log, database(file)).error.has_value());
    CHECK(state.run(events, EventsOptions{}).json == rows.json);
    CHECK(state.run(timeline, TimelineOptions{.tz = "UTC"}).json == times.json);
    const Json imported = state.run(summary, SummaryOptions{}).json;
    for (const auto& [key, value] : imported.items())
        if (key != "file_bytes" && !key.ends_with("_received"))
            CHECK(sums.json[key] == value);
}

TEST_CASE("a bad row of the earlier system's log is a damage of it where it is") {
    State state;
    const auto file = state.folder / "legacy.db";
    make_mixed(file);
    LegacyFixture(file).add(legacy_envelope(start_ns + second_ns), as_bytes("xxxx"), start_ns);
    const Outcome rows = state.run(events, in_place<EventsOptions>(file));
    REQUIRE(rows.error.has_value());
    CHECK(exit_code(*rows.error) == 3);
    CHECK(rows.json.size() == 4);
    const Outcome damages = state.run(gaps, in_place<GapsOptions>(file));
    REQUIRE(damages.json.size() == 1);
    CHECK(damages.json[0]["kind"] == "damage");
    CHECK(damages.json[0]["first"] == 5);
}

TEST_CASE("what needs a log of ours refuses a file, exit 64, and says what reads it") {
    State state;
    const auto file = state.folder / "legacy.db";
    make_mixed(file);
    for (const Outcome& outcome :
         {state.run(verify, in_place<VerifyOptions>(file)),
          state.run(prove, ProveOptions{.offset = 1, .log = file.string()}),
          state.run(tail, EventsOptions{.log = file.string(), .limit = 0, .follow = true},
                    OutputFormat::ndjson)}) {
        REQUIRE(outcome.error.has_value());
        CHECK(exit_code(*outcome.error) == 64);
        CHECK(outcome.error->code == "wal_is_file");
    }
    LegacyFixture(file).execute("UPDATE wal SET id = -1 WHERE id = 2");
    CHECK(exit_code(*state.run(summary, in_place<SummaryOptions>(file)).error) == 65);
}

TEST_CASE("a database that changes while it is read is refused, exit 69") {
    State state;
    const auto file = state.folder / "legacy.db";
    make_mixed(file);
    const auto opened = LegacyDatabase::open(file);
    REQUIRE(ok(opened));
    CHECK(*opened->count() == 4);
    const auto changed = opened->for_each(INT64_MIN, [&](const LegacyRow& row) -> Result<bool> {
        if (row.id == 2)
            LegacyFixture(file).execute("DELETE FROM wal WHERE id = 1");
        return true;
    });
    REQUIRE_FALSE(changed.has_value());
    CHECK(changed.error().code == "import_busy");
    CHECK(exit_code(changed.error()) == 69);
}

TEST_CASE("import of a file that is not there exits 66") {
    State state;
    CHECK(exit_code(*state.run(import_log, database(state.folder / "none.db")).error) == 66);
}

TEST_CASE("import --dry-run checks and changes nothing") {
    State state;
    make_mixed(state.folder / "legacy.db");
    ImportOptions options = database(state.folder / "legacy.db");
    options.dry_run = true;
    CHECK(state.run(import_log, options).json["rows"] == 4);
    CHECK_FALSE(std::filesystem::exists(state.folder / "wal"));
}

TEST_CASE("import beside whoever writes the log is refused, exit 69") {
    State state;
    make_mixed(state.folder / "legacy.db");
    auto writer = wal::Log::open(state.folder / "wal", {});
    REQUIRE(ok(writer));
    const Outcome refused = state.run(import_log, database(state.folder / "legacy.db"));
    REQUIRE(refused.error.has_value());
    CHECK(exit_code(*refused.error) == 69);
}

TEST_CASE("rows that stand only in the -wal file are imported, and both files stay as they are") {
    State state;
    const auto live = state.folder / "live", taken = state.folder / "taken";
    for (const auto& folder : {live, taken})
        std::filesystem::create_directory(folder);
    const std::string row = legacy_envelope(start_ns);
    // A copy of a database in use, without its -shm file: as a backup would have it.
    LegacyFixture(live / "legacy.db")
        .execute("PRAGMA journal_mode=WAL;\n" + std::string(LegacyFixture::legacy_table) +
                 LegacyFixture::insert(row, crypto::blake2b_256({as_bytes(row)}), start_ns) +
                 ".shell cp '" + (live / "legacy.db").string() + "' '" +
                 (live / "legacy.db-wal").string() + "' '" + taken.string() + "'\n");
    const auto before = read_file(taken / "legacy.db-wal", 1 << 20);
    const Outcome outcome = state.run(import_log, database(taken / "legacy.db"));
    REQUIRE_FALSE(outcome.error.has_value());
    CHECK(outcome.json["imported"] == 1);
    CHECK(names_in(taken) == std::vector<std::string>{"legacy.db", "legacy.db-wal"});
    CHECK(*before == *read_file(taken / "legacy.db-wal", 1 << 20));
}

TEST_CASE("the golden legacy envelope is imported and encodes to the same 63 bytes") {
    Bytes golden;
    REQUIRE(
        from_hex("0a02763110959aef3a1a03616263222f0a07312e312e312e311207382e382e382e3818d708203"
                 "52a03554450300a381448015002580160026a035544507003",
                 golden));
    REQUIRE(golden.size() == 63);
    CHECK(wire::legacy_reencodes(golden));
    CHECK(guess_kind(golden) == RecordKind::legacy);
    State state;
    LegacyFixture(state.folder / "legacy.db").make_table();
    LegacyFixture(state.folder / "legacy.db").add(to_string(golden), 123456789);
    REQUIRE_FALSE(state.run(import_log, database(state.folder / "legacy.db")).error.has_value());
    const Outcome rows = state.run(events, EventsOptions{});
    REQUIRE(rows.json.size() == 1);
    CHECK(rows.json[0]["src_ip"] == "1.1.1.1");
    CHECK(rows.json[0]["bytes_sent"] == 10);
}

TEST_CASE("the earlier system's log of 1,426 envelopes is imported whole") {
    const std::filesystem::path file =
        std::filesystem::path(AMOSKYS_SHARED_DATA) / "legacy/flowagent.db";
    if (!std::filesystem::exists(file)) {
        WARN("not there, skipped: " << file);
        return;
    }
    const auto names = names_in(file.parent_path());
    State state;
    const Outcome outcome = state.run(import_log, database(file));
    INFO((outcome.error ? outcome.error->message : ""));
    REQUIRE_FALSE(outcome.error.has_value());
    CHECK(outcome.json["imported"] == 1426);
    CHECK(outcome.json["checksum_algorithms"]["BLAKE2b-256"] == 1426);
    CHECK(outcome.json["bytes"] == 231012);
    CHECK(outcome.json["events"] == 1426);
    CHECK(names_in(file.parent_path()) == names);
    const Outcome there =
        state.run(timeline, TimelineOptions{.log = file.string(), .tz = "-05:00", .limit = 1403});
    CHECK(there.json["health_percent"] == 96.3);
    CHECK(state.run(import_log, database(file)).json["imported"] == 0);
    EventsOptions newest;
    newest.newest = true;
    newest.limit = 1;
    CHECK(state.run(events, newest).json[0]["offset"] == 1426);
    CHECK_FALSE(state.run(verify, VerifyOptions{}).error.has_value());

    const auto hours = [](const Json& json) {
        return std::vector<int>{json["hours"][0], json["hours"][13], json["hours"][14],
                                json["hours"][15], json["hours"][16]};
    };
    TimelineOptions first{.tz = "-05:00", .limit = 1403};
    const Outcome part = state.run(timeline, first);
    CHECK(part.json["envelopes"] == 1403);
    CHECK(part.json["bytes"] == 227286);
    CHECK(part.json["span_hours"] == 50.9429);
    CHECK(part.json["per_hour"] == 27.54);
    CHECK(part.json["intervals_ok"] == 1350);
    CHECK(part.json["intervals"] == 1402);
    CHECK(part.json["health_percent"] == 96.3);
    CHECK(part.json["gaps"] == 33);
    CHECK(hours(part.json) == std::vector<int>{71, 118, 120, 119, 119});
    const Outcome all = state.run(timeline, TimelineOptions{.tz = "-05:00"});
    CHECK(all.json["health_percent"] == 96.4);
    CHECK(all.json["interval_seconds"]["mean"] == 129.669);
    CHECK(all.json["interval_seconds"]["stdev"] == 817.177);
    CHECK(all.json["too_slow"] == 52);
    if (std::filesystem::exists("/usr/share/zoneinfo/America/Chicago"))
        CHECK(hours(state.run(timeline, TimelineOptions{.tz = "America/Chicago"}).json) ==
              std::vector<int>{81, 118, 120, 119, 119});
}
