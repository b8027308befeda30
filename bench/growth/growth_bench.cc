// What an append costs when the log is large: records per second around the first 100 thousand
// records, and around the 10 millionth, of the same log. Small records, so that it is their number
// that is large.
#include <cstdlib>

#include "bench/measure.h"
#include "bench/records.h"
#include "core/base/clock.h"
#include "core/crypto/hash.h"
#include "core/wal/log.h"

using namespace amoskys;
using namespace amoskys::bench;

namespace {

constexpr std::size_t group_records = 256;
constexpr std::size_t small_log = 100'000;
constexpr double bar = 0.85;
constexpr int stretches = 5;  // of small_log records each; their median counts

std::size_t wanted_records() {
    const char* text = std::getenv("AMOSKYS_BENCH_RECORDS");
    return text == nullptr ? 10'000'000 : std::strtoull(text, nullptr, 10);
}

class Growing {
  public:
    explicit Growing(const std::filesystem::path& folder) : log_(need(wal::Log::open(folder, {}))) {
        const auto key =
            std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(Bytes(32, 7)));
        wire::EnvelopeBuilder lane("edge-1", "snmp", key, {{1000}, {0}, {}});
        work_ = signed_records(lane, 2048, 1);
        for (const auto& envelope : work_.envelopes)
            digests_.push_back(crypto::sha256(as_bytes(envelope)));
    }

    // Appends until there are so many; records per second of doing so.
    double grow_to(std::size_t records) {
        const Stopwatch watch;
        const std::size_t before = records_;
        while (records_ < records) {
            wal::Group group;
            for (std::size_t i = 0; i < group_records; ++i, ++records_) {
                const auto at = records_ % work_.envelopes.size();
                wal::Append record;
                record.stored = as_bytes(work_.envelopes[at]);
                record.digest = digests_[at];
                record.signature = signature_;
                record.first_event_ns = record.last_event_ns = system_clock().now_ns();
                record.device_hashes = std::span(&device_hash_, 1);
                group.records.push_back(record);
            }
            need(log_->append(group));
        }
        return static_cast<double>(records_ - before) / watch.seconds();
    }
    double median_of_stretches() {
        std::vector<double> out;
        for (int i = 0; i < stretches; ++i)
            out.push_back(grow_to(records_ + small_log));
        return median(out);
    }
    std::size_t bytes_each() const { return work_.bytes / work_.envelopes.size(); }

  private:
    std::unique_ptr<wal::Log> log_;
    Signed work_;
    std::vector<Digest> digests_;
    const Bytes signature_ = Bytes(64, 7);
    const std::uint64_t device_hash_ = wal::device_hash("switch-1");
    std::size_t records_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const Form form = form_of(argc, argv);
    const ScratchFolder folder;
    const std::size_t large = wanted_records();
    Growing log(folder.path() / "log");
    log.grow_to(small_log);
    const double small_rate = log.median_of_stretches();
    log.grow_to(large);
    const double large_rate = log.median_of_stretches();
    const std::string name = "append behind " + std::to_string(large) + " records";
    print({{name, "records/s", large_rate, small_rate, "the same behind 100,000"},
           {"its ratio against its limit", "", large_rate / small_rate, bar, "wanted at least"}},
          {"Envelopes of " + std::to_string(log.bytes_each()) + " bytes in groups of " +
           std::to_string(group_records) + "; medians of " + std::to_string(stretches) +
           " stretches of 100,000."},
          form);
    return 0;
}
