// Append and sequential read of the log. Append: against a bare LMDB loop on the same disk, rounds
// in turn, medians. Read: against the rates that are wanted of one core. Opening: open_bench.h.
#include <algorithm>

#include "bench/measure.h"
#include "bench/records.h"
#include "bench/wal/lmdb_peer.h"
#include "bench/wal/open_bench.h"
#include "core/base/clock.h"
#include "core/crypto/hash.h"
#include "core/wal/log.h"
#include "core/wire/event.h"

using namespace amoskys;
using namespace amoskys::bench;

namespace {

constexpr int rounds = 7;
constexpr std::size_t map_bytes = 4ULL << 30;
constexpr double header_bar = 1'000'000, decode_bar = 250'000;

// What is appended, round after round: `groups` groups of `group` records.
struct Work {
    std::string name;
    Signed from;
    std::size_t group = 0, groups = 0;
    std::vector<Digest> digests;
};

Work work(std::string name, Signed from, std::size_t group, std::size_t groups) {
    Work out{std::move(name), std::move(from), group, groups, {}};
    for (const auto& envelope : out.from.envelopes)
        out.digests.push_back(crypto::sha256(as_bytes(envelope)));
    return out;
}

const Bytes signature(64, 7);

struct Both {
    Both(const std::filesystem::path& folder, const Work& work_)
        : work(work_), peer(folder / "peer", map_bytes) {
        wal::Options options;
        options.map_bytes = map_bytes;
        log = need(wal::Log::open(folder / "ours", options));
    }
    // Each gives records per second of one round.
    double ours() {
        const Stopwatch watch;
        for (std::size_t g = 0; g < work.groups; ++g) {
            wal::Group group;
            for (std::size_t i = 0; i < work.group; ++i) {
                const auto at = (g * work.group + i) % work.from.envelopes.size();
                wal::Append record;
                record.stored = as_bytes(work.from.envelopes[at]);
                record.digest = work.digests[at];
                record.signature = signature;
                record.first_event_ns = record.last_event_ns = system_clock().now_ns();
                record.device_hashes = std::span(&device_hash, 1);
                group.records.push_back(record);
            }
            need(log->append(group));
        }
        return static_cast<double>(work.group * work.groups) / watch.seconds();
    }
    double theirs() {
        const Stopwatch watch;
        std::vector<PeerRecord> group(work.group);
        for (std::size_t g = 0; g < work.groups; ++g) {
            for (std::size_t i = 0; i < work.group; ++i) {
                const auto at = (g * work.group + i) % work.from.envelopes.size();
                group[i] = {as_bytes(work.from.envelopes[at]), work.digests[at], signature,
                            device_hash};
            }
            peer.append(group);
        }
        return static_cast<double>(work.group * work.groups) / watch.seconds();
    }

    const Work& work;
    const std::uint64_t device_hash = wal::device_hash("switch-1");
    std::unique_ptr<wal::Log> log;
    LmdbPeer peer;
};

Row append_row(Both& both) {
    std::vector<double> ours, peer;
    for (int round = 0; round < rounds; ++round) {
        // Who goes first changes, because the disk remembers who wrote before.
        if (round % 2 == 0) {
            ours.push_back(both.ours());
            peer.push_back(both.theirs());
        } else {
            peer.push_back(both.theirs());
            ours.push_back(both.ours());
        }
    }
    return {both.work.name, "records/s", median(ours), median(peer), "bare LMDB loop"};
}

double read_headers(wal::Log& log) {
    const Stopwatch watch;
    std::uint64_t records = 0, sum = 0;
    need(log.read({1}, UINT64_MAX, [&](const wal::RecordView& record) {
        ++records;
        sum += record.header.received_ns;
        return true;
    }));
    return sum == 0 ? 0 : static_cast<double>(records) / watch.seconds();
}

// Stored records per second; events per second too.
std::pair<double, double> read_decoded(wal::Log& log) {
    const Stopwatch watch;
    std::uint64_t records = 0, events = 0;
    wire::EventDecoder decoder;
    need(log.read({1}, UINT64_MAX, [&](const wal::RecordView& record) {
        ++records;
        decoder.decode(record.header.kind, record.stored, record.header.offset.value,
                       [&](const wire::Event&) {
                           ++events;
                           return true;
                       });
        return true;
    }));
    const double seconds = watch.seconds();
    return {static_cast<double>(records) / seconds, static_cast<double>(events) / seconds};
}

std::vector<Row> read_rows(wal::Log& small, wal::Log& large, double records_per_large) {
    std::vector<double> headers, decoded, events, batched;
    for (int round = 0; round < rounds; ++round) {
        headers.push_back(read_headers(small));
        const auto [records, each] = read_decoded(small);
        decoded.push_back(records);
        events.push_back(each);
        batched.push_back(read_decoded(large).first * records_per_large);
    }
    return {{"read, header only, 1.2 KB", "records/s", median(headers), header_bar, "wanted"},
            {"read, decoded, 1.2 KB", "records/s", median(decoded), decode_bar, "wanted"},
            {"read, decoded, 112 KB, 29-metric records", "records/s", median(batched), decode_bar,
             "wanted"},
            {"read, decoded, 1.2 KB", "events/s", median(events), 0, ""}};
}

}  // namespace

int main(int argc, char** argv) {
    const Form form = form_of(argc, argv);
    const ScratchFolder folder;
    const auto key =
        std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(Bytes(32, 7)));
    wire::EnvelopeBuilder one_lane("edge-1", "snmp", key, {{1000}, {0}, {}});
    wire::EnvelopeBuilder batch_lane("edge-1", "batch", key, {{1000}, {0}, {}});

    // As many metrics as make an envelope of 1.2 KB.
    const Work small =
        work("append 1.2 KB in groups of 256", signed_records(one_lane, 2048, 12), 256, 24);
    const Work large =
        work("append 112 KB in groups of 16", signed_batches(batch_lane, 64), 16, 16);

    std::vector<Row> rows;
    Both small_logs(folder.path() / "small", small), large_logs(folder.path() / "large", large);
    rows.push_back(append_row(small_logs));
    rows.push_back(append_row(large_logs));
    const auto bytes_each = [](const Signed& of) { return of.bytes / of.envelopes.size(); };
    Row megabytes = rows.back();
    const double mb = static_cast<double>(bytes_each(large.from)) / 1e6;
    rows.push_back(
        {megabytes.name, "MB/s", megabytes.ours * mb, megabytes.peer * mb, megabytes.peer_name});
    const std::size_t per_large = large.from.records / large.from.envelopes.size();
    for (Row& row : read_rows(*small_logs.log, *large_logs.log, static_cast<double>(per_large)))
        rows.push_back(std::move(row));
    for (Row& row : open_rows(folder.path() / "open", large.from))
        rows.push_back(std::move(row));
    print(rows,
          {"Envelopes: " + std::to_string(bytes_each(small.from)) + " bytes with 12 metrics; " +
           std::to_string(bytes_each(large.from)) + " bytes with " + std::to_string(per_large) +
           " records of " + std::to_string(record(1, record_metrics).size()) + " bytes."},
          form);
    return 0;
}
