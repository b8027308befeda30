// Ed25519 checks collected while the log is read, and done together on all processors with no read
// transaction open. As large as one step of walk() (log_access.h). One owner thread; run() uses
// others and waits for them.
#pragma once

#include <string>
#include <vector>

#include "core/base/types.h"
#include "core/crypto/trust_map.h"

namespace amoskys::modules::inspect {

class SignatureBatch {
  public:
    struct Job {
        WalOffset offset;
        const crypto::TrustedKey* key = nullptr;
        Digest digest{};   // algorithm Ed25519-SHA256
        std::string body;  // algorithm Ed25519
        Signature signature{};
    };
    void add(Job job) { jobs_.push_back(std::move(job)); }
    // The offsets whose signature is wrong, ascending. Empties the batch.
    std::vector<WalOffset> run();
    std::uint64_t checked() const { return checked_; }

  private:
    std::vector<Job> jobs_;
    std::uint64_t checked_ = 0;
};

}  // namespace amoskys::modules::inspect
