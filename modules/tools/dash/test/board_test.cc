#include "modules/tools/dash/board.h"

#include <catch2/catch.hpp>

#include "core/crypto/hash.h"
#include "core/wire/audit.h"
#include "core/wire/envelope.h"

using namespace amoskys;
using namespace amoskys::modules::dash;

namespace {

constexpr UnixNanos second_ns = 1'000'000'000;
constexpr UnixNanos start_ns = 1'764'547'200 * second_ns;  // a quarter of an hour begins

// A record as the log gives it; the payload stands in a legacy-free envelope of no lane.
struct Stored {
    std::string bytes;
    wal::RecordHeader header;
    wal::RecordView view() const { return {header, {}, as_bytes(bytes)}; }
};

Stored audit(std::uint64_t offset, UnixNanos time_ns) {
    Stored out;
    wire::AuditEntry entry;
    entry.time_ns = time_ns;
    entry.writer = "bus-1";
    entry.category = "trust";
    entry.action = "changed";
    out.bytes = wire::encode_audit(entry);
    out.header.kind = RecordKind::audit;
    out.header.offset = {offset};
    out.header.received_ns = time_ns;
    out.header.digest = crypto::sha256(as_bytes(out.bytes));
    return out;
}

Stored metric(std::uint64_t offset, const std::string& device, double value, UnixNanos time_ns,
              const std::string& severity = "INFO") {
    messaging::UniversalEnvelope envelope;
    envelope.set_version("1.0");
    envelope.set_ts_ns(time_ns);
    envelope.set_idempotency_key("k" + std::to_string(offset));
    auto& record = *envelope.mutable_device_telemetry();
    record.set_device_id(device);
    record.set_timestamp_ns(time_ns);
    record.set_collection_agent("snmp");
    auto& event = *record.add_events();
    event.set_event_type("METRIC");
    event.set_severity(severity);
    event.set_event_timestamp_ns(time_ns);
    auto& data = *event.mutable_metric_data();
    data.set_metric_name("load");
    data.set_metric_type("GAUGE");
    data.set_numeric_value(value);
    Stored out;
    envelope.SerializeToString(&out.bytes);
    out.header.kind = RecordKind::universal;
    out.header.offset = {offset};
    out.header.received_ns = time_ns;
    const auto cut = wire::cut_envelope(as_bytes(out.bytes));
    out.header.digest = cut ? wire::canonical_digest(*cut) : crypto::sha256(as_bytes(out.bytes));
    return out;
}

void add(Board& board, const Stored& record) {
    board.add(record.view());
}

std::vector<std::string> names_of(const Json& answer) {
    std::vector<std::string> out;
    for (const Json& each : answer["devices"])
        out.push_back(each["device"]);
    return out;
}

}  // namespace

TEST_CASE("a device is active, late or silent by when it was heard of") {
    Board board;
    add(board, metric(1, "a", 1, start_ns));
    const auto status = [&](std::uint64_t seconds) {
        const auto told = board.device("a", start_ns + seconds * second_ns);
        REQUIRE(told.has_value());
        return told->at("status").get<std::string>();
    };
    CHECK(status(299) == "active");
    CHECK(status(301) == "late");
    CHECK(status(601) == "silent");
    CHECK_FALSE(board.device("b", start_ns).has_value());
}

TEST_CASE("the newest value of a metric is shown, whatever order they come in") {
    Board board;
    add(board, metric(1, "a", 7, start_ns + 2 * second_ns));
    add(board, metric(2, "a", 5, start_ns));
    const auto told = board.device("a", start_ns);
    REQUIRE(told.has_value());
    REQUIRE(told->at("values").size() == 1);
    CHECK(told->at("values")[0]["value"] == 7);
    CHECK(told->at("events") == 2);
}

TEST_CASE("quarters without events are null, and a day later all of them are") {
    Board board;
    constexpr UnixNanos quarter_ns = 900 * second_ns;
    add(board, metric(1, "a", 1, start_ns));
    add(board, metric(2, "a", 1, start_ns + 2 * quarter_ns));
    const Json heat = board.device("a", start_ns + 3 * quarter_ns)->at("heat");
    REQUIRE(heat.size() == Board::slots);
    CHECK(heat[95].is_null());
    CHECK(heat[94] == 1);
    CHECK(heat[93].is_null());
    CHECK(heat[92] == 1);
    for (const Json& each : board.device("a", start_ns + 99 * quarter_ns)->at("heat"))
        CHECK(each.is_null());
}

TEST_CASE("devices are found by a part of their name and come in pages") {
    Board board;
    for (int i = 0; i < 7; ++i)
        add(board,
            metric(static_cast<std::uint64_t>(i) + 1, "Router-" + std::to_string(i), 1, start_ns));
    add(board, metric(8, "pump", 1, start_ns));
    const Json first = board.devices({"router", "", "", 5}, start_ns);
    CHECK(first["total"] == 7);
    CHECK(names_of(first).size() == 5);
    CHECK(first["next"] == "Router-4");
    const Json second = board.devices({"router", "", "Router-4", 5}, start_ns);
    CHECK(names_of(second) == std::vector<std::string>{"Router-5", "Router-6"});
    CHECK(second["next"].is_null());
    CHECK(board.devices({"", "silent", "", 5}, start_ns)["total"] == 0);
}

TEST_CASE("the feed has what is more than a metric in its range, and says what it lost") {
    Board board;
    add(board, metric(1, "a", 1, start_ns));
    CHECK(board.feed_after(0).entries.empty());
    add(board, metric(2, "a", 1, start_ns, "CRITICAL"));
    add(board, audit(3, start_ns));
    const auto feed = board.feed_after(0);
    REQUIRE(feed.entries.size() == 2);
    CHECK(feed.newest == 2);
    CHECK(feed.lost == 0);
    CHECK(board.feed_after(1).entries.size() == 1);
    CHECK(board.feed_after(2).entries.empty());
    for (std::uint64_t i = 0; i < 600; ++i)
        add(board, audit(10 + i, start_ns));
    const auto later = board.feed_after(2);
    CHECK(later.newest == 602);
    CHECK(later.entries.size() == 512);
    CHECK(later.lost == 88);
}

TEST_CASE("audit records are events, and the bus that writes them is no device") {
    Board board;
    add(board, audit(1, start_ns));
    const Json told = board.overview(start_ns);
    CHECK(told["events"] == 1);
    CHECK(told["devices"]["total"] == 0);
    REQUIRE(told["minutes"].size() == 1);
    CHECK(told["minutes"][0]["records"] == 1);
}
