// A state directory of its own with a small log in it, and the calling of verbs.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/file.h"
#include "core/crypto/hash.h"
#include "core/link/audit.h"
#include "core/link/record_facts.h"
#include "core/wal/writer.h"
#include "core/wire/audit.h"
#include "core/wire/builder.h"
#include "core/wire/state_codec.h"
#include "modules/tools/inspect/inspect_verbs.h"

namespace amoskys::modules::inspect::test {

inline constexpr UnixNanos start_ns = 1'764'547'200'000'000'000;  // 2025-12-01T00:00:00Z
inline constexpr UnixNanos second_ns = 1'000'000'000;

template <class R>
bool ok(const R& result) {
    if (!result)
        UNSCOPED_INFO(result.error());
    return result.has_value();
}

struct Outcome {
    Json json;
    std::string text;
    std::optional<Error> error;
};

class State {
  public:
    State() {
        std::string pattern = (std::filesystem::temp_directory_path() / "amoskys_XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    template <class Options>
    Outcome run(module::ToolFunction verb, const Options& options,
                OutputFormat format = OutputFormat::json) {
        StringSink sink;
        OutputOptions output;
        output.format = format;
        module::ToolContext context{.config = std::make_shared<const Options>(options),
                                    .state_dir = folder,
                                    .loaded = loaded,
                                    .output = output,
                                    .out = sink};
        Outcome out;
        if (const auto done = verb(context); !done)
            out.error = done.error();
        out.text = sink.text;
        if (format == OutputFormat::json && !sink.text.empty()) {
            auto parsed = json::parse(sink.text, "output");
            REQUIRE(ok(parsed));
            out.json = std::move(*parsed);
        }
        return out;
    }
    std::filesystem::path folder;
    config::Loaded loaded;
};

inline std::shared_ptr<const crypto::SigningKey> test_key() {
    Bytes seed(32);
    for (std::size_t i = 0; i < seed.size(); ++i)
        seed[i] = static_cast<std::uint8_t>(i);
    return std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(seed));
}

// What the bus appends for an envelope.
struct Stored {
    std::string bytes;
    wal::Append append;
    std::vector<std::uint64_t> devices;
};

inline std::unique_ptr<Stored> stored(std::string bytes) {
    auto out = std::make_unique<Stored>();
    out->bytes = std::move(bytes);
    link::DeviceNotes devices;
    const auto cut = wire::cut_envelope(as_bytes(out->bytes), &link::DeviceNotes::visit, &devices);
    REQUIRE(ok(cut));
    out->devices = link::envelope_facts(*cut, devices).device_hashes;
    wal::Append& append = out->append;
    append.kind =
        cut->payload_kind == wire::PayloadKind::gap ? RecordKind::gap : RecordKind::universal;
    append.stored = as_bytes(out->bytes);
    append.digest = wire::canonical_digest(*cut);
    append.signature = cut->signature;
    append.source_hash = wal::source_hash(cut->agent_id, cut->lane, cut->key_id);
    append.first_event_ns = cut->first_event_ns;
    append.last_event_ns = cut->last_event_ns;
    append.device_hashes = out->devices;
    return out;
}

inline std::string record_payload(std::string_view device, UnixNanos time_ns) {
    messaging::TelemetryBatch batch;
    auto& record = *batch.add_telemetry_records();
    record.set_device_id(std::string(device));
    record.set_device_type("NETWORK");
    record.set_protocol("SNMP");
    record.set_timestamp_ns(time_ns);
    record.set_collection_agent("snmp");
    auto& octets = *record.add_events();
    octets.set_event_type("METRIC");
    octets.mutable_metric_data()->set_metric_name("ifInOctets");
    octets.mutable_metric_data()->set_metric_type("COUNTER");
    octets.mutable_metric_data()->set_value_kind(messaging::MetricData::NUMERIC);
    octets.mutable_metric_data()->set_counter_value(18'000'000'000'000'000'000ULL);
    octets.mutable_metric_data()->set_unit("bytes");
    octets.mutable_metric_data()->set_index("2");
    auto& name = *record.add_events();
    name.set_event_type("METRIC");
    name.mutable_metric_data()->set_metric_name("sysName");
    name.mutable_metric_data()->set_metric_type("GAUGE");
    name.mutable_metric_data()->set_value_kind(messaging::MetricData::TEXT);
    name.mutable_metric_data()->set_string_value("core switch");
    return batch.SerializeAsString();
}

// Five records of agent edge-1, lane snmp: two envelopes, a gap marker for 3 and 4, an envelope, an
// audit record. With its trust map.
class SampleLog {
  public:
    explicit SampleLog(const State& state, std::uint64_t segment_max_bytes = 1 << 30)
        : folder_(state.folder), clock_(start_ns) {
        write_trust_map();
        wal::Options options;
        options.clock = &clock_;
        options.segment_max_bytes = segment_max_bytes;
        options.facts_of = &link::record_facts;
        auto opened = wal::Log::open(folder_ / "wal", options);
        REQUIRE(ok(opened));
        log_ = std::move(*opened);
        for (int i = 0; i < 2; ++i)
            append(
                stored(build("router-1", start_ns + static_cast<UnixNanos>(i) * 60 * second_ns)));
        append(stored(gap_marker()));
        append(stored(build("router-2", start_ns + 1000 * second_ns)));
        append_audit();
    }
    void append(std::unique_ptr<Stored> record) {
        wal::Group group;
        group.records.push_back(record->append);
        group.states.push_back({"lane/edge-1/snmp", wire::encode_lane_state(lane_state(*record))});
        clock_.advance(std::chrono::seconds(1));
        REQUIRE(ok(log_->append(group)));
    }
    std::string build(std::string_view device, UnixNanos time_ns) {
        const std::string payload = record_payload(device, time_ns);
        auto built = builder_.build(
            {.kind = wire::PayloadKind::batch, .payload = as_bytes(payload), .ts_ns = time_ns});
        REQUIRE(ok(built));
        return *built;
    }
    // With what the bus writes into its states in the same transaction.
    void append_audit(const link::AuditFacts& facts, std::vector<wal::StateUpdate> states) {
        const wal::OwnedAppend record = link::audit_record(facts, clock_.now_ns());
        wal::Group group;
        group.records.push_back(wal::view_of(record));
        group.states = std::move(states);
        clock_.advance(std::chrono::seconds(1));
        REQUIRE(ok(log_->append(group)));
    }
    wal::Log& log() { return *log_; }
    void close() { log_.reset(); }

