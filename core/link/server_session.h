// The bus's end of one session, sans-io: frames and ticks go in; bytes to send, writes for the log
// and the wish to close come out. Created by the shell (server.h) after a TLS handshake, used on
// the io thread only.
//
//   on_frame() ... flush()      for each read; take_write() then has at most one write: hand it to
//   the log's
//                               writer and call on_committed() or on_write_refused() with the
//                               outcome
//   take_read()                 a look into the log for SUBSCRIBE: read_step() of it, on another
//                               thread, then on_read(); again after log_grew()
//   take_output()               bytes to send, in order; closing(): send them, then close
//
// Order in a session: HELLO -> identity, version, lane (the newer of two sessions of a lane wins:
// the older is closed) -> WELCOME once nothing of the lane is with the writer -> PUBLISH ... A
// write carries the records, and the lane's state after them, in one transaction. One write at a
// time: the next collects while it is synced. Acks go out only from on_committed(), as ranges where
// request ids follow each other.
//
// Go-back-N: whatever is not accepted leaves the expected head where it is, so the envelopes after
// it are answered RETRY "waiting for sequence n" without being verified. After a failed write the
// expected head falls back to the committed one.
//
// Limits: envelopes and bytes by credit; output beyond max_output_bytes stops reading
// (wants_input()).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/link/bus_state.h"
#include "core/link/inspection.h"
#include "core/link/subscription.h"
#include "core/wire/envelope.h"
#include "core/wire/frame.h"

namespace amoskys::link {

inline constexpr std::size_t max_output_bytes = 1 << 20;

struct PeerFacts {
    std::string common_name;  // of the client certificate; "" where it has none or several
    std::string address;      // "127.0.0.1:4711"
};

class ServerSession {
  public:
    ServerSession(BusState& bus, std::uint64_t id, PeerFacts peer);
    ~ServerSession();
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;

    void on_frame(ByteView body);
    // Instead of on_frame(), for a frame whose envelope is worth having inspected elsewhere; null
    // for all others. Every inspection comes back by on_inspected(), and all frames in their order.
    std::shared_ptr<Inspection> prepare(ByteView body);
    void on_inspected(Inspection& inspection);
    void on_framing_error(const Error& error);
    void on_slow_frame();  // a frame has not come whole within limits.frame
    void flush();          // after the frames of one read
    void on_committed(const Result<wal::Appended>& result);
    void on_write_refused();  // the writer's queue is full, or it has stopped
    std::optional<ReadStep> take_read();
    void on_read(const ReadResult& result);
    void log_grew();
    bool waits_for_log() const { return subscription_ && subscription_->at_end && !closing_; }
    void tick();           // about once a second: idle, ping, receipts, credit for who waits
    void recheck_trust();  // the trust map changed
    void evict(const std::string& reason);
    void drain(const std::string& reason);
    void disconnected(const std::string& why);  // the connection is gone: gives up lane and credit
    void stalled();                             // the same: the peer did not take our bytes in time
    bool extend_credit();  // budget has become free; true where the session has enough now

    void offer_credit() { grant(); }  // the same, and says so to the client

    std::string take_output();
    bool has_output() const { return !output_.empty(); }
    std::optional<wal::WriteRequest> take_write();  // `done` is for the shell to set
    bool wants_input() const { return output_.size() < max_output_bytes && !closing_; }
    bool closing() const { return closing_; }
    // Envelopes that wait for their answer, and that may be sent before one.
    std::uint64_t unanswered() const { return used_envelopes_ - answered_envelopes_; }
    std::uint64_t window() const { return granted_envelopes_ - answered_envelopes_; }
    bool identified() const { return agent_counted_; }
    bool settled() const { return !in_flight_ && !batch_; }
    const std::string& close_reason() const { return close_reason_; }
    const std::string& agent_id() const { return peer_.common_name; }
    std::uint64_t id() const { return id_; }

  private:
    enum class Phase { hello, waiting_for_lane, open, draining };
    struct Answer {  // one PUBLISH that waits for the commit
        std::uint64_t request_id = 0;
        std::uint64_t size_bytes = 0;
        std::uint32_t events = 0;
        bool duplicate = false;
        SteadyTime arrived;
        bool alone = false;  // requires_acknowledgment: an ACK of its own
    };
    struct Call {  // another request that waits for the commit
        std::uint64_t request_id = 0;
        wire::Frame frame;
        std::function<void()> apply;
    };
    struct Batch {
        wal::WriteRequest write;
        std::vector<Answer> answers;
        std::vector<Call> calls;
        std::vector<SeenEnvelope> seen;
        std::vector<std::string> keys;  // idempotency keys
        std::optional<wire::LaneState> after;
        std::uint64_t gaps = 0;
    };
    struct Request {
        std::uint64_t id = 0;
        std::uint64_t size_bytes = 0;
        ByteView envelope;
    };

