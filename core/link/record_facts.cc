#include "core/link/record_facts.h"

#include <algorithm>

#include "core/wal/record.h"
#include "core/wire/legacy.h"
#include "core/wire/stored_form.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::link {
namespace {

wal::RecordFacts audit_facts(const wal::RecordView& record) {
    wal::RecordFacts out;
    messaging::DeviceTelemetry telemetry;
    if (!telemetry.ParseFromArray(record.stored.data(), static_cast<int>(record.stored.size())))
        return out;
    out.first_event_ns = out.last_event_ns = telemetry.timestamp_ns();
    out.device_hashes = {wal::device_hash(telemetry.device_id())};
    return out;
}

// An envelope without a flow names no device, and nobody looks for it by one.
wal::RecordFacts legacy_facts(const wal::RecordView& record) {
    wal::RecordFacts out;
    const auto cut = wire::cut_legacy(record.stored, wal::stored_bytes_max);
    if (!cut)
        return out;
    out.signature = to_bytes(cut->signature);
    out.first_event_ns = out.last_event_ns = cut->event_ns;
    if (!cut->device.empty())
        out.device_hashes = {wal::device_hash(cut->device)};
    return out;
}

}  // namespace

void DeviceNotes::add(std::string_view device_id) {
    if (device_id != last_ || last_.empty()) {
        last_ = device_id;
        last_hash_ = wal::device_hash(device_id);
    }
    if (too_many_ || (!hashes_.empty() && hashes_.back() == last_hash_))
        return;
    if (hashes_.size() >= devices_max)
        compact();
    too_many_ = hashes_.size() >= devices_max;
    if (!too_many_)
        hashes_.push_back(last_hash_);
}

void DeviceNotes::visit(void* context, std::string_view device_id) {
    static_cast<DeviceNotes*>(context)->add(device_id);
}

void DeviceNotes::compact() {
    std::ranges::sort(hashes_);
    hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
}

std::vector<std::uint64_t> DeviceNotes::take() {
    compact();
    std::vector<std::uint64_t> out = std::move(hashes_);
    if (too_many_)
        out.clear();
    hashes_.clear();
    too_many_ = false;
    return out;
}

wal::RecordFacts envelope_facts(const wire::CutEnvelope& cut, DeviceNotes& devices) {
    if (cut.agent_is_device)
        devices.add(cut.agent_id);
    wal::RecordFacts out;
    out.signature = to_bytes(cut.signature);
    out.first_event_ns = cut.first_event_ns;
    out.last_event_ns = cut.last_event_ns;
    out.device_hashes = devices.take();
    return out;
}

wal::RecordFacts event_facts(RecordKind kind, ByteView stored, wire::DecodeCounts* counts) {
    wal::RecordFacts out;
    DeviceNotes devices;
    wire::EventDecoder decoder;
    out.first_event_ns = UINT64_MAX;
    decoder.decode(kind, stored, 0, [&](const wire::Event& event) {
        out.first_event_ns = std::min(out.first_event_ns, event.time_ns);
        out.last_event_ns = std::max(out.last_event_ns, event.time_ns);
        devices.add(event.device);
        return true;
    });
    if (decoder.counts().events == 0)
        out.first_event_ns = 0;
    out.device_hashes = devices.take();
    if (kind == RecordKind::legacy) {
        if (const auto cut = wire::cut_legacy(stored, wal::stored_bytes_max))
            out.signature = to_bytes(cut->signature);
    } else if (const auto parts = wire::universal_parts(stored)) {
        out.signature = to_bytes(parts->signature);
    }
    if (counts != nullptr)
        *counts = decoder.counts();
    return out;
}

wal::RecordFacts record_facts(const wal::RecordView& record) {
    const RecordKind kind = record.header.kind;
    if (kind == RecordKind::audit)
        return audit_facts(record);
    if ((record.header.flags & wal::flag_imported) != 0)
        return event_facts(kind, record.stored);
    if (kind == RecordKind::legacy)
        return legacy_facts(record);
    DeviceNotes devices;
    const auto cut =
        wire::cut_envelope(record.stored, &DeviceNotes::visit, &devices, wal::stored_bytes_max);
    if (cut)
        return envelope_facts(*cut, devices);
    wal::RecordFacts out;
    if (const auto parts = wire::universal_parts(record.stored))
        out.signature = to_bytes(parts->signature);
    return out;
}

}  // namespace amoskys::link
