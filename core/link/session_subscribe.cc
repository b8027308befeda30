// SUBSCRIBE, DELIVER, COMMIT_OFFSET: the log's way to a reader, by credit.
#include <algorithm>

#include "core/base/text.h"
#include "core/link/server_session.h"
#include "core/log/log.h"

namespace amoskys::link {
namespace {

using amoskys::bus::ErrorFrame;
using namespace std::chrono_literals;

// A step is asked for while less than this waits for the peer, and brings about as much.
constexpr std::size_t low_water_bytes = 256 << 10;
constexpr auto progress_interval = 1s;

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

}  // namespace

// The record to begin with; 0 = by time.
Result<WalOffset> ServerSession::subscription_start(const amoskys::bus::Subscribe& request,
                                                    const wal::LogStats& stats,
                                                    std::string& note) const {
    const auto newest = stats.newest.value;
    if (request.has_from_time_ns())
        return WalOffset{0};
    std::uint64_t wanted = newest + 1;
    if (request.has_from_sequence()) {
        wanted = request.from_sequence();
        if (wanted == 0 || wanted > newest + 1)
            return make_error(ErrorKind::usage, "bad_start",
                              "from_sequence " + number(wanted) + "; allowed: 1 to " +
                                  number(newest + 1) + ", one behind the newest record");
    } else if (const auto* cursor = bus_.cursors.find(peer_.common_name, request.cursor());
               cursor != nullptr) {
        wanted = cursor->done.value + 1;
        if (wanted > newest + 1)
            return make_error(ErrorKind::usage, "cursor_ahead",
                              "cursor '" + request.cursor() + "' is at " +
                                  number(cursor->done.value) + ", the log ends at " +
                                  number(newest) + ": the log is not the one it was made for; " +
                                  "forget the cursor");
    }
    const auto oldest = std::max(stats.oldest, bus_.pruned_before).value;
    if (wanted < oldest) {
        note = "records " + number(wanted) + " to " + number(oldest - 1) +
               " were pruned; going on with " + number(oldest);
        wanted = oldest;
    }
    return WalOffset{wanted};
}

std::string ServerSession::subscribe_refusal(const wire::Frame& frame) const {
    const auto& request = frame.subscribe();
    if (subscription_)
        return "this session has a subscription; another one needs another connection";
    if (bus_.subscribers >= bus_.limits.max_subscribers)
        return number(bus_.limits.max_subscribers) + " subscribers are connected, the limit";
    if (request.cursor().empty())
        return request.hold() ? "hold needs a cursor" : "";
    if (!valid_cursor_name(request.cursor()))
        return "cursor '" + excerpt(request.cursor()) + "'; allowed: [A-Za-z0-9._-]{1,64}";
    if (bus_.cursors.find(peer_.common_name, request.cursor()) == nullptr &&
        bus_.cursors.count(peer_.common_name) >= max_cursors_per_agent)
        return "agent '" + peer_.common_name + "' has " + number(max_cursors_per_agent) +
               " cursors already, which is the limit; COMMIT_OFFSET with forget removes one";
    return "";
}

void ServerSession::on_subscribe(const wire::Frame& frame) {
    const auto id = frame.request_id();
    const auto& request = frame.subscribe();
    if (id == 0)
        return fail(ErrorFrame::INVALID_REQUEST, "SUBSCRIBE needs a request_id");
    if (!agent_->permissions.subscribe)
        return send_error(id, ErrorFrame::PERMISSION_DENIED,
                          "agent '" + peer_.common_name +
                              "' may not subscribe (permission subscribe in the trust map)");
    if (const auto refusal = subscribe_refusal(frame); !refusal.empty())
        return send_error(id, ErrorFrame::INVALID_REQUEST, refusal);
    auto filter = DeliverFilter::make(request.filter(), agent_->devices);
    if (!filter)
        return send_error(id, ErrorFrame::INVALID_REQUEST, filter.error().message);
    const auto stats = bus_.log.stats();
    std::string note;
    const auto start = subscription_start(request, stats, note);
    if (!start)
        return send_error(id, ErrorFrame::INVALID_REQUEST, start.error().message);
    subscription_ = std::make_unique<Subscription>();
    auto& made = *subscription_;
    made.request_id = id;
    made.cursor = request.cursor();
    made.filter = std::move(*filter);
    made.next = *start;
    made.from_time_ns = request.from_time_ns();
    made.newest = stats.newest;
    made.envelopes_limit = request.credit().envelopes_limit();
    made.bytes_limit = request.credit().bytes_limit();
    // What lies before the start is done with, or the subscriber would have asked for it.
    const auto* known = bus_.cursors.find(peer_.common_name, made.cursor);
    const std::uint64_t before = made.next.value == 0 ? 0 : made.next.value - 1;
    made.told = {std::max(known != nullptr ? known->done.value : 0, before)};
    made.devices = agent_->devices;
    ++bus_.subscribers;
    log::info("bus", "subscribed", "an agent reads the log",
              {{"peer", peer_.address},
               {"cn", peer_.common_name},
               {"cursor", made.cursor},
               {"from", made.next.value}});
    keep_cursor_and_ack(request, note);
}

// The cursor with its hold flag is on disk before the answer, so that nothing that it holds is
// pruned after it.
void ServerSession::keep_cursor_and_ack(const amoskys::bus::Subscribe& request,
                                        const std::string& note) {
    wire::Frame ack;
    ack.set_request_id(subscription_->request_id);
    ack.mutable_ack()->mutable_ack()->set_reason(note);
    const auto begin = [this] { subscription_->ready = true; };
    const auto& name = subscription_->cursor;
    const auto* known = bus_.cursors.find(peer_.common_name, name);
    if (name.empty() || (known != nullptr && known->hold == request.hold())) {
        begin();
        return send(ack);
    }
    Cursor cursor;
    cursor.hold = request.hold();
    cursor.committed_ns = bus_.clock.now_ns();
    cursor.done =
        known != nullptr
            ? known->done
            : WalOffset{subscription_->next.value == 0 ? 0 : subscription_->next.value - 1};
    auto& to = batch();
    to.write.states.push_back({cursor_state_key(peer_.common_name, name), encode_cursor(cursor)});
    to.calls.push_back({ack.request_id(), ack, [this, name, cursor, begin] {
                            bus_.cursors.put(peer_.common_name, name, cursor);
                            if (subscription_)
                                begin();
                        }});
}

void ServerSession::on_commit_offset(const wire::Frame& frame) {
    const auto id = frame.request_id();
    const auto& request = frame.commit_offset();
    const auto refuse_request = [&](ErrorFrame::Code code, const std::string& reason) {
        return id == 0 ? fail(code, reason) : send_error(id, code, reason);
    };
    if (!agent_->permissions.subscribe)
        return refuse_request(ErrorFrame::PERMISSION_DENIED,
                              "agent '" + peer_.common_name +
                                  "' may not subscribe (permission subscribe in the trust map)");
    const auto* known = bus_.cursors.find(peer_.common_name, request.cursor());
    if (known == nullptr)
        return refuse_request(ErrorFrame::NOT_FOUND,
                              "agent '" + peer_.common_name + "' has no cursor '" +
                                  excerpt(request.cursor()) + "'; SUBSCRIBE with it makes one");
    const auto key = cursor_state_key(peer_.common_name, request.cursor());
    if (request.forget() && id == 0)
        return fail(ErrorFrame::INVALID_REQUEST, "COMMIT_OFFSET with forget needs a request_id");
    if (request.forget())
        return write_cursor(id, key, request.cursor(), std::nullopt);
    const auto told = subscription_ && subscription_->cursor == request.cursor()
                          ? subscription_->told
                          : known->done;
    if (request.sequence() > told.value)
        return refuse_request(ErrorFrame::INVALID_REQUEST,
                              "commit of " + number(request.sequence()) +
                                  ": this session was given records up to " + number(told.value));
    Cursor cursor = *known;
    cursor.done = {std::max(cursor.done.value, request.sequence())};
    cursor.committed_ns = bus_.clock.now_ns();
    if (id != 0)
        return write_cursor(id, key, request.cursor(), cursor);
    bus_.pending_cursors[{peer_.common_name, request.cursor()}] = cursor;
}

void ServerSession::write_cursor(std::uint64_t request_id, const std::string& key,
                                 const std::string& name, const std::optional<Cursor>& cursor) {
    wire::Frame ack;
    ack.set_request_id(request_id);
    ack.mutable_ack()->mutable_ack();
    bus_.pending_cursors.erase({peer_.common_name, name});
    auto& to = batch();
    to.write.states.push_back({key, cursor ? encode_cursor(*cursor) : std::string()});
    to.calls.push_back({request_id, ack, [this, name, cursor] {
                            if (cursor)
                                return bus_.cursors.put(peer_.common_name, name, *cursor);
                            bus_.cursors.erase(peer_.common_name, name);
                            bus_.metrics.cursor_lag(peer_.common_name + "/" + name, 0);
                        }});
}

void ServerSession::on_deliver_credit(const amoskys::bus::Credit& credit) {
    auto& to = *subscription_;
    to.envelopes_limit = std::max(to.envelopes_limit, credit.envelopes_limit());
    to.bytes_limit = std::max(to.bytes_limit, credit.bytes_limit());
    to.said_waiting = false;
    if (to.has_credit())
        to.starved_bytes = 0;
}

std::optional<ReadStep> ServerSession::take_read() {
    if (!subscription_ || closing_ || phase_ != Phase::open || output_.size() >= low_water_bytes)
        return std::nullopt;
    auto& from = *subscription_;
    if (!from.ready || from.reading || from.at_end)
        return std::nullopt;
    if (!from.has_credit()) {
        if (from.lag() > 0)
            say_blocked();
        return std::nullopt;
    }
    from.blocked_since = {};
    from.reading = true;
    from.grew = false;
    ReadStep out;
    out.request_id = from.request_id;
    out.from = from.next;
    out.from_time_ns = from.from_time_ns;
    out.filter = from.filter;
    out.max_envelopes = from.envelopes_limit - from.sent_envelopes;
    out.credit_bytes = from.bytes_limit - from.sent_bytes;
    out.max_bytes = std::min<std::uint64_t>(out.credit_bytes, low_water_bytes);
    return out;
}

// Without credit although there is more: told once, so that the subscriber can answer.
void ServerSession::say_blocked() {
    auto& from = *subscription_;
    if (from.blocked_since == SteadyTime{})
        from.blocked_since = bus_.clock.steady();
    if (from.said_waiting)
        return;
    from.said_waiting = true;
    wire::Frame frame;
    frame.set_request_id(from.request_id);
    frame.mutable_credit()->set_waiting_envelopes(std::max<std::uint64_t>(from.lag(), 1));
    frame.mutable_credit()->set_waiting_bytes(std::max<std::uint64_t>(from.starved_bytes, 1));
    send(frame);
}

void ServerSession::on_read(const ReadResult& result) {
    if (!subscription_ || closing_)
        return;
    auto& to = *subscription_;
    to.reading = false;
    if (result.error) {
        end_label_ = "log_failed";
        return fail(ErrorFrame::UNAVAILABLE, "the log cannot be read: " + result.error->message);
    }
    if (to.next.value != 0 && to.next < result.oldest && result.oldest.value != 0) {
        end_label_ = "pruned";
        return fail(ErrorFrame::TIMEOUT, "slow reader: records " + number(to.next.value) + " to " +
                                             number(result.oldest.value - 1) +
                                             " were pruned before they were read; subscribe again "
                                             "to go on with the oldest");
    }
    output_ += result.frames;
    to.position_new = to.position_new || result.next != to.next;
    to.next = result.next;
    to.newest = result.newest;
    to.told = {std::max(to.told.value, to.next.value - 1)};
    to.sent_envelopes += result.envelopes;
    to.sent_bytes += result.bytes;
    to.starved_bytes = result.starved_bytes;
    to.at_end = result.at_end && !to.grew;
    bus_.metrics.delivered.add(result.envelopes);
    bus_.metrics.delivered_bytes.add(result.bytes);
    bus_.metrics.undeliverable.add(result.damaged);
    const auto now = bus_.clock.steady();
    if (result.envelopes != 0)
        to.progress_at = now;
    if (to.position_new && (to.at_end || now - to.progress_at >= progress_interval))
        send_progress();
}

void ServerSession::send_progress() {
    auto& to = *subscription_;
    wire::Frame frame;
    frame.set_request_id(to.request_id);
    frame.mutable_progress()->set_sequence(to.next.value - 1);
    frame.mutable_progress()->set_newest(std::max(to.newest.value, to.next.value - 1));
    send(frame);
    to.position_new = false;
    to.progress_at = bus_.clock.steady();
}

void ServerSession::log_grew() {
    if (!subscription_)
        return;
    subscription_->grew = true;
    subscription_->at_end = false;
}

void ServerSession::tick_subscription() {
    auto& to = *subscription_;
    const auto now = bus_.clock.steady();
    to.newest = std::max(to.newest, bus_.newest);
    if (to.cursor.empty())
        bus_.metrics.cursor_lag(peer_.common_name + "/", static_cast<double>(to.lag()));
    if (to.blocked_since == SteadyTime{} || to.reading || to.has_credit() ||
        now - to.blocked_since < bus_.limits.slow_reader)
        return;
    end_label_ = "no_credit";
    fail(ErrorFrame::TIMEOUT, "slow reader: no credit for " +
                                  format_duration(bus_.limits.slow_reader) + ", " +
                                  number(to.lag()) +
                                  " records behind; subscribe again to go on "
                                  "after record " +
                                  number(to.told.value));
}

// The trust map changed: what it lets through was decided with the old one.
void ServerSession::recheck_subscription() {
    if (agent_->permissions.subscribe && agent_->devices == subscription_->devices)
        return;
    end_label_ = "trust_changed";
    fail(ErrorFrame::PERMISSION_DENIED,
         agent_->permissions.subscribe
             ? "the devices that agent '" + peer_.common_name + "' may see changed; subscribe again"
             : "agent '" + peer_.common_name + "' may not subscribe any more");
}

void ServerSession::stalled() {
    end_label_ = "stalled_write";
    close("the peer does not read");
}

void ServerSession::end_subscription() {
    if (!subscription_)
        return;
    --bus_.subscribers;
    if (subscription_->cursor.empty())
        bus_.metrics.cursor_lag(peer_.common_name + "/", 0);
    bus_.metrics.subscriber_ended(end_label_.empty() ? "left" : end_label_);
    log::info("bus", "unsubscribed", close_reason_,
              {{"peer", peer_.address},
               {"cn", peer_.common_name},
               {"cursor", subscription_->cursor},
               {"done", subscription_->told.value}});
    subscription_.reset();
}

}  // namespace amoskys::link