    // server_session.cc
    void on_hello(const wire::Frame& frame);
    bool check_identity(const amoskys::bus::Hello& hello);
    void note_rivals(Epoch epoch);
    void claim_lane();
    void open(const std::string& what);
    void send_welcome();
    void on_other(const wire::Frame& frame);
    void send(const wire::Frame& frame);
    void send_error(std::uint64_t request_id, amoskys::bus::ErrorFrame::Code code,
                    const std::string& reason, std::chrono::milliseconds hint = {});
    void fail(amoskys::bus::ErrorFrame::Code code, const std::string& reason);
    void close(const std::string& reason);
    void release();
    bool next_request_id(std::uint64_t id);
    std::string session_name() const;
    void send_receipt();
    void finish_drain();

    // session_head.cc
    void on_head(const amoskys::bus::Head& head);
    std::string head_trouble(const amoskys::bus::Head& head) const;

    // session_publish.cc
    void on_publish(const wire::PublishView& publish);
    bool spend_credit(std::uint64_t size_bytes);
    void publish_universal(const Request& request, Inspection& inspection);
    void publish_legacy(const Request& request);
    void judge_and_append(const Request& request, Inspection& inspection);
    void accept(const Request& request, Inspection& inspection, wire::Verdict verdict);
    const crypto::TrustedKey* usable_key(std::string_view key_id) const;
    bool unsequenced_duplicate(const Request& request, std::string_view agent_key,
                               const Digest& digest, std::string& key32);
    bool admitted(const Request& request);
    void refuse(const Request& request, wire::Status status, std::string reason,
                std::string_view label, std::chrono::milliseconds hint = {},
                std::uint64_t expected = 0);
    void refuse_form(const Request& request, const Error& error);
    void refuse_with_audit(const Request& request, const wire::CutEnvelope& cut,
                           const wire::Verdict& verdict);
    wire::StoredDigest lookup(Epoch epoch, SeqNo sequence);
    void grant();
    void park_idle_credit(SteadyTime now);
    Batch& batch();
    void send_acks(const Batch& done);
    void retry_all(const Batch& failed, wire::Status status, const std::string& reason);
    void drop_keys(const Batch& done);

    // session_calls.cc
    void on_register(const wire::Frame& frame, const messaging::DeviceRegistration& request,
                     bool update);
    void on_deregister(const wire::Frame& frame);
    void on_health(const wire::Frame& frame);
    void on_status(const wire::Frame& frame);
    void on_metrics(const wire::Frame& frame);
    void store_device(const wire::Frame& answer, const std::string& device_id, Device device);
    std::string device_refusal(const std::string& device_id, bool update) const;

    // session_subscribe.cc
    void on_subscribe(const wire::Frame& frame);
    std::string subscribe_refusal(const wire::Frame& frame) const;
    Result<WalOffset> subscription_start(const amoskys::bus::Subscribe& request,
                                         const wal::LogStats& stats, std::string& note) const;
    void keep_cursor_and_ack(const amoskys::bus::Subscribe& request, const std::string& note);
    void on_commit_offset(const wire::Frame& frame);
    void write_cursor(std::uint64_t request_id, const std::string& key, const std::string& name,
                      const std::optional<Cursor>& cursor);
    void on_deliver_credit(const amoskys::bus::Credit& credit);
    void say_blocked();
    void send_progress();
    void tick_subscription();
    void recheck_subscription();
    void end_subscription();

    BusState& bus_;
    const std::uint64_t id_;
    const PeerFacts peer_;
    const crypto::TrustedAgent* agent_ = nullptr;
    std::shared_ptr<const crypto::TrustMap> trust_;  // keeps agent_
    Phase phase_ = Phase::hello;
    Lane* lane_ = nullptr;
    wire::LaneState expected_;  // committed, and what this session has accepted on top
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);

    std::string output_;
    std::optional<Batch> batch_, in_flight_;
    bool write_ready_ = false;  // in_flight_ is to be taken by the shell
    bool closing_ = false, peer_drains_ = false;
    std::string close_reason_, drain_reason_;
    std::uint64_t last_request_id_ = 0;

    std::uint64_t granted_envelopes_ = 0, granted_bytes_ = 0;
    std::uint64_t used_envelopes_ = 0, used_bytes_ = 0;          // sent by the client
    std::uint64_t answered_envelopes_ = 0, answered_bytes_ = 0;  // and answered by us
    bool wants_more_ = false;
    // Credit of an idle session does not count against the budget: it could not be taken back.
    bool parked_ = false;

    std::optional<SteadyTime> last_head_;
    SteadyTime opened_, last_input_, last_publish_, last_ping_, last_receipt_;
    std::uint64_t prepared_ = 0;  // inspections under way, and the sequence of the newest
    SeqNo last_prepared_;
    std::string lookup_key_id_;  // of the envelope at hand: the key that lookup() goes by
    std::uint64_t digest_searches_ = 0;
    SteadyTime digest_searches_since_;
    SeqNo receipt_sequence_;
    Epoch receipt_epoch_;
    bool agent_counted_ = false;
    std::unique_ptr<Subscription> subscription_;
    std::string end_label_;  // why it ended, for the metric
};

}  // namespace amoskys::link
