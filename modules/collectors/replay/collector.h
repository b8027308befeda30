// `agent replay FILE...`: recorded metrics into the pipeline, at full speed or at the pace they
// were recorded in. Validates all files before it publishes anything; always ends by itself. Made
// by the module table; lives as long as the agent. All on the io thread; emit() gives way to the
// rest of the process.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "modules/collectors/replay/decoder.h"
#include "modules/collectors/replay/source.h"

namespace amoskys::replay {

struct ReplayConfig {
    std::vector<std::string> files;
    std::string pace = "max";
    std::string format = "auto";
    std::string time_unit = "auto";
    std::string device_type = "ENDPOINT";
};

// A record is emitted when it has so many values, or about so many bytes.
inline constexpr int max_record_values = 1000;
inline constexpr std::size_t max_record_bytes = 48 * 1024;

extern const std::span<const metrics::MetricInfo> replay_metrics;

// Puts rows into records: consecutive rows of one device and time make one record.
class RecordBuilder {
  public:
    explicit RecordBuilder(std::string device_type) : device_type_(std::move(device_type)) {}
    // True where the row does not belong to the record that has begun, or that one is full: take()
    // it first.
    bool must_take_before(const Row& row) const;
    void add(const Row& row);
    bool empty() const { return record_.events_size() == 0; }
    messaging::DeviceTelemetry take();

  private:
    void add(const Value& value);

    std::string device_type_;
    messaging::DeviceTelemetry record_;
    std::size_t bytes_ = 0;
};

struct Totals {
    std::uint64_t files = 0, rows = 0, values = 0, records = 0, skipped = 0;
};

class ReplayCollector final : public module::Collector {
  public:
    static Result<std::unique_ptr<module::Collector>> make(const module::CollectorContext& context);
    io::Task<Result<>> run(module::Emitter& emitter) override;

  private:
    explicit ReplayCollector(const module::CollectorContext& context);
    Error no_rows() const;
    io::Task<Result<>> validate(Source& source);
    io::Task<Result<>> publish(Source& source, module::Emitter& emitter);
    io::Task<Result<>> send(module::Emitter& emitter);
    io::Task<bool> wait_for(UnixNanos time_ns);
    void report(Duration took) const;

    const module::CollectorContext context_;
    std::shared_ptr<const ReplayConfig> config_;
    Format format_ = Format::detect;
    TimeUnit time_unit_ = TimeUnit::by_column;
    std::uint64_t valid_rows_ = 0, valid_skipped_ = 0;  // of all files, before any is published
    RecordBuilder builder_;
    Totals totals_;
    struct Pace {
        UnixNanos first_ns = 0;
        std::chrono::steady_clock::time_point began;
    };
    std::optional<Pace> pace_;  // from the first row on, with --pace recorded
    bool stopped_ = false;
};

}  // namespace amoskys::replay
