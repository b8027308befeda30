#include "modules/tools/inspect/legacy_row.h"

#include <algorithm>

#include "core/crypto/hash.h"
#include "core/link/record_facts.h"
#include "core/wire/legacy.h"
#include "core/wire/stored_form.h"
#include "modules/tools/inspect/stored_form.h"

namespace amoskys::modules::inspect {

namespace {

bool is_digest(ByteView checksum, const Digest& digest) {
    return std::ranges::equal(checksum, digest);
}

void fill_custody(ByteView bytes, CheckedRow& out) {
    if (out.kind == RecordKind::legacy) {
        out.digest = wire::legacy_digest(bytes);
        if (const auto cut = wire::cut_legacy(bytes, wal::stored_bytes_max))
            out.signature = cut->signature;
    } else if (const auto parts = wire::universal_parts(bytes)) {
        out.digest = parts->digest;
        out.signature = parts->signature;
    }
}

bool fill_events(ByteView bytes, CheckedRow& out) {
    wire::DecodeCounts counts;
    wal::RecordFacts facts = link::event_facts(out.kind, bytes, &counts);
    out.events = counts.events;
    out.first_ns = facts.first_event_ns;
    out.last_ns = facts.last_event_ns;
    out.device_hashes = std::move(facts.device_hashes);
    return counts.malformed_envelopes + counts.malformed_events == 0;
}

}  // namespace

std::uint16_t CheckedRow::flags() const {
    return static_cast<std::uint16_t>(wal::flag_imported |
                                      (signature.empty() ? wal::flag_unsigned : 0));
}

std::string_view check_legacy_row(const LegacyRow& row, CheckedRow& out) {
    if (!row.typed)
        return "expected integers in id and ts_ns, blobs in bytes and checksum";
    if (row.bytes.empty())
        return "no bytes";
    if (is_digest(row.checksum, crypto::blake2b_256({row.bytes})))
        out.checksum = LegacyChecksum::blake2b;
    else if (is_digest(row.checksum, crypto::sha256(row.bytes)))
        out.checksum = LegacyChecksum::sha256;
    else if (std::ranges::equal(row.checksum, row.bytes))
        out.checksum = LegacyChecksum::copy;
    else
        return "the checksum is neither BLAKE2b-256 nor SHA-256 of its bytes";
    const auto kind = guess_kind(row.bytes);
    if (!kind)
        return "neither a legacy nor a universal envelope";
    out.kind = *kind;
    fill_custody(row.bytes, out);
    return fill_events(row.bytes, out) ? "" : "the events in the envelope cannot be read";
}

}  // namespace amoskys::modules::inspect
