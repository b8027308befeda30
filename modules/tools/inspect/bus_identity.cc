#include "modules/tools/inspect/bus_identity.h"

#include "core/crypto/pki.h"
#include "core/module/pipeline.h"

namespace amoskys::modules::inspect {

namespace {
constexpr std::uint16_t default_port = 50051;
}

Result<BusIdentity> bus_identity(const module::ToolContext& context, const std::string& bus,
                                 const std::string& agent) {
    BusIdentity out;
    auto endpoint = io::parse_endpoint(bus, default_port);
    if (!endpoint)
        return make_error(ErrorKind::usage, endpoint.error().code,
                          "--bus: " + endpoint.error().message);
    out.bus = std::move(*endpoint);
    const auto settings = context.loaded.get<module::AgentConfig>("agent");
    const bool elsewhere = settings && !settings->pki_dir.empty();
    const crypto::PkiPaths pki{elsewhere ? std::filesystem::path(settings->pki_dir)
                                         : context.state_dir / "pki"};
    const std::string configured = settings ? settings->id : std::string();
    AMOSKYS_TRY(name, module::choose_identity(pki, agent.empty() ? configured : agent));
    out.tls = {pki.ca_cert(), pki.agent_cert(name), pki.agent_key(name)};
    out.agent_id = std::move(name);
    return out;
}

}  // namespace amoskys::modules::inspect
