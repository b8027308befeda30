// The settings of the bus (config root "bus"). Defaults stand here and nowhere else.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/config/option.h"

namespace amoskys::ingestion {

struct BusConfig {
    std::string listen = "127.0.0.1:50051";
    std::string http_listen = "127.0.0.1:9000";
    std::vector<std::string> http_further_listen;
    bool http_metrics = true;
    std::string pki_dir;  // empty = <state_dir>/pki
    config::Size max_envelope_bytes{131072};
    std::uint64_t max_inflight = 100;
    std::uint64_t hard_max_inflight = 500;
    std::uint64_t max_sessions = 4096;
    std::uint64_t max_sessions_per_agent = 128;
    std::uint64_t max_unauthenticated = 1024;
    std::uint64_t max_unauthenticated_per_address = 64;
    std::string overload = "auto";
    Duration dedup_window = std::chrono::seconds(300);
    std::uint64_t dedup_keys = 50000;
    Duration handshake_timeout = std::chrono::seconds(5);
    Duration first_frame_timeout = std::chrono::seconds(5);
    Duration frame_timeout = std::chrono::seconds(30);
    Duration ping_after = std::chrono::seconds(30);
    Duration idle_timeout = std::chrono::seconds(300);
    Duration stalled_write_timeout = std::chrono::seconds(4);
    Duration drain_timeout = std::chrono::seconds(5);
    Duration receipt_interval = std::chrono::seconds(10);
    Duration checkpoint_every = std::chrono::seconds(10);
    config::Size wal_segment_max{1ULL << 30};
    Duration wal_segment_max_age = std::chrono::hours(24);
    Duration watch_interval = std::chrono::seconds(2);
    config::Size wal_min_free{64ULL << 20};
    config::Size wal_queue_max{64ULL << 20};
    Duration retention_max_age{};
    config::Size retention_max_bytes{0};
    std::uint64_t retention_max_records = 0;
    std::uint64_t max_subscribers = 64;
    Duration slow_reader_timeout = std::chrono::seconds(60);
};

std::span<const config::Option> bus_options();

}  // namespace amoskys::ingestion
