// `amoskys etl`: options, and a run over a log into a folder. Used by the tool
// and its tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/json/json.h"
#include "core/module/extractor.h"
#include "core/wire/event.h"
#include "modules/transformation/etl/batch.h"
#include "modules/transformation/etl/outputs.h"
#include "modules/transformation/etl/parts.h"

namespace amoskys::etl {

// etl.* in the configuration.
struct EtlConfig {
    Duration window = std::chrono::seconds(60);
    Duration step = std::chrono::seconds(30);
    std::string align = "epoch";
    std::string fill = "none";
    Duration lateness = std::chrono::minutes(10);
    std::string partial = "drop";
    double validation = 0.2;
    std::vector<std::string> key_metrics = {"cpu_avg_pct", "memory_used_pct", "net_bytes_in",
                                            "disk_io_total", "proc_count"};
    std::vector<std::string> thresholds = {
        "cpu_avg=80",         "cpu_avg_pct=80", "memory_percent=85", "memory_used_pct=85",
        "disk_io_total=1000", "connections=50", "net_bytes_out=1e7"};
    std::string time_zone = "UTC";
    std::uint64_t top_interfaces = 0;
    std::vector<std::string> one_hot;
    std::string scale = "robust";
    std::vector<std::string> log_metrics = {
        "net_bytes_in", "net_bytes_out",       "disk_io_total",     "proc_count",
        "swap_used_kb", "network_total_bytes", "network_total_mbps"};
    std::string format = "both";
    std::string compression = "snappy";
    std::uint64_t digits = 9;
};

// Options of one run.
struct RunConfig {
    std::string out;
    std::string since, until;
    std::vector<std::string> device;
    std::string baseline;
    bool follow = false;
    bool incremental = false;
    Duration every = std::chrono::minutes(1);
    std::string partition = "date";
};

// A place that gives the events of a log, in the order of the log, as often as
// it is asked.
class EventSource {
  public:
    using Visit = std::function<void(const wire::Event&, UnixNanos received_ns)>;
    virtual ~EventSource() = default;
    Result<> read(const Visit& visit) { return read_after(0, visit); }
    // What comes after the record of this number (from 1), up to end().
    virtual Result<> read_after(std::uint64_t position, const Visit& visit) = 0;
    // The number of the last record that there was when one looked; 0 where there was none.
    virtual std::uint64_t end() const = 0;
    // Waits so long, then looks again; false where there will never be more.
    virtual bool look_again(Duration wait) = 0;
    // What tells the record of this number from that of another log; "" where it is not there.
    virtual std::string mark(std::uint64_t position) = 0;
    // Everything, and what is added to the log from then on, until `visit` says false.
    using Watch = std::function<bool(const wire::Event&, UnixNanos received_ns)>;
    virtual Result<> follow(const Watch& visit) = 0;
    virtual Json description() const = 0;  // {"kind": "wal", "path": ..., "records": n, ...}
};

struct RunRequest {
    std::filesystem::path folder;  // made where it does not exist
    BatchOptions batch;
    std::optional<Baselines> baselines;  // instead of fitting
    std::size_t top_interfaces = 0;
    bool scaled = false;  // train_features and val_features
    std::vector<std::string> log_metrics;
    ExportOptions files;
    Partition partition;
    wire::EventFilter filter;
    UnixNanos now_ns = 0;  // execution_date of the summary
    std::vector<const module::ExtractorKind*> extractors;
    std::function<void(std::uint64_t)> writing;  // rows written so far
};

// Held while a run writes into a folder; unavailable where another etl has it.
Result<FileDescriptor> lock_folder(const std::filesystem::path& folder);

Json window_json(const EngineOptions& options);

// The request's batch options with the interfaces that are to be kept apart: those of its
// baselines, or else measured, for which the source is read.
Result<BatchOptions> batch_options(EventSource& source, const RunRequest& request);

// Writes the files of outputs.h and returns the summary. The folder is locked during the run
// (unavailable where another etl has it). On an error each file under its final name is the old one
// or the new one, whole.
Result<Json> run(EventSource& source, const RunRequest& request);

// "device" or "protocol".
Result<> check_one_hot(std::string_view text);

// "cpu_avg_pct=80".
Result<std::pair<std::string, double>> parse_threshold(std::string_view text);

Result<> check_threshold(std::string_view text);

// The options as the engine wants them; usage error where they contradict each
// other.
Result<RunRequest> make_request(const EtlConfig& config, const RunConfig& run, UnixNanos now_ns);

}  // namespace amoskys::etl
