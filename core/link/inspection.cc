#include "core/link/inspection.h"

#include "core/base/text.h"
#include "core/link/record_facts.h"

namespace amoskys::link {
namespace {

struct DeviceCheck {
    Inspection& inspection;
    DeviceNotes notes;
    std::string_view last;  // in the envelope's own bytes

    static void visit(void* context, std::string_view device_id) {
        auto& self = *static_cast<DeviceCheck*>(context);
        if (device_id == self.last)
            return;
        self.last = device_id;
        auto& out = self.inspection;
        if (out.denied.empty() && !out.trust->may_send_device(*out.agent, device_id))
            out.denied = excerpt(device_id);
        self.notes.add(device_id);
    }
};

}  // namespace

Inspection::Inspection(std::uint64_t request, ByteView envelope,
                       std::shared_ptr<const crypto::TrustMap> trust_map,
                       const crypto::TrustedAgent& from, std::uint64_t limit_bytes)
    : request_id(request),
      stored(as_text(envelope)),
      trust(std::move(trust_map)),
      agent(&from),
      max_envelope_bytes(limit_bytes) {}

void Inspection::look() {
    device_hashes.clear();
    denied.clear();
    DeviceCheck devices{*this, {}, {}};
    cut.emplace(
        wire::cut_envelope(as_bytes(stored), &DeviceCheck::visit, &devices, max_envelope_bytes));
    if (!*cut)
        return;
    if ((*cut)->agent_is_device)
        DeviceCheck::visit(&devices, (*cut)->agent_id);
    device_hashes = devices.notes.take();
}

void Inspection::verify() {
    look();
    if (!*cut || key == nullptr)
        return;
    const Digest digest = wire::canonical_digest(**cut);
    checked = wire::Checked{digest, wire::signature_fits(*key, **cut, digest)};
}

}  // namespace amoskys::link
