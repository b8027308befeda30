// One collector with its spool and its client to the bus, as one coroutine; what `agent NAME`,
// `agent run` and `up` start. Lifetime: until run() has returned.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/crypto/pki.h"
#include "core/link/client.h"
#include "core/module/batch.h"
#include "core/module/host_config.h"
#include "core/module/module.h"
#include "core/module/spool.h"

namespace amoskys::module {

struct PipelineOptions {
    std::shared_ptr<const AgentConfig> agent;
    std::shared_ptr<const void> collector_config;
    std::filesystem::path state_dir;
    bool once = false;
};

// The name of the identity in the key folder that this host's agents use.
Result<std::string> choose_identity(const crypto::PkiPaths& pki, const std::string& configured);

std::string host_name();

class Pipeline {
  public:
    static Result<std::unique_ptr<Pipeline>> open(io::asio::io_context& io, const ModuleInfo& info,
                                                  const PipelineOptions& options,
                                                  const Clock& clock, metrics::Registry& metrics);
    ~Pipeline();
    // Until cancelled; with once: one cycle, then until the bus has acknowledged it (unavailable
    // where it did not within ack_timeout: the envelopes stay in the spool). Either way ends with a
    // durable spool.
    io::Task<Result<>> run();

    // The signing key as it is in its file now, for what is signed from now on (SIGHUP; run() looks
    // at the file by itself). Certificates are read with each connection.
    Result<> reload_key();

    const std::string& lane() const { return lane_; }
    const Spool& spool() const { return *spool_; }
    const link::Client& client() const { return *client_; }

  private:
    Pipeline() = default;
    io::Task<Result<>> collect();
    io::Task<Result<>> flush_batches();
    io::Task<Result<>> watch_key();
    Result<> stop(const Result<>& collected);

    io::asio::io_context* io_ = nullptr;
    std::string lane_;
    PipelineOptions options_;
    bool ends_by_itself_ = false;
    std::unique_ptr<Spool> spool_;
    std::unique_ptr<link::Client> client_;
    std::unique_ptr<BatchEmitter> emitter_;
    std::unique_ptr<Collector> collector_;
    std::string buses_;
    std::filesystem::path key_file_;
};

}  // namespace amoskys::module
