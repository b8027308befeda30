// The bus with one publisher over mutual TLS on loopback: throughput, signed envelopes of one
// record, latency at a fixed rate, memory. Rounds of both sides in turn, medians.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "bench/bus/idle.h"
#include "bench/bus/jetstream.h"
#include "bench/bus/memory_source.h"
#include "bench/bus/publish.h"
#include "bench/bus/serve.h"
#include "bench/bus/spooled.h"
#include "bench/measure.h"
#include "bench/records.h"
#include "core/crypto/hash.h"

using namespace amoskys;
using namespace amoskys::bench;

namespace {

constexpr int rounds = 3;
constexpr std::size_t batches = 600;
constexpr std::size_t single_records = 30'000;
constexpr double latency_rate = 5'000, latency_seconds = 2.5;
constexpr std::size_t latency_envelopes = static_cast<std::size_t>(latency_rate * latency_seconds);
constexpr double memory_wanted_mb = 96 * 1.048576, idle_wanted_mb = 150;

struct Setting {
    std::filesystem::path scratch;
    crypto::PkiPaths pki;
    std::shared_ptr<const crypto::SigningKey> key;
    std::unique_ptr<JetStream> peer;

    wire::EnvelopeBuilder builder() const { return {agent, lane, key, {lane_epoch, {0}, {}}}; }
};

std::vector<std::string> plain_records(std::size_t count) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i)
        out.push_back(record(i, record_metrics));
    return out;
}

// 112 KB envelopes: MB/s, records/s, memory.
std::vector<Row> throughput(const Setting& setting, std::vector<std::string>& notes) {
    auto lane_builder = setting.builder();
    const Signed work = signed_batches(lane_builder, batches);
    const auto singles = plain_records(single_records);
    std::vector<Batch> payloads;
    for (std::size_t records = 0; payloads.size() < batches; records += payloads.back().records)
        payloads.push_back(batch(records));
    std::vector<double> ours, spooled, peer, peer_singles, memory;
    for (int round = 0; round < rounds; ++round) {
        const Published done = publish(setting.scratch, setting.pki, work.envelopes, 0);
        ours.push_back(done.seconds);
        memory.push_back(done.bus_rss_anon_mb);
        spooled.push_back(publish_through_spool(setting.scratch, setting.pki, payloads));
        if (!setting.peer)
            continue;
        peer.push_back(setting.peer->publish(work.envelopes));
        peer_singles.push_back(setting.peer->publish(singles));
    }
    const auto per_second = [](double amount, const std::vector<double>& seconds) {
        return seconds.empty() ? 0 : amount / median(seconds);
    };
    const auto mb = static_cast<double>(work.bytes) / 1e6;
    const auto records = static_cast<double>(work.records);
    notes.push_back("Envelopes of " + std::to_string(work.bytes / batches) + " bytes with " +
                    std::to_string(work.records / batches) + " records of " +
                    std::to_string(singles[0].size()) + " bytes, 29 metrics each.");
    return {{"112 KB envelopes, one publisher", "MB/s", per_second(mb, ours), per_second(mb, peer),
             "JetStream, same bytes, no fsync"},
            {"the same through the agent's spool", "MB/s", per_second(mb, spooled),
             per_second(mb, ours), "without it (wanted: 0.6)"},
            {"the records in them", "records/s", per_second(records, ours),
             per_second(static_cast<double>(single_records), peer_singles),
             "JetStream, a record a message"},
            {"RssAnon of the bus at that load", "MB", *std::ranges::max_element(memory),
             memory_wanted_mb, "wanted at most"}};
}

// Ed25519 verifications per second on one core.
double verify_rate(const crypto::SigningKey& key) {
    constexpr std::size_t count = 256;
    std::vector<Digest> digests;
    std::vector<Signature> signatures;
    for (std::size_t i = 0; i < count; ++i) {
        digests.push_back(crypto::sha256(as_bytes(std::to_string(i))));
        signatures.push_back(key.sign_digest(crypto::envelope_tag, digests.back()));
    }
    std::size_t done = 0;
    const Stopwatch watch;
    while (watch.seconds() < 0.4)
        for (std::size_t i = 0; i < count; ++i)
            done += crypto::verify_digest(key.public_key(), crypto::envelope_tag, digests[i],
                                          signatures[i])
                        ? 1U
                        : 0U;
    return static_cast<double>(done) / watch.seconds();
}

