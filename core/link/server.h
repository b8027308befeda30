// The bus's listener: accepts, shakes hands, and runs a ServerSession for each connection. Used by
// the bus module.
//
// Start: prepare() reads keys, trust map and the lanes of the log, listen() opens the port, run()
// serves until cancelled. Stop: no more connections, DRAIN to all, what is with the log is
// acknowledged, receipts, close. The log and its writer belong to the caller and outlive the
// server. Everything on the io thread.
//
// Limits: handshake and first frame 5 s each, max_unauthenticated_per_address connections whose
// handshake is not done, max_sessions in all (further ones are closed at once), a write that stalls
// for 4 s ends its session.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/io/runtime.h"
#include "core/io/tls_context.h"
#include "core/link/bus_state.h"

namespace amoskys::link {

struct ServerConfig {
    io::Endpoint listen;
    io::TlsFiles tls;
    std::filesystem::path trust_map, log_key, log_folder;
    std::string log_origin, version;
    ServerLimits limits;
};

class Server {
  public:
    Server(io::asio::io_context& io, const Clock& clock, metrics::Registry& registry, wal::Log& log,
           wal::Writer& writer, ServerConfig config);
    ~Server();
    Result<> prepare();
    Result<std::string> listen();  // the address with the port that it got
    io::Task<Result<>> run();
    // New certificates, trust map and limits, all or nothing. Live sessions of agents that are gone
    // or revoked are closed; others keep the certificates that they began with.
    Result<> reload(ServerConfig config);
    // Why it cannot take envelopes; empty = it can. For /readyz.
    std::string trouble() const;
    // What is wrong although it serves: damaged ranges of the log. Empty = nothing.
    std::string degradation() const;
    // Retention: records before `before` are about to go (a cursor that comes from now on cannot
    // hold them), and so many are gone.
    void prune_begins(WalOffset before);
    void prune_ended(std::uint64_t records);
    void set_log_limit(std::uint64_t bytes);  // for the metric alone; 0 = none
    const BusState& state() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace amoskys::link
