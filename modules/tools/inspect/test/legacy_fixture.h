// Makes a small log of the earlier system with SQLite itself: what stands in data/legacy in large.
#pragma once

#include "core/sqlite/test/sqlite_shell.h"
#include "modules/tools/inspect/test/support.h"
#include "proto/messaging_schema.pb.h"

namespace amoskys::modules::inspect::test {

inline std::string legacy_envelope(UnixNanos ts_ns, std::size_t signature_size = 64) {
    messaging::Envelope out;
    out.set_version("1");
    out.set_ts_ns(ts_ns);
    out.set_idempotency_key("localhost_" + std::to_string(ts_ns));
    out.mutable_flow()->set_src_ip("localhost");
    out.mutable_flow()->set_dst_ip("eventbus");
    out.mutable_flow()->set_protocol("SNMP-TELEMETRY");
    out.mutable_flow()->set_bytes_sent(1165);
    out.mutable_flow()->set_start_time(ts_ns);
    out.set_sig(std::string(signature_size, 's'));
    return out.SerializeAsString();
}

// As the earlier agents made them: no version, a mock signature of 32 bytes.
inline std::string universal_envelope(UnixNanos ts_ns) {
    messaging::UniversalEnvelope out;
    out.set_ts_ns(ts_ns);
    out.set_idempotency_key("test-device-001-" + std::to_string(ts_ns));
    auto& record = *out.mutable_device_telemetry();
    record.set_device_id("test-device-001");
    record.set_device_type("ENDPOINT");
    record.set_protocol("SNMP");
    record.set_timestamp_ns(ts_ns);
    auto& event = *record.add_events();
    event.set_event_type("METRIC");
    event.mutable_metric_data()->set_metric_name("cpuUtilization");
    event.mutable_metric_data()->set_numeric_value(45.6);
    out.set_sig("mock_signature_bytes_for_testing");
    out.set_requires_acknowledgment(true);
    return out.SerializeAsString();
}

class LegacyFixture {
  public:
    explicit LegacyFixture(std::filesystem::path file) : file_(std::move(file)) {}

    void execute(std::string_view sql) { sqlite3_shell(file_, sql); }
    void make_table() { execute(legacy_table); }
    void add(std::string_view bytes, ByteView checksum, UnixNanos ts_ns) {
        execute(insert(bytes, checksum, ts_ns));
    }
    void add(std::string_view bytes, UnixNanos ts_ns) {
        add(bytes, crypto::blake2b_256({as_bytes(bytes)}), ts_ns);
    }

    static constexpr std::string_view legacy_table =
        "CREATE TABLE wal (id INTEGER PRIMARY KEY AUTOINCREMENT, idem TEXT NOT NULL, "
        "ts_ns INTEGER NOT NULL, bytes BLOB NOT NULL, checksum BLOB NOT NULL);\n";
    static std::string insert(std::string_view bytes, ByteView checksum, UnixNanos ts_ns) {
        return "INSERT INTO wal (idem, ts_ns, bytes, checksum) VALUES ('key', " +
               std::to_string(ts_ns) + ", x'" + to_hex(as_bytes(bytes)) + "', x'" +
               to_hex(checksum) + "');\n";
    }

  private:
    std::filesystem::path file_;
};

}  // namespace amoskys::modules::inspect::test
