#include "core/wire/builder.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <catch2/catch.hpp>

#include "core/crypto/hash.h"
#include "core/wire/test/test_key.h"
#include "proto/universal_telemetry.pb.h"

using namespace amoskys;
using namespace amoskys::wire;
using amoskys::wire::test::test_key;

namespace {

std::string record() {
    messaging::DeviceTelemetry m;
    m.set_device_id("router-1");
    m.add_events()->mutable_metric_data()->set_metric_name("ifInOctets");
    return m.SerializeAsString();
}

std::string reserialized(const std::string& stored) {
    messaging::UniversalEnvelope m;
    REQUIRE(m.ParseFromString(stored));
    std::string out;
    {
        google::protobuf::io::StringOutputStream stream(&out);
        google::protobuf::io::CodedOutputStream coded(&stream);
        coded.SetSerializationDeterministic(true);
        REQUIRE(m.SerializeToCodedStream(&coded));
    }
    return out;
}

}  // namespace

TEST_CASE("builder writes what protobuf writes and what the cutter accepts") {
    EnvelopeBuilder builder("edge-1", "snmp", test_key(), {Epoch{1764821328902}, {}, {}});
    const std::string payload = record();
    BuildRequest request;
    request.kind = PayloadKind::device;
    request.payload = as_bytes(payload);
    request.ts_ns = 1764821328902984000;
    request.idempotency_key = "k";
    Bytes previous;
    for (std::uint64_t n = 1; n <= 3; ++n) {
        const auto stored = builder.build(request);
        REQUIRE(stored.has_value());
        CHECK(reserialized(*stored) == *stored);
        const auto cut = cut_envelope(as_bytes(*stored));
        REQUIRE(cut.has_value());
        CHECK(cut->sequence == SeqNo{n});
        CHECK(to_bytes(cut->prev_signature) == previous);
        CHECK(cut->key_id == test_key()->id());
        CHECK(crypto::verify_digest(test_key()->public_key(), crypto::envelope_tag,
                                    canonical_digest(*cut), cut->signature));
        previous = to_bytes(cut->signature);
        CHECK(builder.state() == WriterState{Epoch{1764821328902}, SeqNo{n}, previous});
        CHECK(stored->size() <= payload.size() + envelope_overhead_bytes);
    }
}

TEST_CASE("builder writes a gap marker behind the signature without advancing") {
    const WriterState state{Epoch{5}, SeqNo{9}, Bytes(64, 9)};
    const EnvelopeBuilder builder("edge-1", "flow", test_key(), state);
    EnvelopeBuilder::Gap gap;
    gap.first = {4};
    gap.last = {9};
    gap.envelopes = 6;
    gap.events = 60;
    gap.reason = "spool_full";
    gap.prev_signature = Bytes(64, 3);
    gap.last_signature = Bytes(64, 9);
    gap.from_ns = 100;
    gap.to_ns = 200;
    const auto stored = builder.build_gap(gap, 1000);
    REQUIRE(stored.has_value());
    CHECK(builder.state() == state);
    CHECK(reserialized(*stored) == *stored);
    const auto cut = cut_envelope(as_bytes(*stored));
    REQUIRE(cut.has_value());
    CHECK(cut->payload_kind == PayloadKind::gap);
    CHECK(cut->sequence == SeqNo{9});
    CHECK(cut->events == 0);
    CHECK(cut->gap.first == SeqNo{4});
    CHECK(cut->gap.last == SeqNo{9});
    CHECK(cut->gap.envelopes == 6);
    CHECK(cut->gap.events == 60);
    CHECK(cut->gap.reason == "spool_full");
    CHECK(to_bytes(cut->gap.last_signature) == Bytes(64, 9));
    CHECK(cut->first_event_ns == 100);
    CHECK(cut->last_event_ns == 200);
}

TEST_CASE("builder refuses what no bus would accept and keeps its state") {
    EnvelopeBuilder builder("edge-1", "snmp", test_key(), {Epoch{5}, {}, {}});
    const WriterState before = builder.state();
    const std::string large(max_envelope_bytes, 'x');
    BuildRequest request;
    request.payload = as_bytes(large);
    CHECK(builder.build(request).error().code == "envelope_too_large");
    request.payload = {};
    CHECK(builder.build(request).error().code == "payload_missing");
    const std::string payload = record();
    request.payload = as_bytes(payload);
    request.idempotency_key = std::string(257, 'k');
    CHECK(builder.build(request).error().code == "envelope_not_canonical");
    CHECK(builder.state() == before);
}
