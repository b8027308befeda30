// Legacy envelopes: what the cutter accepts and protobuf parses says the same in both.
#include "core/base/check.h"
#include "core/wire/legacy.h"

using namespace amoskys;
using namespace amoskys::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView stored(data, size);
    const auto decoded = decode_legacy(stored);
    const auto cut = cut_legacy(stored);
    if (!decoded)
        return 0;
    const std::string signed_bytes = legacy_signed_bytes(*decoded);
    const bool same = legacy_reencodes(stored);
    static_cast<void>(flow_facts(decoded->flow()));
    if (!cut)
        return 0;
    check(decoded->ts_ns() == cut->ts_ns, "one time");
    check(decoded->idempotency_key() == cut->idempotency_key, "one key");
    check(decoded->sig() == as_text(cut->signature), "one signature");
    check(decoded->flow().src_ip() == cut->device, "one device");
    if (same && decoded->GetReflection()->GetUnknownFields(*decoded).empty())
        check(as_text(stored.first(signed_bytes.size())) == signed_bytes,
              "the signed bytes are the first ones");
    return 0;
}
