#include "modules/tools/inspect/test/support.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

TEST_CASE("events gives every event of the log in order, as the event noun") {
    State state;
    SampleLog(state).close();
    const Outcome all = state.run(events, EventsOptions{});
    REQUIRE_FALSE(all.error.has_value());
    REQUIRE(all.json.size() == 8);  // 3 x 2 metrics, a gap, an audit event
    CHECK(all.json[0]["metric"] == "ifInOctets");
    CHECK(all.json[0]["value"] == "18000000000000000000");
    CHECK(all.json[0]["index"] == "2");
    CHECK(all.json[1]["value"] == "core switch");
    CHECK(all.json[4]["kind"] == "gap");
    CHECK(all.json[7]["kind"] == "audit");
    check_golden("event", all.json);
}

TEST_CASE("a table of events has one text for people about each, whatever its kind") {
    State state;
    SampleLog(state).close();
    check_golden_text("event_table.txt",
                      state.run(events, EventsOptions{}, OutputFormat::table).text);
}

TEST_CASE("events keeps to its filters and to the limit") {
    State state;
    SampleLog(state).close();
    EventsOptions options;
    options.device = {"router-1"};
    options.metric = {"snmp_ifInOctets"};
    CHECK(state.run(events, options).json.size() == 2);
    options.limit = 1;
    CHECK(state.run(events, options).json.size() == 1);
    options = {};
    options.since = "2025-12-01T00:01:00Z";
    options.until = "2025-12-01T00:02:00Z";
    const Outcome minute = state.run(events, options);
    REQUIRE(minute.json.size() == 2);
    CHECK(minute.json[0]["offset"] == 2);
    options = {};
    options.kind = {"gap", "audit"};
    CHECK(state.run(events, options).json.size() == 2);
    options = {};
    options.offset = 4;
    CHECK(state.run(events, options).json.size() == 3);
}

TEST_CASE("events --newest gives the last matches in their order") {
    State state;
    SampleLog(state).close();
    EventsOptions options;
    options.newest = true;
    options.limit = 3;
    options.kind = {"metric"};
    const Outcome last = state.run(events, options);
    REQUIRE(last.json.size() == 3);
    CHECK(last.json[0]["offset"] == 2);
    CHECK(last.json[0]["metric"] == "sysName");
    CHECK(last.json[1]["device"] == "router-2");
    CHECK(last.json[1]["metric"] == "ifInOctets");
}

TEST_CASE("events --full prints the envelopes that hold a match as protobuf text") {
    State state;
    SampleLog(state).close();
    EventsOptions options;
    options.full = true;
    options.metric = {"sysName"};
    const Outcome full = state.run(events, options);
    REQUIRE(full.json.size() == 3);
    CHECK(full.json[0]["schema"] == "amoskys.envelope/1");
    CHECK(full.json[0]["text"].get<std::string>().find("metric_name: \"sysName\"") !=
          std::string::npos);
    check_golden("envelope", full.json);
    const Outcome text = state.run(events, options, OutputFormat::table);
    CHECK(text.text.starts_with("# offset 1, universal, "));
}

TEST_CASE("events refuses a kind that does not exist and names the nearest") {
    State state;
    SampleLog(state).close();
    EventsOptions options;
    options.kind = {"metrics"};
    const Outcome refused = state.run(events, options);
    REQUIRE(refused.error.has_value());
    CHECK(refused.error->kind == ErrorKind::usage);
    CHECK(refused.error->hint == "did you mean metric?");
    options = {};
    options.since = "2025-12-02";
    options.until = "2025-12-01";
    CHECK(state.run(events, options).error->kind == ErrorKind::usage);
}

TEST_CASE("every verb that reads says where there is no log, exit 66") {
    State state;
    const auto check = [](const Outcome& outcome) {
        REQUIRE(outcome.error.has_value());
        CHECK(exit_code(*outcome.error) == 66);
        CHECK(outcome.error->code == "wal_missing");
    };
    check(state.run(events, EventsOptions{}));
    check(state.run(summary, SummaryOptions{}));
    check(state.run(verify, VerifyOptions{}));
    check(state.run(timeline, TimelineOptions{}));
    check(state.run(gaps, GapsOptions{}));
    CHECK_FALSE(std::filesystem::exists(state.folder / "wal"));
}

TEST_CASE("events that cannot be read are counted and end with exit 3") {
    State state;
    SampleLog sample(state);
    wal::Group group;
    wal::Append append;
    const std::string bytes = "\xff\xff\xff";
    append.kind = RecordKind::audit;
    append.stored = as_bytes(bytes);
    append.digest = crypto::sha256(as_bytes(bytes));
    group.records.push_back(append);
    REQUIRE(ok(sample.log().append(group)));
    sample.close();
    const Outcome partly = state.run(events, EventsOptions{});
    CHECK(partly.json.size() == 8);
    REQUIRE(partly.error.has_value());
    CHECK(exit_code(*partly.error) == 3);
}

TEST_CASE("summary counts records, events, lanes and what is lost") {
    State state;
    SampleLog(state).close();
    Outcome outcome = state.run(summary, SummaryOptions{});
    REQUIRE_FALSE(outcome.error.has_value());
    CHECK(outcome.json["envelopes"] == 3);
    CHECK(outcome.json["gap_markers"] == 1);
    CHECK(outcome.json["lost_envelopes"] == 2);
    CHECK(outcome.json["devices"] == 2);
    CHECK(outcome.json["lanes"][0]["last_sequence"] == 5);
    outcome.json["file_bytes"] = 0;  // LMDB's pages are not our contract
    check_golden("summary", outcome.json);
}

TEST_CASE("summary tells records that can be read from those of a damaged segment") {
    State state;
    wal::Options options;
    options.segment_max_bytes = 256 << 10;
    auto opened = wal::Log::open(state.folder / "wal", options);
    REQUIRE(ok(opened));
    const auto segment = state.folder / "wal" / "00000002.mdb";
    std::uint64_t count = 0;
    const std::string payload(3000, 'x');
    while (!std::filesystem::exists(state.folder / "wal" / "00000004.mdb")) {
        wal::Group group;
        wal::Append append;
        append.kind = RecordKind::audit;
        append.stored = as_bytes(payload);
        append.digest = crypto::sha256(as_bytes(payload));
        group.records.assign(10, append);
        REQUIRE(ok((*opened)->append(group)));
        count += 10;
        REQUIRE(count < 10'000);
    }
    opened->reset();
    std::ofstream(segment, std::ios::trunc) << "garbage";
    const Outcome outcome = state.run(summary, SummaryOptions{});
    REQUIRE_FALSE(outcome.error.has_value());
    const auto read = outcome.json["records"].get<std::uint64_t>();
    const auto lost = outcome.json["unreadable_records"].get<std::uint64_t>();
    CHECK(outcome.json["records_by_kind"]["audit"] == read);
    CHECK(lost > 0);
    CHECK(read + lost == count);
    CHECK(outcome.json["damages"] == 1);
}

TEST_CASE("summary and timeline of an empty log have all their keys") {
    State state;
    REQUIRE(ok(wal::Log::open(state.folder / "wal", {})));
    CHECK(state.run(summary, SummaryOptions{}).json["records"] == 0);
    const Outcome times = state.run(timeline, TimelineOptions{.tz = "UTC"});
    CHECK(times.json["envelopes"] == 0);
    CHECK(times.json["health_percent"].is_null());
    const Outcome checked = state.run(verify, VerifyOptions{});
    CHECK_FALSE(checked.error.has_value());
    CHECK(checked.json["root_matches"] == true);
}
