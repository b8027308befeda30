#include "core/link/subscriber_machine.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/link/client_machine.h"

namespace amoskys::link {
namespace {

using namespace std::chrono_literals;
constexpr auto commit_interval = 1s;
constexpr std::uint64_t subscribe_id = 2, commit_id = 3;  // HELLO has 1

}  // namespace

SubscriberMachine::SubscriberMachine(const SubscriberOptions& options, SubscriberStats& stats,
                                     const DeliverHandler& handler)
    : options_(options), stats_(stats), handler_(handler) {}

std::string SubscriberMachine::hello() {
    wire::Frame frame;
    frame.set_request_id(1);
    auto& hello = *frame.mutable_hello();
    hello.add_protocol_versions(1);
    hello.set_agent_id(options_.agent_id);
    hello.set_client_version("amoskys");
    std::string out = wire::encode_frame(frame);

    wire::Frame subscribe;
    subscribe.set_request_id(subscribe_id);
    auto& request = *subscribe.mutable_subscribe();
    if (stats_.placed)
        request.set_from_sequence(stats_.done.value + 1);
    else if (options_.from.value != 0)
        request.set_from_sequence(options_.from.value);
    else if (options_.from_time_ns != 0)
        request.set_from_time_ns(options_.from_time_ns);
    request.set_cursor(options_.cursor);
    request.set_hold(options_.hold);
    *request.mutable_filter() = options_.filter;
    envelopes_limit_ = options_.window_envelopes;
    bytes_limit_ = options_.window_bytes;
    request.mutable_credit()->set_envelopes_limit(envelopes_limit_);
    request.mutable_credit()->set_bytes_limit(bytes_limit_);
    return out + wire::encode_frame(subscribe);
}

Result<> SubscriberMachine::on_frame(ByteView body, Time now) {
    last_heard_ = now;
    ping_sent_.reset();
    AMOSKYS_TRY(deliver, wire::split_deliver(body));
    if (deliver)
        return on_deliver(*deliver);
    AMOSKYS_TRY(frame, wire::decode_frame(body));
    using Body = wire::Frame::BodyCase;
    switch (frame.body_case()) {
        case Body::kAck:
            if (frame.request_id() == subscribe_id) {
                accepted_ = true;
                stats_.note = printable(frame.ack().ack().reason());
            }
            if (frame.request_id() == commit_id)
                commit_open_ = false;
            return {};
        case Body::kProgress:
            on_progress(frame.progress());
            return {};
        case Body::kCredit:
            wants_more_ = frame.request_id() == subscribe_id;
            return {};
        case Body::kError:
            return bus_error(frame.error());
        case Body::kDrain:
            return make_error(ErrorKind::unavailable, "bus_draining", "the bus is stopping");
        default:  // WELCOME, PING, PONG: signs of life
            return {};
    }
}

Result<> SubscriberMachine::on_deliver(const wire::DeliverView& view) {
    if (view.request_id != subscribe_id || !accepted_ || view.offset <= stats_.done)
        return make_error(ErrorKind::unavailable, "bus_protocol",
                          "the bus sent record " + std::to_string(view.offset.value) +
                              " after record " + std::to_string(stats_.done.value));
    ++envelopes_;
    bytes_ += view.envelope.size();
    if (finished_)
        return {};
    AMOSKYS_TRY(go_on, handler_(view));
    ++stats_.delivered;
    stats_.bytes += view.envelope.size();
    stats_.done = view.offset;
    stats_.placed = true;
    stats_.newest = std::max(stats_.newest, view.offset);
    finished_ = !go_on;
    finish_at_end();
    return {};
}

void SubscriberMachine::on_progress(const amoskys::bus::Progress& progress) {
    if (finished_)
        return;
    stats_.done = std::max(stats_.done, WalOffset{progress.sequence()});
    stats_.newest = WalOffset{progress.newest()};
    stats_.placed = true;
    if (!end_)
        end_ = stats_.newest;
    finish_at_end();
}

void SubscriberMachine::finish_at_end() {
    if (options_.stop_at_end && end_ && stats_.done >= *end_)
        finished_ = true;
}

void SubscriberMachine::put_commit(std::string& out, std::uint64_t request_id) {
    wire::Frame frame;
    frame.set_request_id(request_id);
    frame.mutable_commit_offset()->set_cursor(options_.cursor);
    frame.mutable_commit_offset()->set_sequence(stats_.done.value);
    out += wire::encode_frame(frame);
    committed_ = stats_.done;
}

Result<> SubscriberMachine::fill(std::string& out, Time now) {
    if (!last_heard_)
        last_heard_ = last_commit_ = now;
    if (accepted_ && !options_.cursor.empty() && stats_.done.value != 0) {
        if (finished_ && !commit_sent_) {
            put_commit(out, commit_id);
            commit_sent_ = commit_open_ = true;
        } else if (!finished_ && stats_.done != committed_ &&
                   now - *last_commit_ >= commit_interval) {
            put_commit(out, 0);
            last_commit_ = now;
        }
    }
    const auto& window = options_;
    const bool half_used = envelopes_limit_ - envelopes_ <= window.window_envelopes / 2 ||
                           bytes_limit_ - std::min(bytes_limit_, bytes_) <= window.window_bytes / 2;
    if (!finished_ && (half_used || wants_more_)) {
        envelopes_limit_ = envelopes_ + window.window_envelopes;
        bytes_limit_ = bytes_ + window.window_bytes;
        wire::Frame frame;
        frame.set_request_id(subscribe_id);
        frame.mutable_credit()->set_envelopes_limit(envelopes_limit_);
        frame.mutable_credit()->set_bytes_limit(bytes_limit_);
        out += wire::encode_frame(frame);
        wants_more_ = false;
    }
    if (ping_sent_ && now - *ping_sent_ >= options_.ping_after)
        return make_error(
            ErrorKind::unavailable, "bus_silent",
            "the bus has not answered for " + format_duration(options_.ping_after * 2));
    if (!ping_sent_ && now - *last_heard_ >= options_.ping_after) {
        wire::Frame frame;
        frame.mutable_ping()->set_sent_time_ns(
            static_cast<std::uint64_t>(now.time_since_epoch().count()));
        out += wire::encode_frame(frame);
        ping_sent_ = now;
    }
    return {};
}

}  // namespace amoskys::link
