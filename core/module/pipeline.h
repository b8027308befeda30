// One collector with its spool and its client to the bus, as one coroutine; what `agent NAME`,
// `agent run` and `up` start. Lifetime: until run() has returned.
//
// Urgent events have a lane of their own, LANE-urgent, with its own spool and connection: they wait
// for nothing and are not dropped for other events. It is opened with the first of them, or where
// its spool is there already.
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
#include "core/module/threshold.h"

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

    // Sets the gauge of the time at which the agent's certificate, as it is on disk now, ends.
    void measure_certificate() const;

    const std::string& lane() const { return lanes_.front().name; }
    const Spool& spool() const { return *lanes_.front().spool; }
    const link::Client& client() const { return *lanes_.front().client; }

  private:
    struct Lane {
        std::string name;
        std::unique_ptr<Spool> spool;
        std::unique_ptr<link::Client> client;
    };

    Pipeline() = default;
    Result<> prepare(const ModuleInfo& info);
    Result<Lane> open_lane(const std::string& name) const;
    Result<Spool*> urgent_spool();
    void start_client(Lane& lane);
    io::Task<Result<>> collect();
    io::Task<bool> wait_acked_all();
    io::Task<> finish_clients();
    Error not_acknowledged() const;
    io::Task<Result<>> flush_batches();
    io::Task<Result<>> watch_key();
    Result<> stop(const Result<>& collected);
    std::uint64_t pending() const;

    io::asio::io_context* io_ = nullptr;
    const Clock* clock_ = nullptr;
    metrics::Registry* metrics_ = nullptr;
    PipelineOptions options_;
    bool ends_by_itself_ = false;
    SpoolOptions spool_options_;  // without folder and lane
    link::ClientOptions client_options_;
    std::filesystem::path spool_root_;
    std::vector<Lane> lanes_;         // the collector's own, then the urgent one
    io::TaskGroup* group_ = nullptr;  // while run() goes on
    std::unique_ptr<BatchEmitter> emitter_;
    std::unique_ptr<ThresholdEmitter> thresholds_;  // before emitter_
    std::unique_ptr<Collector> collector_;
    std::string buses_;
    std::filesystem::path key_file_, certificate_file_;
};

}  // namespace amoskys::module
