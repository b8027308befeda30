// Makes a small log of the earlier system with SQLite's own API: what stands in data/legacy in
// large.
#pragma once

#include <sqlite3.h>

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
    explicit LegacyFixture(std::filesystem::path file) : file_(std::move(file)) {
        REQUIRE(sqlite3_open(file_.c_str(), &database_) == SQLITE_OK);
    }
    LegacyFixture(const LegacyFixture&) = delete;
    LegacyFixture& operator=(const LegacyFixture&) = delete;
    ~LegacyFixture() { sqlite3_close(database_); }

    void execute(const char* sql) {
        REQUIRE(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    }
    void make_table() {
        execute(
            "CREATE TABLE wal (id INTEGER PRIMARY KEY AUTOINCREMENT, idem TEXT NOT NULL, "
            "ts_ns INTEGER NOT NULL, bytes BLOB NOT NULL, checksum BLOB NOT NULL)");
    }
    void add(const std::string& bytes, ByteView checksum, UnixNanos ts_ns) {
        sqlite3_stmt* statement = nullptr;
        REQUIRE(sqlite3_prepare_v2(database_,
                                   "INSERT INTO wal (idem, ts_ns, bytes, checksum) "
                                   "VALUES (?1, ?2, ?3, ?4)",
                                   -1, &statement, nullptr) == SQLITE_OK);
        const std::string key = std::to_string(++rows_);
        sqlite3_bind_text(statement, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, static_cast<sqlite3_int64>(ts_ns));
        sqlite3_bind_blob(statement, 3, bytes.data(), static_cast<int>(bytes.size()),
                          SQLITE_STATIC);
        sqlite3_bind_blob(statement, 4, checksum.data(), static_cast<int>(checksum.size()),
                          SQLITE_STATIC);
        CHECK(sqlite3_step(statement) == SQLITE_DONE);
        sqlite3_finalize(statement);
    }
    void add(const std::string& bytes, UnixNanos ts_ns) {
        add(bytes, crypto::blake2b_256({as_bytes(bytes)}), ts_ns);
    }

  private:
    std::filesystem::path file_;
    sqlite3* database_ = nullptr;
    int rows_ = 0;
};

}  // namespace amoskys::modules::inspect::test