  private:
    void write_trust_map() {
        std::filesystem::create_directories(folder_ / "pki");
        REQUIRE(ok(write_new_file(folder_ / "pki/edge-1.pub",
                                  crypto::public_key_pem(test_key()->public_key()), 0644)));
        REQUIRE(
            write_new_file(folder_ / "pki/trust.yaml", "agents:\n  edge-1: edge-1.pub\n", 0644));
    }
    std::string gap_marker() {
        wire::EnvelopeBuilder::Gap gap;
        gap.prev_signature = builder_.state().last_signature;
        build("router-1", start_ns);
        build("router-1", start_ns);
        gap.first = {3};
        gap.last = {4};
        gap.envelopes = 2;
        gap.events = 4;
        gap.reason = "spool full";
        gap.last_signature = builder_.state().last_signature;
        gap.from_ns = start_ns + 120 * second_ns;
        gap.to_ns = start_ns + 180 * second_ns;
        auto built = builder_.build_gap(gap, start_ns + 180 * second_ns);
        REQUIRE(ok(built));
        return *built;
    }
    void append_audit() {
        wire::AuditEntry entry;
        entry.time_ns = start_ns + 1001 * second_ns;
        entry.writer = "bus-host";
        entry.category = "epoch";
        entry.action = "reset";
        entry.object_type = "lane";
        entry.object_id = "edge-1/proc";
        entry.before = "epoch 1, sequence 9";
        entry.after = "epoch 2";
        const std::string bytes = wire::encode_audit(entry);
        wal::Group group;
        wal::Append append;
        append.kind = RecordKind::audit;
        append.stored = as_bytes(bytes);
        append.digest = crypto::sha256(as_bytes(bytes));
        append.first_event_ns = append.last_event_ns = entry.time_ns;
        const std::uint64_t device = wal::device_hash(entry.writer);
        append.device_hashes = std::span(&device, 1);
        group.records.push_back(append);
        clock_.advance(std::chrono::seconds(1));
        REQUIRE(ok(log_->append(group)));
    }
    wire::LaneState lane_state(const Stored& record) {
        const auto cut = wire::cut_envelope(as_bytes(record.bytes));
        lane_ = wire::replayed(*cut, lane_, wire::canonical_digest(*cut), clock_.now_ns());
        return lane_;
    }

    std::filesystem::path folder_;
    FakeClock clock_;
    wire::EnvelopeBuilder builder_{"edge-1", "snmp", test_key(), {{start_ns / 1'000'000}, {}, {}}};
    std::unique_ptr<wal::Log> log_;
    wire::LaneState lane_;
};

// Compares with the file test/golden/NAME; AMOSKYS_UPDATE_GOLDEN=1 writes it instead.
inline void check_golden_text(std::string_view name, const std::string& text) {
    const std::filesystem::path file =
        std::filesystem::path(AMOSKYS_SOURCE_DIR) / "modules/tools/inspect/test/golden" / name;
    const char* update = std::getenv("AMOSKYS_UPDATE_GOLDEN");
    if (update != nullptr && *update == '1')
        std::ofstream(file) << text;
    const auto expected = read_file(file, 1 << 20);
    REQUIRE(ok(expected));
    CHECK(text == *expected);
}
inline void check_golden(std::string_view name, const Json& actual) {
    check_golden_text(std::string(name) + ".json", json::dump_pretty(actual) + "\n");
}

// The key of the log that a test makes, and its public half where the tools look for it.
inline crypto::SigningKey log_key(std::uint8_t first = 50) {
    return crypto::SigningKey::from_seed(Bytes(32, first));
}

inline void write_log_key(const State& state) {
    REQUIRE(ok(write_new_file(state.folder / "pki/log.pub",
                              crypto::public_key_pem(log_key().public_key()), 0644)));
}

}  // namespace amoskys::modules::inspect::test
