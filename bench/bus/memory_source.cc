#include "bench/bus/memory_source.h"

#include <algorithm>

namespace amoskys::bench {

namespace {
constexpr double warm_up_seconds = 0.5;
constexpr auto pace_interval = std::chrono::microseconds(200);
}  // namespace

MemorySource::MemorySource(io::asio::io_context& io, const std::vector<std::string>& envelopes,
                           double rate_per_second)
    : more_(io),
      envelopes_(envelopes),
      rate_per_second_(rate_per_second),
      released_(rate_per_second > 0 ? 0 : envelopes.size()) {}

link::Source::Position MemorySource::position() const {
    return {lane_epoch, acked_, {}, {envelopes_.size()}};
}

Result<SeqNo> MemorySource::resume(const BusHead& head) {
    start_ = Steady::now();
    started_ = true;
    return head.epoch == lane_epoch ? head.sequence : SeqNo{0};
}

Result<std::optional<link::Source::Item>> MemorySource::next(SeqNo after) {
    if (after.value >= released_)
        return std::optional<Item>();
    return std::optional<Item>(Item{after.next(), envelopes_[after.value]});
}

void MemorySource::committed(SeqNo last) {
    if (rate_per_second_ > 0) {
        const double now = since_start();
        for (std::uint64_t sequence = acked_.value; sequence < last.value; ++sequence) {
            const double due = static_cast<double>(sequence) / rate_per_second_;
            if (due >= warm_up_seconds)
                latencies_ms_.push_back((now - due) * 1e3);
        }
    }
    acked_ = std::max(acked_, last);
    if (done())
        end_ = Steady::now();
}

Result<> MemorySource::reject(SeqNo, const std::string& reason) {
    return make_error(ErrorKind::internal, "bench_rejected", reason);
}

void MemorySource::keep(const amoskys::bus::Receipt&) {}  // nothing to compare them with later

std::optional<amoskys::bus::Head> MemorySource::signed_head(Duration) {
    return std::nullopt;
}

void MemorySource::session_ended() {}  // it has no limit that would make it drop anything

io::Task<> MemorySource::wait_for_more() {
    co_await more_.wait();
}

io::Task<Result<>> MemorySource::pace() {
    while (true) {
        const bool slept = co_await io::sleep_for(pace_interval);
        if (!slept)
            co_return Result<>();
        if (!started_)
            continue;
        const auto due = static_cast<std::size_t>(since_start() * rate_per_second_) + 1;
        if (due > released_ && released_ < envelopes_.size()) {
            released_ = std::min(due, envelopes_.size());
            more_.notify();
        }
    }
}

double MemorySource::since_start() const {
    return std::chrono::duration<double>(Steady::now() - start_).count();
}

double MemorySource::seconds() const {
    return std::chrono::duration<double>(end_ - start_).count();
}

}  // namespace amoskys::bench
