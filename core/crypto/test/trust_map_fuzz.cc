// Any bytes as a trust map: refused or read, and what can be edited still reads afterwards.
#include <cstdlib>

#include "core/crypto/trust_map.h"

using namespace amoskys;
using namespace amoskys::crypto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text({data, size});
    std::uint8_t next = 0;
    const KeyLoader any_key = [&](const std::filesystem::path&) -> Result<PublicKey> {
        PublicKey key{};
        key[0] = next++;
        return key;
    };
    const auto map = TrustMap::parse(text, "fuzz", any_key);
    if (!map)
        return 0;
    for (const auto& [name, agent] : (*map)->agents()) {
        (void)(*map)->find_key(agent, "");
        (void)(*map)->may_send_device(agent, "device-1");
    }
    next = 0;
    const auto added = add_trusted_agent(text, "added-by-fuzz", "a.pub");
    if (added && next < 200 && !TrustMap::parse(*added, "fuzz", any_key))
        std::abort();
    return 0;
}
