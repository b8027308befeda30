// Envelopes: whatever the cutter accepts, protobuf reads in the same way and writes back as it was.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "core/base/check.h"
#include "core/wire/envelope.h"
#include "core/wire/proto_cursor.h"
#include "core/wire/protobuf_log.h"
#include "proto/universal_telemetry.pb.h"

using namespace amoskys;
using namespace amoskys::wire;

namespace {

std::string deterministic(const messaging::UniversalEnvelope& message) {
    std::string out;
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    check(message.SerializeToCodedStream(&coded), "a message in memory serializes");
    coded.Trim();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    silence_protobuf();
    const ByteView stored(data, size);
    const auto cut = cut_envelope(stored, [](void*, std::string_view) {});
    if (!cut)
        return 0;
    check(cut->before_sig.size() + cut->after_sig.size() + 66 == size, "only field 8 is cut out");
    check(cut->first_event_ns <= cut->last_event_ns, "times are in order");

    // Inside the payload protobuf may write other bytes (order, defaults); the top level is strict.
    const std::string whole(as_text(stored));
    const auto payload_at = static_cast<std::size_t>(cut->payload.data() - data);
    const std::size_t prefix =
        (cut->payload_kind == PayloadKind::gap ? 2U : 1U) + varint_bytes(cut->payload.size());
    const std::string top =
        whole.substr(0, payload_at - prefix) + whole.substr(payload_at + cut->payload.size());
    messaging::UniversalEnvelope message;
    if (!message.ParseFromString(top))
        return 0;  // text that is not UTF-8: readers skip and count it
    check(deterministic(message) == top, "protobuf writes the top level as it was");
    check(message.sequence() == cut->sequence.value, "one sequence");
    check(message.epoch() == cut->epoch.value, "one epoch");
    check(message.agent_id() == cut->agent_id && message.lane() == cut->lane, "one lane");
    check(message.ts_ns() == cut->ts_ns, "one time");
    message.clear_sig();
    if (message.ParseFromString(canonical_bytes(*cut)))
        check(message.sig().empty(), "canonical bytes hold no signature");
    return 0;
}
