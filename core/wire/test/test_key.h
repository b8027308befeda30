// The key of the golden vectors (seed 00..1f), for tests of this folder.
#pragma once

#include <memory>
#include <numeric>

#include "core/crypto/signing.h"
#include "core/crypto/trust_map.h"

namespace amoskys::wire::test {

inline Bytes counting_seed(std::uint8_t first = 0) {
    Bytes seed(32);
    std::iota(seed.begin(), seed.end(), first);
    return seed;
}

inline std::shared_ptr<const crypto::SigningKey> test_key(std::uint8_t first = 0) {
    return std::make_shared<const crypto::SigningKey>(
        crypto::SigningKey::from_seed(counting_seed(first)));
}

inline crypto::TrustedKey trusted(const crypto::SigningKey& key) {
    return {key.id(), key.public_key(), crypto::Algorithm::ed25519_sha256};
}

}  // namespace amoskys::wire::test
