// Signed envelopes in memory as a link::Source, all at once or at a fixed rate. Used by the bus
// benchmark's publisher; on its io thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/link/client.h"

namespace amoskys::bench {

inline constexpr Epoch lane_epoch{1'700'000'000'000};

class MemorySource final : public link::Source {
  public:
    using Steady = std::chrono::steady_clock;

    // rate_per_second 0 = all at once. `envelopes` outlives the source.
    MemorySource(io::asio::io_context& io, const std::vector<std::string>& envelopes,
                 double rate_per_second);

    Position position() const override;
    Result<SeqNo> resume(const BusHead& head) override;
    Result<std::optional<Item>> next(SeqNo after) override;
    void committed(SeqNo last) override;
    Result<> reject(SeqNo sequence, const std::string& reason) override;
    void keep(const amoskys::bus::Receipt& receipt) override;
    std::optional<amoskys::bus::Head> signed_head(Duration interval) override;
    void session_ended() override;
    io::Task<> wait_for_more() override;

    // Releases what is due, until cancelled; needed where there is a rate.
    io::Task<Result<>> pace();

    bool done() const { return acked_.value >= envelopes_.size(); }
    double seconds() const;  // from the first envelope handed out to the last acknowledged
    // From the time at which an envelope was due to its acknowledgement, of all after the first
    // half second. A publisher that falls behind is not excused.
    const std::vector<double>& latencies_ms() const { return latencies_ms_; }

  private:
    double since_start() const;

    io::Event more_;
    const std::vector<std::string>& envelopes_;
    const double rate_per_second_;
    std::size_t released_;
    SeqNo acked_;
    bool started_ = false;
    Steady::time_point start_, end_;
    std::vector<double> latencies_ms_;
};

}  // namespace amoskys::bench
