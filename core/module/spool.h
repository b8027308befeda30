// An agent's spool: signed envelopes of one lane, durable before anything is sent (a wal in
// <state>/spool/LANE). It is the Source of link::Client. One process and one thread (the io thread)
// use it; commits run on the wal's writer thread. Lifetime: longer than the client that reads from
// it.
//
// Full (spool_max_bytes): drop_oldest replaces the oldest envelopes that were not handed out for
// sending by one signed gap marker with their count; stop makes wait_room() wait until the bus has
// taken some.
//
// State in the log:  "writer"  epoch, last sequence and signature, pieces of the sequence -> offset
// map
//                    "acked"   epoch, sequence, signature that the bus has acknowledged
//                    "gap/N"   gap markers in place of sequences N..
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/io/runtime.h"
#include "core/link/client.h"
#include "core/wal/writer.h"
#include "core/wire/builder.h"

namespace amoskys::module {

enum class WhenFull { drop_oldest, stop };

struct SpoolOptions {
    std::filesystem::path folder;
    std::string agent_id, lane;
    std::shared_ptr<const crypto::SigningKey> key;
    std::uint64_t max_bytes = 209'715'200;
    std::uint64_t min_free_bytes = 0;
    WhenFull when_full = WhenFull::drop_oldest;
    const Clock* clock = nullptr;
};

struct SpoolStats {
    std::uint64_t pending_envelopes = 0, pending_bytes = 0;
    std::uint64_t dropped_envelopes = 0, dropped_events = 0, dropped_bytes = 0,
                  rejected_envelopes = 0, epochs_started = 0;
};

class Spool final : public link::Source {
  public:
    static Result<std::unique_ptr<Spool>> open(io::asio::io_context& io, SpoolOptions options);
    ~Spool() override;

    struct Payload {
        wire::PayloadKind kind = wire::PayloadKind::batch;
        std::string bytes;
        std::uint64_t events = 0;
        std::uint64_t first_event_ns = 0, last_event_ns = 0;
        wire::Priority priority = wire::Priority::normal;
    };
    // Signs and queues for the disk; returns the sequence. Call wait_room() before, wait_durable()
    // where the caller must know that it is on disk.
    Result<SeqNo> append(const Payload& payload);
    io::Task<Result<>> wait_room();
    io::Task<Result<>> wait_durable();
    // True once the bus has all of the current epoch; false where nothing was acknowledged for so
    // long.
    io::Task<bool> wait_acked_all(Duration patience);
    // From the next envelope on; what is in the spool keeps its signatures.
    void use_key(std::shared_ptr<const crypto::SigningKey> key);
    Result<> close();  // writes the cursor, stops the writer

    Position position() const override;
    Result<SeqNo> resume(const BusHead& head) override;
    Result<std::optional<Item>> next(SeqNo after) override;
    void committed(SeqNo last) override;
    Result<> reject(SeqNo sequence, const std::string& reason) override;
    io::Task<> wait_for_more() override;

    SpoolStats stats() const;

  private:
    struct Piece {  // offset = sequence + delta for sequences from `first` on
        std::uint64_t first = 1;
        std::int64_t delta = 0;
    };
    struct Gap {
        wire::EnvelopeBuilder::Gap marker;
        std::vector<std::uint32_t> head_events;  // events of its first envelopes, see resume()
        std::uint64_t ts_ns = 0;
        std::string envelope;
    };

    Spool(io::asio::io_context& io, SpoolOptions options, std::unique_ptr<wal::Log> log);
    Result<> load();
    Result<> start_lane(const Bytes& prev_signature, Epoch at_least);
    Result<> start_epoch(const BusHead& head, SeqNo from, const std::string& why);
    Result<> copy_pending(const std::vector<std::pair<std::uint64_t, std::string>>& old,
                          std::vector<Gap> old_gaps);
    bool fits(const BusHead& head);
    Result<Bytes> signature_of(SeqNo sequence);
    Result<std::string> stored(SeqNo sequence);
    WalOffset offset_of(SeqNo sequence) const;
    std::optional<SeqNo> sequence_at(WalOffset offset) const;
    Result<> cut_gap(SeqNo committed, const Bytes& signature);
    Result<> add_gap(Gap gap);
    Result<> make_room(std::uint64_t bytes);
    Result<> drop_oldest(std::uint64_t bytes);
    Result<> write_now(wal::WriteRequest request);
    void submit(wal::WriteRequest request);
    std::string writer_state() const;
    wal::StateUpdate acked_state() const;
    static wal::StateUpdate gap_state(const Gap& gap);
    void trim();
    void wake();
    std::uint64_t first_pending() const;

    io::asio::io_context& io_;
    SpoolOptions options_;
    std::unique_ptr<wal::Log> log_;
    std::unique_ptr<wal::Writer> writer_;
    std::unique_ptr<wire::EnvelopeBuilder> builder_;
    Bytes epoch_prev_signature_;  // prev_sig of the epoch's first envelope
    std::vector<Piece> pieces_;
    std::map<std::uint64_t, Gap> gaps_;  // by first sequence
    std::uint64_t newest_offset_ = 0;    // of what was queued
    SeqNo durable_, acked_, sent_;
    Bytes acked_signature_;
    std::map<std::uint64_t, std::uint64_t> sizes_;  // pending sequence -> bytes
    SpoolStats stats_;
    std::uint64_t queued_bytes_ = 0;
    std::optional<Error> failed_;
    std::chrono::steady_clock::time_point last_trim_{};
    io::Event more_;    // something was appended
    io::Event change_;  // something was committed or acknowledged
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace amoskys::module
