#include "core/wire/envelope.h"

#include <catch2/catch.hpp>
#include <vector>

#include "core/wire/proto_cursor.h"
#include "proto/universal_telemetry.pb.h"

using namespace amoskys;
using namespace amoskys::wire;

namespace {

messaging::UniversalEnvelope whole() {
    messaging::UniversalEnvelope m;
    m.set_version("1.0");
    m.set_ts_ns(1764821328902984000);
    m.set_idempotency_key("key");
    auto* record = m.mutable_device_telemetry();
    record->set_device_id("router-1");
    record->set_timestamp_ns(1764821328000000000);
    record->add_events()->mutable_metric_data()->set_metric_name("ifInOctets");
    auto* timed = record->add_events();
    timed->set_event_timestamp_ns(1764821327000000000);
    timed->mutable_metric_data()->set_numeric_value(1.5);
    m.set_sig(std::string(64, 's'));
    m.set_prev_sig(std::string(64, 'p'));
    m.set_signing_algorithm("Ed25519-SHA256");
    m.set_priority("HIGH");
    m.add_processing_hints("a");
    m.add_processing_hints("");
    m.set_requires_acknowledgment(true);
    m.set_sequence(7);
    m.set_epoch(1764821328902);
    m.set_key_id("0123456789abcdef");
    m.set_lane("snmp");
    m.set_agent_id("edge-1");
    return m;
}

std::string reason(std::string_view stored) {
    const auto cut = cut_envelope(as_bytes(stored));
    return cut ? "" : cut.error().message;
}

std::string field(std::uint32_t number, WireType type, std::string_view raw) {
    std::string out;
    put_tag(out, number, type);
    return out + std::string(raw);
}

// A minimal envelope around `before` (between key and signature) and `after` (behind it).
std::string around(std::string_view before, std::string_view after) {
    std::string out = field(1, WireType::bytes,
                            "\x03"
                            "1.0");
    out += before;
    out += field(8, WireType::bytes, "\x40" + std::string(64, 's'));
    return out + std::string(after);
}

const std::string payload = field(6, WireType::bytes,
                                  "\x03\x0a\x01"
                                  "d");

}  // namespace

TEST_CASE("cutter reads every field of a whole envelope and finds the signed bytes") {
    auto m = whole();
    const std::string stored = m.SerializeAsString();
    std::vector<std::string> devices;
    const auto cut = cut_envelope(
        as_bytes(stored),
        [](void* context, std::string_view id) {
            static_cast<std::vector<std::string>*>(context)->emplace_back(id);
        },
        &devices);
    REQUIRE(cut.has_value());
    CHECK(cut->agent_id == "edge-1");
    CHECK(cut->lane == "snmp");
    CHECK(cut->key_id == "0123456789abcdef");
    CHECK(cut->algorithm == "Ed25519-SHA256");
    CHECK(cut->idempotency_key == "key");
    CHECK(cut->priority == Priority::high);
    CHECK(cut->requires_acknowledgment);
    CHECK(cut->ts_ns == m.ts_ns());
    CHECK(cut->sequence == SeqNo{7});
    CHECK(cut->epoch == Epoch{1764821328902});
    CHECK(cut->payload_kind == PayloadKind::device);
    CHECK(as_text(cut->payload) == m.device_telemetry().SerializeAsString());
    CHECK(as_text(cut->signature) == m.sig());
    CHECK(as_text(cut->prev_signature) == m.prev_sig());
    CHECK(cut->events == 2);
    CHECK(cut->first_event_ns == 1764821327000000000);
    CHECK(cut->last_event_ns == 1764821328000000000);
    CHECK_FALSE(cut->agent_is_device);
    CHECK(devices == std::vector<std::string>{"router-1"});
    m.clear_sig();
    CHECK(canonical_bytes(*cut) == m.SerializeAsString());
}

TEST_CASE("cutter says the size that is too large and accepts exactly the limit") {
    CHECK(reason("") == "empty envelope");
    CHECK(reason(std::string(131073, 'x')) == "Envelope too large (131073 > 131072 bytes)");
    auto m = whole();
    auto* message = m.mutable_device_telemetry()->mutable_metadata()->mutable_model();
    *message = std::string(max_envelope_bytes - m.ByteSizeLong() - 10, 'm');
    while (m.ByteSizeLong() < max_envelope_bytes)
        message->push_back('m');
    CHECK(m.ByteSizeLong() == 131072);
    CHECK(reason(m.SerializeAsString()).empty());
    message->push_back('m');
    CHECK(reason(m.SerializeAsString()) == "Envelope too large (131073 > 131072 bytes)");
}