std::vector<Row> one_by_one(const Setting& setting) {
    auto lane_builder = setting.builder();
    const Signed work = signed_records(lane_builder, single_records, record_metrics);
    std::vector<double> ours, peer;
    for (int round = 0; round < rounds; ++round) {
        peer.push_back(verify_rate(*setting.key));
        const Published done = publish(setting.scratch, setting.pki, work.envelopes, 0);
        ours.push_back(static_cast<double>(single_records) / done.seconds);
    }
    return {{"one signed envelope per record", "envelopes/s", median(ours), median(peer),
             "Ed25519 verify, one core"}};
}

// A small appended write and its fdatasync, in ms each.
void time_syncs(const std::filesystem::path& scratch, std::vector<double>& out) {
    const auto path = scratch / "syncs";
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        fail(errno_error("bench_sync", "open " + path.string(), errno));
    const std::string block(16'384, 'x');
    for (int i = 0; i < 250; ++i) {
        const Stopwatch watch;
        if (write(file, block.data(), block.size()) < 0 || fdatasync(file) != 0)
            fail(errno_error("bench_sync", "write " + path.string(), errno));
        out.push_back(watch.seconds() * 1e3);
    }
    close(file);
    std::filesystem::remove(path);
}

// How late a thread that asks for nothing but to wake up every millisecond does so: what the
// machine itself (other programs, a hypervisor) adds to whatever runs on it.
class Sleeper {
  public:
    explicit Sleeper(std::vector<double>& late_ms)
        : thread_([this, &late_ms] {
              while (!stop_) {
                  const Stopwatch watch;
                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
                  late_ms.push_back(watch.seconds() * 1e3 - 1);
              }
          }) {}
    ~Sleeper() {
        stop_ = true;
        thread_.join();
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;

  private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

std::vector<Row> latency(const Setting& setting) {
    auto lane_builder = setting.builder();
    const Signed work = signed_records(lane_builder, latency_envelopes, record_metrics);
    std::vector<double> ours, syncs, late;
    for (int round = 0; round < rounds; ++round) {
        time_syncs(setting.scratch, syncs);
        const Sleeper beside(late);
        const Published done = publish(setting.scratch, setting.pki, work.envelopes, latency_rate);
        ours.insert(ours.end(), done.latencies_ms.begin(), done.latencies_ms.end());
    }
    std::vector<Row> rows;
    for (const auto& [name, fraction] :
         {std::pair("p50", 0.5), std::pair("p99", 0.99), std::pair("p99.9", 0.999)})
        rows.push_back({std::string("publish to ack at 5,000 records/s, ") + name, "ms",
                        percentile(ours, fraction), percentile(syncs, fraction),
                        std::string("fdatasync of 16 KB, ") + name});
    rows.push_back({"the same, p99.9", "ms", percentile(ours, 0.999), percentile(late, 0.999),
                    "a sleeping thread beside it, its lateness p99.9"});
    const double bar = std::min(10.0, 3 * percentile(syncs, 0.99) + 2);
    rows.push_back({"the same p99 against its limit", "ms", percentile(ours, 0.99), bar,
                    "min(10, 3 x fdatasync p99 + 2)"});
    return rows;
}

std::vector<Row> idle(const Setting& setting) {
    return {{"RssAnon that " + std::to_string(idle_sessions) + " idle sessions add", "MB",
             idle_memory_mb(setting.scratch, setting.pki), idle_wanted_mb, "wanted at most"}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "--serve")
        return serve(argv[2], argv[3]);
    const Form form = form_of(argc, argv);
    const ScratchFolder folder;
    Setting setting;
    setting.scratch = folder.path();
    setting.pki = {folder.path() / "pki"};
    crypto::InitRequest request;
    request.local_agent = agent;
    need(crypto::pki_init(setting.pki, request, system_clock()));
    setting.key = std::make_shared<const crypto::SigningKey>(
        need(crypto::SigningKey::load(setting.pki.agent_signing_key(agent))));
    setting.peer = JetStream::start(setting.scratch, setting.pki);

    std::vector<std::string> notes;
    if (!setting.peer)
        notes.push_back("Without JetStream: needs Debian's nats-server and libnats-dev.");
    std::vector<Row> rows = throughput(setting, notes);
    for (auto part : {one_by_one, latency, idle})
        for (Row& row : part(setting))
            rows.push_back(std::move(row));
    print(rows, notes, form);
    return 0;
}
