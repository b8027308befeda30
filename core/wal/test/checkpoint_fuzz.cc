// Checkpoints come from outside (`inspect verify --since`). Opening one ends whatever it holds;
// without the key's secret none but the seeds opens.
#include "core/wal/checkpoint.h"

using namespace amoskys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const PublicKey key =
        crypto::SigningKey::from_seed(Bytes(32, std::uint8_t{7})).public_key();
    (void)wal::open_checkpoint(as_text({data, size}), key);
    return 0;
}