TEST_CASE("cutter names the field that breaks the strict form") {
    REQUIRE(reason(around(payload, "")).empty());
    const auto refuses = [](std::string_view stored, int number) {
        CHECK(reason(stored) == "non-canonical envelope (field " + std::to_string(number) + ")");
    };
    const std::string one("\x01", 1);
    const std::string zero("\x00", 1);
    SECTION("numbers outside 1-17 and 100-199") {
        refuses(around(payload, field(18, WireType::varint, one)), 18);
        refuses(around(payload, field(99, WireType::varint, one)), 99);
        refuses(around(payload, field(200, WireType::varint, one)), 200);
        refuses(around(payload, zero), 0);
    }
    SECTION("order and repetition") {
        refuses(around(payload + field(3, WireType::bytes, "\x01k"), ""), 3);
        refuses(around(payload + payload, ""), 6);
        refuses(
            around(payload, field(101, WireType::varint, one) + field(100, WireType::varint, one)),
            100);
        refuses(
            around(payload, field(110, WireType::varint, one) + field(110, WireType::varint, one)),
            110);
        const std::string hint = field(13, WireType::bytes, "\x01h");
        CHECK(reason(around(payload, hint + hint)).empty());
        refuses(around(payload, hint + field(14, WireType::bytes, "\x01t") + hint), 13);
    }
    SECTION("wire types") {
        refuses(around(field(2, WireType::fixed64, "12345678") + payload, ""), 2);
        refuses(around(field(6, WireType::varint, one), ""), 6);
        refuses(around(payload, field(100, WireType::bytes, "\x01x")), 100);
        refuses(around(payload, "\x9b\x06"), 99);  // start of a group, field 99
    }
    SECTION("varints that are not minimal") {
        refuses(around(field(2, WireType::varint, std::string("\x81\x00", 2)) + payload, ""), 2);
        refuses(around(payload, field(106, WireType::varint, std::string("\x81\x00", 2))), 106);
        refuses(around(payload, field(100, WireType::varint, std::string(9, '\xff') + "\x02")),
                100);
    }
    SECTION("default values") {
        refuses(around(field(2, WireType::varint, zero) + payload, ""), 2);
        refuses(around(field(3, WireType::bytes, zero) + payload, ""), 3);
        refuses(around(field(6, WireType::bytes, zero), ""), 6);
        refuses(around(payload, field(9, WireType::bytes, zero)), 9);
        refuses(around(payload, field(17, WireType::varint, zero)), 17);
        refuses(around(payload, field(17, WireType::varint, "\x02")), 17);
        refuses(around(payload, field(103, WireType::bytes, zero)), 103);
    }
    SECTION("values with a rule of their own") {
        refuses(field(1, WireType::bytes, "\x02v1") + payload, 1);
        refuses(payload + field(8, WireType::bytes, "\x40" + std::string(64, 's')), 1);
        refuses(field(1, WireType::bytes,
                      "\x03"
                      "1.0") +
                    payload,
                8);
        refuses(field(1, WireType::bytes,
                      "\x03"
                      "1.0") +
                    payload + field(8, WireType::bytes, "\x3f" + std::string(63, 's')),
                8);
        refuses(around(payload, field(9, WireType::bytes, "\x01p")), 9);
        refuses(around(payload, field(15, WireType::varint, one)), 15);
        refuses(around(field(3, WireType::bytes, "\x81\x02" + std::string(257, 'k')) + payload, ""),
                3);
        CHECK(reason(around(field(3, WireType::bytes, "\x80\x02" + std::string(256, 'k')) + payload,
                            ""))
                  .empty());
    }
    SECTION("payloads") {
        refuses(around(field(4, WireType::bytes, "\x02\x18\x01") + payload, ""), 6);
        refuses(around(payload, field(105, WireType::bytes, "\x02\x08\x01")), 105);
        CHECK(reason(around("", "")) == "missing payload (one of fields 4, 5, 6, 7, 105)");
    }
}

TEST_CASE("cutter refuses an envelope cut short anywhere") {
    const std::string stored = whole().SerializeAsString();
    // The fields up to 8 are needed; those behind it may be absent, so a cut between them is a
    // shorter envelope, which its signature then does not fit.
    const std::size_t needed = stored.find(std::string(64, 's')) + 64;
    for (std::size_t size = 0; size < needed; ++size)
        CHECK_FALSE(reason(std::string_view(stored).substr(0, size)).empty());
}

TEST_CASE("cutter keeps unknown fields from 106 in the signed bytes") {
    const std::string extra = field(150, WireType::fixed32, "abcd");
    const std::string stored = around(payload, extra);
    const auto cut = cut_envelope(as_bytes(stored));
    REQUIRE(cut.has_value());
    CHECK(as_text(cut->after_sig) == extra);
}

TEST_CASE("cutter refuses a malformed payload") {
    const auto with = [](std::string_view inner) {
        std::string out;
        put_varint(out, inner.size());
        return reason(around(field(6, WireType::bytes, out + std::string(inner)), ""));
    };
    CHECK(with("\x0a\x05"
               "ab") == "malformed payload (bad length or number)");
    CHECK(with("\x2a\x02\x2a\x05") == "malformed payload (bad length or number)");  // in an event
    CHECK(with("\x0b\x0c") == "malformed payload (bad tag)");                       // a group
    CHECK(with("\x22\x03\x5a\x01\x80") == "malformed payload (bad length or number)");  // packed
    CHECK(with("\x22\x03\x5a\x01\x07").empty());
}

TEST_CASE("cutter counts the events and devices of a batch") {
    messaging::UniversalEnvelope m = whole();
    auto* batch = m.mutable_telemetry_batch();
    for (int i = 0; i < 3; ++i) {
        auto* record = batch->add_telemetry_records();
        record->set_device_id("d" + std::to_string(i));
        record->add_events();
    }
    batch->add_processes()->set_event_time_ns(5);
    batch->add_flows()->set_start_time(9);
    batch->mutable_flows(0)->set_end_time(11);
    std::vector<std::string> devices;
    const auto visit = [](void* context, std::string_view id) {
        static_cast<std::vector<std::string>*>(context)->emplace_back(id);
    };
    std::string stored = m.SerializeAsString();
    auto cut = cut_envelope(as_bytes(stored), visit, &devices);
    REQUIRE(cut.has_value());
    CHECK(cut->events == 5);
    CHECK(cut->first_event_ns == 5);
    CHECK(cut->last_event_ns == m.ts_ns());  // the records have no time
    CHECK(cut->agent_is_device);
    CHECK(devices == std::vector<std::string>{"d0", "d1", "d2"});
    batch->set_device_id("host");
    stored = m.SerializeAsString();
    cut = cut_envelope(as_bytes(stored), visit, &devices);
    CHECK_FALSE(cut->agent_is_device);
    CHECK(devices.back() == "host");
}
