// What a bus's log or an agent's spool keeps of a statement: any bytes are read or refused, and
// what was read is the same when it is written and read again.
#include <cstdint>
#include <cstdlib>

#include "core/wire/statement.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace amoskys;
    const auto kept = wire::decode_kept_head(as_text({data, size}));
    if (!kept)
        return 0;
    static const auto key = crypto::SigningKey::generate();
    if (wire::signature_fits(kept->head, key.public_key()))
        std::abort();
    const auto again = wire::decode_kept_head(wire::encode_kept_head(*kept));
    if (!again || again->received_ns != kept->received_ns)
        std::abort();
    return 0;
}
