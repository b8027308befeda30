#include "bench/bus/serve.h"

#include <sys/prctl.h>

#include <csignal>
#include <iostream>

#include "bench/measure.h"
#include "core/crypto/pki.h"
#include "core/link/server.h"

namespace amoskys::bench {

int serve(const std::filesystem::path& folder, const std::filesystem::path& pki) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const crypto::PkiPaths paths{pki};
    auto log = need(wal::Log::open(folder / "wal", {}));
    wal::Writer writer(*log, 64ULL << 20);
    io::asio::io_context io(1);
    metrics::Registry registry;
    link::ServerConfig config;
    config.listen = {"127.0.0.1", 0};
    config.tls = {paths.ca_cert(), paths.bus_cert(), paths.bus_key()};
    config.trust_map = paths.trust_map();
    config.log_key = paths.log_key();
    config.log_folder = folder;
    config.log_origin = "bench";
    config.version = "bench";
    config.limits.max_sessions_per_agent = config.limits.max_sessions;
    link::Server server(io, system_clock(), registry, *log, writer, config);
    need(server.prepare());
    std::cout << need(server.listen()) << std::endl;
    io::TaskGroup group(io);
    group.spawn("server", server.run());
    io::Signals signals(io);
    signals.on_stop([&group](int) { group.cancel(); });
    while (group.size() > 0)
        io.run_one();
    writer.stop();
    return 0;
}

}  // namespace amoskys::bench
