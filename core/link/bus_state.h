// What all sessions of a bus share: options, trust map, lanes, budget, rates, devices, duplicates
// in flight and metrics. Owned by the Server (server.h); sessions keep a reference. io thread only;
// no Asio. Time comes from the Clock.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/crypto/signing.h"
#include "core/crypto/trust_map.h"
#include "core/link/cursor_table.h"
#include "core/link/device_registry.h"
#include "core/link/head_table.h"
#include "core/link/lane_rivals.h"
#include "core/link/lane_table.h"
#include "core/link/server_metrics.h"
#include "core/wal/writer.h"
#include "core/wire/custody.h"

namespace amoskys::link {

using SteadyTime = std::chrono::steady_clock::time_point;

enum class Overload { off, on, automatic };

struct ServerLimits {
    std::uint64_t max_envelope_bytes = 131072;
    std::uint64_t soft_window = 100;           // envelopes in flight that a session gets by itself
    std::uint64_t hard_window = 500;           // and at most, where it says that more wait
    std::uint64_t budget_bytes = 64ULL << 20;  // granted to all sessions together
    std::uint64_t session_bytes = 8ULL << 20;  // granted to one session at most
    std::uint64_t max_sessions = 4096;
    std::uint64_t max_sessions_per_agent = 128;
    // Connections that have not yet said HELLO with an identity of the trust map.
    std::uint64_t max_unauthenticated = 1024;
    std::uint64_t max_unauthenticated_per_address = 64;
    Duration handshake = std::chrono::seconds(5);
    Duration first_frame = std::chrono::seconds(5);
    Duration frame = std::chrono::seconds(30);  // from a frame's first byte to its last
    Duration ping_after = std::chrono::seconds(30);
    Duration idle = std::chrono::seconds(300);
    Duration stalled_write = std::chrono::seconds(4);
    Duration drain = std::chrono::seconds(5);
    Duration receipt_interval = std::chrono::seconds(10);
    std::uint64_t max_subscribers = 64;
    Duration slow_reader = std::chrono::seconds(60);  // without credit, though there is more
    Overload overload = Overload::automatic;
    // Fewer free bytes than this on the log's file system: envelopes are answered RETRY.
    std::uint64_t min_free_bytes = 64ULL << 20;
};

// Why new envelopes are not taken at the moment.
struct Refusal {
    wire::Status status = wire::Status::retry;
    std::string reason;
    std::string_view label;
    std::chrono::milliseconds hint{};
};

// Credit in bytes that is out with all sessions.
class Budget {
  public:
    explicit Budget(std::uint64_t total) : total_(total) {}
    std::uint64_t free() const { return used_ >= total_ ? 0 : total_ - used_; }
    std::uint64_t used() const { return used_; }
    std::uint64_t total() const { return total_; }
    void take(std::uint64_t size_bytes) { used_ += size_bytes; }
    void give_back(std::uint64_t size_bytes);
    double load() const;

  private:
    std::uint64_t total_, used_ = 0;
};

// Tokens of one agent: events per second with a burst of 10 s (custody rule 12).
class EventRate {
  public:
    // How long until there is a token again; 0 = now.
    std::chrono::milliseconds wait(double events_per_second, SteadyTime now);
    void spend(std::uint32_t events) { tokens_ -= events; }

  private:
    double tokens_ = 0;
    std::optional<SteadyTime> last_;
};

struct BusState {
    BusState(const Clock& clock, wal::Log& log, ServerMetrics metrics, ServerLimits limits);

    // Lanes and devices from the log. Where the log was salvaged and states may be behind its
    // records, the lanes are brought up to date from the records first (that appends to the log:
    // before the writer starts).
    Result<> load();

    const Clock& clock;
    wal::Log& log;
    ServerMetrics metrics;
    ServerLimits limits;
    std::shared_ptr<const crypto::TrustMap> trust;
    std::shared_ptr<const crypto::SigningKey> log_key;  // receipts
    std::string log_origin, version;

    LaneTable lanes;
    LaneRivals rivals;
    DeviceRegistry devices;
    HeadTable heads;
    CursorTable cursors;
    // By agent and name: committed without asking for an answer, to be written by the shell.
    std::map<std::pair<std::string, std::string>, Cursor> pending_cursors;
    std::uint64_t subscribers = 0;
    Budget budget;
    std::map<std::string, EventRate, std::less<>> rates;  // by agent
    std::map<std::string, Digest, std::less<>>
        keys_in_flight;                // idempotency keys not yet committed
    std::set<std::uint64_t> starving;  // sessions that wait for credit
    std::uint64_t open_sessions = 0, events_accepted = 0;
    std::multiset<std::string> connected_agents;
    SteadyTime started;

    // Set by the shell every second from the writer's queue and the disk.
    std::optional<Refusal> admission;
    std::string log_trouble;  // the last commit failed: why; empty = it works
    std::uint64_t queued_bytes = 0, free_bytes = 0;
    WalOffset newest;         // record of the log
    WalOffset pruned_before;  // retention is at these or has been
    double events_per_second = 0;

    // Audit records to be written by the shell (bounded: further ones are counted only).
    std::vector<wal::OwnedAppend> audits;
    void audit(wal::OwnedAppend record);

    // Set by the shell: end the session that owns a lane.
    std::function<void(std::uint64_t session, const std::string& reason)> evict;
    std::function<void(std::uint64_t session)> wake;  // it has output although nothing came for it
};

}  // namespace amoskys::link
