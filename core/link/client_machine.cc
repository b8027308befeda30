#include "core/link/client_machine.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/crypto/signing.h"
#include "core/wire/envelope.h"
#include "core/wire/statement.h"

namespace amoskys::link {
namespace {

using amoskys::bus::ErrorFrame;
using Ack = messaging::UniversalAck;
using namespace std::chrono_literals;

constexpr std::string_view version = "amoskys";
constexpr double burst_seconds = 1;

}  // namespace

Error bus_error(const ErrorFrame& error) {
    const std::string reason = "the bus says: " + printable(error.reason());
    switch (error.code()) {
        case ErrorFrame::IDENTITY_REFUSED:
            return make_error(ErrorKind::permission, "bus_identity_refused", reason,
                              "add the agent to the bus's trust map, or check its certificate");
        case ErrorFrame::PERMISSION_DENIED:
            return make_error(ErrorKind::permission, "bus_permission_denied", reason,
                              "the bus's trust map says what an agent may do");
        case ErrorFrame::UNSUPPORTED_VERSION:
            return make_error(ErrorKind::unavailable, "bus_version", reason);
        case ErrorFrame::NOT_FOUND:
            return make_error(ErrorKind::no_input, "bus_not_found", reason);
        case ErrorFrame::INVALID_REQUEST:
            return make_error(ErrorKind::usage, "bus_invalid_request", reason);
        case ErrorFrame::LANE_BUSY:
            return make_error(ErrorKind::unavailable, "bus_lane_busy", reason,
                              "one process publishes a lane; stop the other one");
        default:
            return make_error(ErrorKind::unavailable, "bus_refused", reason);
    }
}

ClientMachine::ClientMachine(Source& source, const ClientOptions& options, ClientStats& stats,
                             io::Endpoint bus)
    : source_(source),
      options_(options),
      stats_(stats),
      bus_(std::move(bus)),
      backoff_(std::hash<std::string>{}(options.agent_id + options.lane)) {}

std::string ClientMachine::hello() {
    const auto position = source_.position();
    wire::Frame frame;
    frame.set_request_id(1);
    auto& hello = *frame.mutable_hello();
    hello.add_protocol_versions(1);
    hello.set_agent_id(options_.agent_id);
    hello.set_lane(options_.lane);
    hello.set_epoch(position.epoch.value);
    hello.set_resume_sequence(position.acked.value);
    hello.set_resume_head_sig(to_string(position.acked_signature));
    hello.set_last_sequence(position.last.value);
    hello.set_client_version(std::string(version));
    if (options_.compression != Compress::off)
        hello.add_compression(amoskys::bus::COMPRESSION_ZSTD);
    return wire::encode_frame(frame);
}

Result<> ClientMachine::on_frame(ByteView body, Time now) {
    last_heard_ = now;
    ping_sent_.reset();
    AMOSKYS_TRY(frame, wire::decode_frame(body));
    using Body = wire::Frame::BodyCase;
    switch (frame.body_case()) {
        case Body::kWelcome:
            return on_welcome(frame.welcome());
        case Body::kAck:
            return on_ack(frame, now);
        case Body::kCredit:
            envelopes_limit_ = std::max(envelopes_limit_, frame.credit().envelopes_limit());
            bytes_limit_ = std::max(bytes_limit_, frame.credit().bytes_limit());
            said_waiting_ = false;
            return {};
        case Body::kError:
            return bus_error(frame.error());
        case Body::kDrain:
            draining_ = true;
            return {};
        case Body::kReceipt:
            return on_receipt(frame.receipt());
        default:  // PING and PONG have shown life
            return {};
    }
}

Result<> ClientMachine::on_welcome(const amoskys::bus::Welcome& welcome) {
    if (welcomed_)
        return make_error(ErrorKind::unavailable, "bus_protocol", "the bus sent WELCOME twice");
    envelopes_limit_ = welcome.window().envelopes_limit();
    bytes_limit_ = welcome.window().bytes_limit();
    Source::BusHead head;
    head.epoch = {welcome.committed_epoch()};
    head.sequence = {welcome.committed_sequence()};
    head.signature = to_bytes(as_bytes(welcome.head_sig()));
    head.digest = to_bytes(as_bytes(welcome.head_digest()));
    head.address = bus_.host.empty() ? "" : io::format_endpoint(bus_.host, bus_.port);
    head.log_key = to_bytes(as_bytes(welcome.log_public_key()));
    head.log_origin = printable(welcome.log_origin());
    if (!head.log_key.empty()) {
        AMOSKYS_TRY(key, crypto::parse_public_key(welcome.log_public_key(), "the bus's log key"));
        log_key_ = key;
    }
    const bool zstd = std::ranges::find(welcome.compression(), amoskys::bus::COMPRESSION_ZSTD) !=
                      welcome.compression().end();
    const bool near =
        bus_.host == "localhost" || bus_.host == "::1" || bus_.host.starts_with("127.");
    if (zstd && (options_.compression == Compress::on ||
                 (options_.compression == Compress::automatic && !near)))
        compressor_.emplace(options_.compression);
    AMOSKYS_TRY(after, source_.resume(head));
    cursor_ = after;
    welcomed_ = true;
    // An answer may have been lost with the last connection: what the bus has is acknowledged.
    if (head.epoch.value != 0 && head.epoch == source_.position().epoch) {
        told_committed_ = stats_.acked_sequence = head.sequence;
        source_.committed(head.sequence);
    }
    return {};
}

Result<> ClientMachine::on_receipt(const amoskys::bus::Receipt& receipt) {
    const bool ours = receipt.agent_id() == options_.agent_id && receipt.lane() == options_.lane;
    if (!welcomed_ || !ours || !log_key_ || !wire::signature_fits(receipt, *log_key_))
        return make_error(
            ErrorKind::unavailable, "bus_receipt",
            "the bus sent a receipt that is not of this lane or not signed by its log key");
    ++stats_.receipts;
    source_.keep(receipt);
    return {};
}

void ClientMachine::say_head(std::string& out, Time now) {
    if (!welcomed_ || options_.head_interval == std::chrono::nanoseconds(0) ||
        (last_head_ && now - *last_head_ < options_.head_interval))
        return;
    last_head_ = now;
    auto head = source_.signed_head(options_.head_interval);
    if (!head)
        return;
    ++stats_.heads;
    wire::Frame frame;
    *frame.mutable_head() = std::move(*head);
    out += wire::encode_frame(frame);
}

void ClientMachine::note_committed(const amoskys::bus::Ack& ack) {
    if (ack.committed_epoch() == 0 || ack.committed_epoch() != source_.position().epoch.value)
        return;
    const SeqNo committed{ack.committed_sequence()};
    if (told_committed_ == committed)
        return;
    told_committed_ = stats_.acked_sequence = committed;
    source_.committed(committed);
}

Result<> ClientMachine::on_ack(const wire::Frame& frame, Time now) {
    const auto& ack = frame.ack();
    const bool single = frame.request_id() != 0;
    const auto first = single ? frame.request_id() : ack.first_request_id();
    const auto last = single ? frame.request_id() : ack.last_request_id();
    if (ack.ack().status() == Ack::OK) {
        // Answers come in any order of ranges; what was sent is in order of ids.
        const auto begin = std::ranges::lower_bound(in_flight_, first, {}, &Sent::request_id);
        const auto end =
            std::ranges::upper_bound(begin, in_flight_.end(), last, {}, &Sent::request_id);
        stats_.acked += static_cast<std::uint64_t>(end - begin);
        in_flight_.erase(begin, end);
        backoff_.reset();
        refused_in_a_row_ = 0;
        note_committed(ack);
        return {};
    }
    const auto found = std::ranges::find(in_flight_, first, &Sent::request_id);
    if (found == in_flight_.end())
        return make_error(
            ErrorKind::unavailable, "bus_protocol",
            "the bus answered request " + std::to_string(first) + ", which is not open");
    const Sent sent = *found;
    in_flight_.erase(found);
    note_committed(ack);
    if (sent.superseded)
        return {};
    return on_refused(sent, ack.ack(), now);
}

Result<> ClientMachine::on_refused(const Sent& sent, const Ack& ack, Time now) {
    const std::string reason = printable(ack.reason());
    const std::chrono::milliseconds hint(ack.backoff_hint_ms());
    switch (ack.status()) {
        case Ack::INVALID:
            ++stats_.rejected;
            stats_.last_error = "sequence " + std::to_string(sent.sequence.value) + ": " + reason;
            AMOSKYS_TRY_VOID(source_.reject(sent.sequence, reason));
            go_back(sent.sequence);
            return {};
        case Ack::SECURITY_VIOLATION:
            stats_.last_error = reason;
            return make_error(
                ErrorKind::permission, "bus_security_violation",
                "the bus refused sequence " + std::to_string(sent.sequence.value) + ": " + reason);
        default:
            ++stats_.retried;
            stats_.last_error = reason;
            go_back(sent.sequence);
            not_before_ = now + backoff_.next(hint);
            // A quota is the agent's own; the others say that this bus cannot take anything now.
            if (ack.status() != Ack::QUOTA_EXCEEDED && options_.buses.size() > 1 &&
                ++refused_in_a_row_ > options_.retry_max)
                return make_error(ErrorKind::unavailable, "bus_takes_nothing",
                                  "the bus takes nothing: " + reason);
            return {};
    }
}

// From here on everything from `to` on is sent again; answers to what is under way do not matter.
void ClientMachine::go_back(SeqNo to) {
    for (auto& sent : in_flight_)
        if (sent.sequence > to)
            sent.superseded = true;
    cursor_ = SeqNo{to.value == 0 ? 0 : to.value - 1};
    held_.reset();
}

bool ClientMachine::rate_allows(const Source::Item& item, Time now) {
    if (options_.send_rate_events == 0)
        return true;
    const auto rate = static_cast<double>(options_.send_rate_events);
    const double passed =
        tokens_at_ ? std::chrono::duration<double>(now - *tokens_at_).count() : burst_seconds;
    tokens_ = std::min(rate * burst_seconds, tokens_ + passed * rate);
    tokens_at_ = now;
    if (tokens_ <= 0) {
        const auto wait = std::chrono::duration<double>((1 - tokens_) / rate);
        not_before_ = now + std::chrono::duration_cast<Time::duration>(wait);
        return false;
    }
    const auto cut = wire::cut_envelope(as_bytes(item.envelope));
    tokens_ -= cut ? std::max<std::uint32_t>(1, cut->events) : 1;
    return true;
}

void ClientMachine::say_waiting(std::string& out) {
    if (said_waiting_)
        return;
    said_waiting_ = true;
    const auto last = source_.position().last;
    wire::Frame frame;
    auto& credit = *frame.mutable_credit();
    credit.set_waiting_envelopes(last > cursor_ ? last.value - cursor_.value : 1);
    credit.set_waiting_bytes(held_ ? held_->envelope.size() : 0);
    out += wire::encode_frame(frame);
}

void ClientMachine::put_publish(std::string& out, std::uint64_t id, const std::string& envelope) {
    stats_.envelope_bytes += envelope.size();
    if (const auto packed = compressor_ ? compressor_->pack(envelope) : std::string_view();
        !packed.empty()) {
        stats_.wire_bytes += packed.size();
        out += wire::encode_publish_prefix(id, packed.size(), false,
                                           static_cast<std::uint32_t>(envelope.size()));
        out += packed;
        return;
    }
    stats_.wire_bytes += envelope.size();
    out += wire::encode_publish_prefix(id, envelope.size());
    out += envelope;
}

Result<> ClientMachine::fill(std::string& out, std::size_t limit_bytes, Time now) {
    if (!welcomed_)
        return {};
    if (draining_) {
        if (in_flight_.empty())
            return make_error(ErrorKind::unavailable, "bus_draining", "the bus is stopping");
        return {};
    }
    if (finishing_) {
        if (in_flight_.empty() && !said_drain_) {
            said_drain_ = true;
            wire::Frame frame;
            frame.mutable_drain()->set_reason("done");
            out += wire::encode_frame(frame);
        }
        return {};
    }
    if (not_before_ && now < *not_before_)
        return {};
    not_before_.reset();
    while (out.size() < limit_bytes) {
        if (!held_) {
            AMOSKYS_TRY(item, source_.next(cursor_));
            if (!item)
                return {};
            held_ = std::move(*item);
        }
        const auto size = held_->envelope.size();
        if (sent_envelopes_ + 1 > envelopes_limit_ || sent_bytes_ + size > bytes_limit_) {
            say_waiting(out);
            return {};
        }
        if (!rate_allows(*held_, now))
            return {};
        const auto id = next_request_id_++;
        put_publish(out, id, held_->envelope);
        ++sent_envelopes_;
        sent_bytes_ += size;
        ++stats_.sent;
        cursor_ = held_->sequence;
        in_flight_.push_back({id, held_->sequence, false});
        held_.reset();
    }
    return {};
}

Result<> ClientMachine::tick(std::string& out, Time now) {
    say_head(out, now);
    if (!last_heard_)
        last_heard_ = now;
    if (ping_sent_ && now - *ping_sent_ >= options_.ping_after)
        return make_error(
            ErrorKind::unavailable, "bus_silent",
            "the bus has not answered for " + format_duration(options_.ping_after * 2));
    if (ping_sent_ || now - *last_heard_ < options_.ping_after)
        return {};
    wire::Frame frame;
    frame.mutable_ping()->set_sent_time_ns(
        static_cast<std::uint64_t>(now.time_since_epoch().count()));
    out += wire::encode_frame(frame);
    ping_sent_ = now;
    return {};
}

}  // namespace amoskys::link
