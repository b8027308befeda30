#include "modules/transformation/etl/wal_source.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/wal/log.h"
#include "core/wire/stored_form.h"
#include "modules/transformation/etl/test/feeder.h"

using namespace amoskys;
using namespace amoskys::etl;
using namespace amoskys::etl::test;

namespace {

std::string envelope(const std::string& device, UnixNanos time_ns, double value) {
    messaging::UniversalEnvelope envelope;
    auto& record = *envelope.mutable_device_telemetry();
    record.set_device_id(device);
    record.set_timestamp_ns(time_ns);
    auto& event = *record.add_events();
    event.set_event_type("METRIC");
    event.mutable_metric_data()->set_metric_name("load");
    event.mutable_metric_data()->set_metric_type("GAUGE");
    event.mutable_metric_data()->set_numeric_value(value);
    return envelope.SerializeAsString();
}

enum class Content { intact, altered };

void append(wal::Log& log, const std::string& device, UnixNanos time_ns, double value,
            Content content = Content::intact) {
    const std::string stored = envelope(device, time_ns, value);
    const std::uint64_t hashes[] = {wal::device_hash(device)};
    wal::Append record;
    record.stored = as_bytes(stored);
    record.digest = wire::universal_parts(as_bytes(stored))->digest;
    if (content == Content::altered)
        record.digest[0] ^= 1;
    record.first_event_ns = record.last_event_ns = time_ns;
    record.device_hashes = hashes;
    wal::Group group;
    group.records.push_back(record);
    REQUIRE(log.append(group).has_value());
}

}  // namespace

TEST_CASE("a folder without a log is no input and says how to get one") {
    const auto opened = WalSource::open("/nonexistent/state/wal", {}, false);
    REQUIRE(opened.has_error());
    CHECK(opened.error().kind == ErrorKind::no_input);
    CHECK(opened.error().message == "there is no log at /nonexistent/state/wal");
}

TEST_CASE("a log gives its events up to the end it had when it was opened, as often as asked") {
    TempFolder folder;
    const FakeClock clock(origin + 100 * second);
    wal::Options options;
    options.clock = &clock;
    auto log = wal::Log::open(folder.path, options).value();
    for (unsigned i = 0; i < 5; ++i)
        append(*log, "edge", origin + i * second, i);
    log.reset();
    const auto source = WalSource::open(folder.path, {}, false).value();
    for (int round = 0; round < 2; ++round) {
        double sum = 0;
        std::uint64_t received = 0;
        REQUIRE(source->read([&](const wire::Event& event, UnixNanos received_ns) {
            CHECK(event.device == "edge");
            sum += std::get<double>(event.value);
            received = received_ns;
        }));
        CHECK(sum == 10);
        CHECK(received >= origin + 100 * second);
    }
    CHECK(source->description()["envelopes"] == 5);
    CHECK(source->description()["last_offset"] == 5);
}

TEST_CASE("a record whose bytes are not those of its digest is counted and gives no events") {
    TempFolder folder;
    const FakeClock clock(origin + 100 * second);
    wal::Options options;
    options.clock = &clock;
    auto log = wal::Log::open(folder.path, options).value();
    append(*log, "edge", origin, 1);
    append(*log, "edge", origin + second, 2, Content::altered);
    log.reset();
    const auto source = WalSource::open(folder.path, {}, false).value();
    double sum = 0;
    REQUIRE(source->read(
        [&](const wire::Event& event, UnixNanos) { sum += std::get<double>(event.value); }));
    CHECK(sum == 1);
    CHECK(source->description()["altered_envelopes"] == 1);
}
