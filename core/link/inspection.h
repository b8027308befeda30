// What can be said of one PUBLISH from its bytes and the trust map alone: form, devices, digest,
// signature. That is nearly all that an envelope costs, so the shell may have it done on other
// threads (inspection_pool.h) before the session judges: in the order of custody rule 4, on the io
// thread. Whatever has changed in between (trust map, key) is worked out again there.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto/trust_map.h"
#include "core/wire/custody.h"

namespace amoskys::link {

struct Inspection {
    Inspection(std::uint64_t request, ByteView envelope,
               std::shared_ptr<const crypto::TrustMap> trust_map, const crypto::TrustedAgent& from,
               std::uint64_t limit_bytes);
    Inspection(const Inspection&) = delete;
    Inspection& operator=(const Inspection&) = delete;

    void look();    // form and devices; fills `cut`
    void verify();  // look(), then digest and signature by `key`; fills `checked`

    const std::uint64_t request_id;
    std::string stored;                             // what `cut` views; becomes the record
    std::shared_ptr<const crypto::TrustMap> trust;  // keeps agent and key
    const crypto::TrustedAgent* agent;
    const crypto::TrustedKey* key = nullptr;  // set before verify()
    const std::uint64_t max_envelope_bytes;

    std::optional<Result<wire::CutEnvelope>> cut;
    std::vector<std::uint64_t> device_hashes;
    std::string denied;  // a device that the agent may not speak for
    std::optional<wire::Checked> checked;

    // For whoever had it done elsewhere: release when it is, acquire before the rest is read.
    std::atomic<bool> done{false};
};

}  // namespace amoskys::link
