// An agent's spool: signed envelopes of one lane, durable before anything is sent (a wal in
// <state>/spool/LANE). It is the Source of link::Client. One process and one thread (the io thread)
// use it; commits run on the wal's writer thread, one at a time: the next group forms meanwhile.
// Lifetime: longer than the client that reads from it.
//
// Sync: an appended envelope is committed at once, or, with sync_interval, together with what
// comes until then (at the latest after sync_bytes). A power cut costs what no commit has returned
// for; wait_durable() waits for that.
//
// Full (max_bytes): drop_oldest replaces the oldest envelopes that were not handed out for sending
// by one signed gap marker with their count; stop makes wait_room() wait until the bus has taken
// some. A disk that is full makes it wait too, until space returns.
//
// What the bus has acknowledged is kept until its last-but-one receipt covers it (at most 16 MiB or
// an eighth of max_bytes): a bus that comes back with less is sent that again.
//
// State in the log:  "writer"  epoch and why it began, last sequence, signature, digest, pieces of
//                              the sequence -> offset map
//                    "acked"   epoch, sequence, signature that the bus has acknowledged
//                    "gap/N"   gap markers in place of sequences N..
//                    "bus/", "pin/"  bus_memory.h
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/io/runtime.h"
#include "core/json/json.h"
#include "core/link/client.h"
#include "core/module/bus_memory.h"
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
    Duration sync_interval{};  // 0 = each envelope at once
    std::uint64_t sync_bytes = 1 << 20;
    std::vector<PublicKey>
        log_keys;  // the only ones that a bus may show; empty: pinned on first use
};

struct SpoolStats {
    std::uint64_t pending_envelopes = 0, pending_bytes = 0, kept_bytes = 0;
    std::uint64_t dropped_envelopes = 0, dropped_events = 0, dropped_bytes = 0,
                  rejected_envelopes = 0, unreadable_envelopes = 0, epochs_started = 0,
                  rollbacks = 0, commits = 0;
    std::string trouble;  // the disk is full: appended envelopes wait in memory
};

// The disk has no room: it passes by itself when space returns.
bool is_full_disk(const Error& error);

class Spool final : public link::Source {
  public:
    static constexpr std::string_view log_component = "spool";

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
    Result<> close();  // what was appended and the cursor are on disk; stops the writer

    Position position() const override;
    Result<SeqNo> resume(const BusHead& head) override;
    Result<std::optional<Item>> next(SeqNo after) override;
    void committed(SeqNo last) override;
    Result<> reject(SeqNo sequence, const std::string& reason) override;
    void keep(const amoskys::bus::Receipt& receipt) override;
    std::optional<amoskys::bus::Head> signed_head(Duration interval) override;
    void session_ended() override;
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
    struct Group {  // envelopes that are committed together
        std::vector<wal::OwnedAppend> records;
        std::uint64_t bytes = 0;
        SeqNo last;
        Digest digest{};    // of the last
        std::string state;  // "writer" after the last
        std::optional<Result<wal::Appended>> outcome;
        bool handled = false;
    };
    struct Restart {
        std::string why;
        SeqNo from;               // what comes after it is signed again
        std::optional<Gap> lost;  // what a bus lost and nobody has any more
    };
    struct Draft;  // of a new epoch, spool_epoch.cc

    Spool(io::asio::io_context& io, SpoolOptions options, std::unique_ptr<wal::Log> log);
    Result<> load();
    bool load_writer(const Json& state);
    Result<> load_gaps();
    Result<> load_records();
    void start_lane();
    void write_group();
    void submit_group();
    void on_written(Group& group);
    void arm_timer(Duration after);
    Result<> settle();
    Result<> write_now(wal::WriteRequest request);
    void submit_states(std::vector<wal::StateUpdate> states);
    wal::StateUpdate acked_state() const;
    static wal::StateUpdate gap_state(const Gap& gap);
    wal::OwnedAppend record_of(std::string envelope, const wire::CutEnvelope& cut) const;
    void wake();

    // spool_lane.cc
    bool fits(const BusHead& head);
    Result<Bytes> signature_of(SeqNo sequence);
    Result<std::string> stored(SeqNo sequence);
    WalOffset offset_of(SeqNo sequence) const;
    std::optional<SeqNo> sequence_at(WalOffset offset) const;
    void trim();
    void prune_before(WalOffset before);
    void release_kept(SeqNo up_to);
    std::optional<Promise> broken_promise(const BusHead& head) const;
    Result<Restart> after_rollback(const BusHead& head, const Promise& promise);
    std::uint64_t first_pending() const { return acked_.value + 1; }

    // spool_epoch.cc
    static std::string writer_state(const wire::WriterState& state, const Bytes& epoch_prev,
                                    const std::string& reason, const std::vector<Piece>& pieces);
    Result<> write_epoch(Draft& draft, Restart restart);
    Result<> start_epoch(const BusHead& head, Restart restart);
    Result<> copy_gap(Draft& draft, Gap gap);
    Result<> copy_envelope(Draft& draft, SeqNo sequence);
    Result<> write_draft(Draft& draft);

    // spool_loss.cc
    Result<> cut_gap(SeqNo committed, const Bytes& signature);
    Result<> add_gap(Gap gap);
    Result<> lose_unreadable(SeqNo first);
    Result<> make_room(std::uint64_t bytes);
    Result<> drop_oldest(std::uint64_t bytes);

    io::asio::io_context& io_;
    SpoolOptions options_;
    std::unique_ptr<wal::Log> log_;
    std::unique_ptr<wal::Writer> writer_;
    std::unique_ptr<wire::EnvelopeBuilder> builder_;
    Bytes epoch_prev_signature_;  // prev_sig of the epoch's first envelope
    std::string epoch_reason_;
    std::vector<Piece> pieces_;
    std::map<std::uint64_t, Gap> gaps_;  // by first sequence
    std::uint64_t newest_offset_ = 0;    // of what was queued
    SeqNo durable_, acked_, sent_;
    Digest durable_digest_{};
    Bytes acked_signature_;
    std::map<std::uint64_t, std::uint64_t> sizes_;  // pending sequence -> bytes
    std::map<std::uint64_t, std::uint64_t> kept_;   // the last acknowledged ones, without a hole
    BusMemory buses_;
    KnownBus* bus_ = nullptr;  // of the session that is open

    Group forming_;
    std::shared_ptr<Group> writing_;
    bool due_ = false;  // forming_ is to be written as soon as nothing else is
    bool timer_armed_ = false;
    io::asio::steady_timer timer_;
    SpoolStats stats_;
    std::uint64_t queued_bytes_ = 0;
    std::optional<Error> failed_;
    std::chrono::steady_clock::time_point last_trim_{};
    io::Event more_;    // something was committed
    io::Event change_;  // something was committed or acknowledged
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace amoskys::module
