// The peer: Debian's nats-server with JetStream (file store, mutual TLS with the same keys) and a
// publisher over libnats (Nats-Msg-Id, asynchronous), each a process. Used by bus_bench.cc.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/bus/child.h"
#include "core/crypto/pki.h"

namespace amoskys::bench {

class JetStream {
  public:
    // Nothing where nats-server or the publisher (built where libnats is) is missing.
    static std::unique_ptr<JetStream> start(const std::filesystem::path& scratch,
                                            const crypto::PkiPaths& pki);
    // Seconds from the first message sent to the last acknowledged.
    double publish(const std::vector<std::string>& messages);
    double rss_anon_mb() const { return server_.rss_anon_mb(); }

  private:
    JetStream(const std::filesystem::path& scratch, const crypto::PkiPaths& pki,
              std::string publisher);

    std::filesystem::path scratch_;
    const crypto::PkiPaths& pki_;
    std::string publisher_, port_;
    Child server_;
    int rounds_ = 0;
};

}  // namespace amoskys::bench
