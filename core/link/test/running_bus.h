// A bus on the loopback interface with keys of its own making, and a source of signed envelopes in
// memory: what tests over real connections share.
#pragma once

#include "core/crypto/pki.h"
#include "core/link/client.h"
#include "core/link/server.h"
#include "core/link/test/bus_fixture.h"

namespace amoskys::link::test {

using namespace std::chrono_literals;

inline const crypto::PkiPaths& pki() {
    static const TempFolder folder;
    static const crypto::PkiPaths paths = [] {
        crypto::PkiPaths made{folder.path / "pki"};
        crypto::InitRequest request;
        request.local_agent = "edge-1";
        const auto done = crypto::pki_init(made, request, system_clock());
        INFO((done ? std::string() : done.error().message));
        REQUIRE(done.has_value());
        return made;
    }();
    return paths;
}

inline io::TlsFiles agent_files(const crypto::PkiPaths& from) {
    return {from.ca_cert(), from.agent_cert("edge-1"), from.agent_key("edge-1")};
}

// Signed envelopes in memory.
class MemorySource final : public Source {
  public:
    MemorySource(io::asio::io_context& io, std::size_t count) : more_(io) {
        auto key = crypto::SigningKey::load(pki().agent_signing_key("edge-1"));
        REQUIRE(key.has_value());
        wire::EnvelopeBuilder lane("edge-1", "snmp",
                                   std::make_shared<const crypto::SigningKey>(std::move(*key)),
                                   {epoch_, {0}, {}});
        for (std::size_t i = 0; i < count; ++i)
            envelopes.push_back(build(lane));
    }
    Position position() const override { return {epoch_, acked, {}, {envelopes.size()}}; }
    Result<SeqNo> resume(const BusHead& head) override {
        resumed_after = head.epoch == epoch_ ? head.sequence : SeqNo{0};
        return resumed_after;
    }
    Result<std::optional<Item>> next(SeqNo after) override {
        if (after.value >= envelopes.size())
            return std::optional<Item>();
        return std::optional<Item>(Item{after.next(), envelopes[after.value]});
    }
    void committed(SeqNo last) override { acked = last; }
    Result<> reject(SeqNo, const std::string& reason) override {
        return make_error(ErrorKind::internal, "rejected", reason);
    }
    void keep(const amoskys::bus::Receipt& receipt) override { receipts.push_back(receipt); }
    std::optional<amoskys::bus::Head> signed_head(Duration) override { return std::nullopt; }
    void session_ended() override {}
    io::Task<> wait_for_more() override { co_await more_.wait(); }

    std::vector<std::string> envelopes;
    SeqNo acked, resumed_after;
    std::vector<amoskys::bus::Receipt> receipts;

  private:
    const Epoch epoch_{1'700'000'000'000};
    io::Event more_;
};

struct Running {
    Running() {
        wal::Options options;
        options.map_bytes = 64 << 20;
        options.segment_max_bytes = 32 << 20;
        auto opened = wal::Log::open(folder.path / "wal", options);
        REQUIRE(opened.has_value());
        log = std::move(*opened);
        writer = std::make_unique<wal::Writer>(*log, 64 << 20);
        server = std::make_unique<Server>(io, system_clock(), registry, *log, *writer, config());
        const auto prepared = server->prepare();
        INFO((prepared ? std::string() : prepared.error().message));
        REQUIRE(prepared.has_value());
        auto at = server->listen();
        REQUIRE(at.has_value());
        address = *at;
        group.spawn("server", server->run());
    }
    ~Running() { stop(); }
    void stop() {
        clients.cancel();
        group.cancel();
        until([&] { return group.size() == 0 && clients.size() == 0; });
        writer->stop();
    }
    ServerConfig config() const {
        ServerConfig out;
        out.listen = {"127.0.0.1", 0};
        out.tls = {pki().ca_cert(), pki().bus_cert(), pki().bus_key()};
        out.trust_map = pki().trust_map();
        out.log_key = pki().log_key();
        out.log_folder = folder.path;
        out.limits.handshake = 1s;
        out.limits.min_free_bytes = 0;
        return out;
    }
    ClientOptions client_options() const {
        ClientOptions out;
        out.buses = {*io::parse_endpoint(address, 0)};
        out.agent_id = "edge-1";
        out.lane = "snmp";
        out.tls = agent_files(pki());
        return out;
    }
    template <class Done>
    void until(Done done) {
        const auto limit = std::chrono::steady_clock::now() + 30s;
        while (!done() && std::chrono::steady_clock::now() < limit) {
            io.restart();
            io.run_one_for(50ms);
        }
        REQUIRE(done());
    }
    double refused(const std::string& reason) const {
        for (const auto& sample : registry.samples())
            if (sample.name == "amoskys_bus_refused_connections_total" &&
                sample.labels.find("\"" + reason + "\"") != std::string::npos)
                return sample.value;
        return 0;
    }

    TempFolder folder;
    io::asio::io_context io;
    metrics::Registry registry;
    std::unique_ptr<wal::Log> log;
    std::unique_ptr<wal::Writer> writer;
    std::unique_ptr<Server> server;
    std::string address;
    io::TaskGroup group{io}, clients{io};
};

}  // namespace amoskys::link::test
