#include "core/link/test/bus_fixture.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;
using namespace std::chrono_literals;
using amoskys::bus::ErrorFrame;
using messaging::UniversalAck;

namespace {

constexpr auto* may_read = ", permissions: [publish, subscribe]";

std::string event(const std::string& device, const std::string& type, const std::string& severity) {
    messaging::DeviceTelemetry record;
    record.set_device_id(device);
    record.set_timestamp_ns(1'700'000'000'000'000'000);
    auto& to = *record.add_events();
    to.set_event_type(type);
    to.set_severity(severity);
    if (type == "LOG")
        to.mutable_log_data()->set_message("text");
    else
        to.mutable_alarm_data()->set_alarm_id("1");
    return record.SerializeAsString();
}

// Publishes payloads through a session of its own.
void fill(Bus& bus, const std::vector<std::string>& payloads) {
    static std::uint64_t id = 1000;
    Peer peer(bus, ++id);
    peer.hello();
    const auto& lane = bus.state->lanes.open({"edge-1", "snmp"})->committed;
    auto from = builder(bus, "snmp",
                        {lane.epoch.value == 0 ? Epoch{1000} : lane.epoch, lane.last_sequence,
                         lane.head_signature});
    for (const auto& body : payloads) {
        const auto sent = peer.publish(build(from, body));
        REQUIRE(peer.commit());
        REQUIRE(peer.ack_of(sent).ack().status() == UniversalAck::OK);
    }
}

std::vector<std::string> many(std::size_t count) {
    return std::vector<std::string>(count, payload());
}

struct Reader : Peer {
    explicit Reader(Bus& bus_, std::uint64_t id = 1) : Peer(bus_, id) { hello("edge-1", ""); }
    wire::Frame request(std::uint64_t envelopes = 1000, std::uint64_t bytes = 1 << 20) {
        wire::Frame frame;
        frame.set_request_id(subscription = next_id++);
        frame.mutable_subscribe()->mutable_credit()->set_envelopes_limit(envelopes);
        frame.mutable_subscribe()->mutable_credit()->set_bytes_limit(bytes);
        return frame;
    }
    wire::Frame from(std::uint64_t sequence, std::uint64_t envelopes = 1000) {
        auto frame = request(envelopes);
        frame.mutable_subscribe()->set_from_sequence(sequence);
        return frame;
    }
    // What the bus sends once the reader thread has done all that it may.
    std::vector<wire::Frame> run() {
        while (auto step = session->take_read())
            session->on_read(read_step(*bus.log, *step));
        return output();
    }
    std::vector<wire::Frame> ask(const wire::Frame& frame) {
        output();
        send(frame);
        commit();
        return run();
    }
    std::vector<std::uint64_t> delivered(const std::vector<wire::Frame>& frames) {
        std::vector<std::uint64_t> out;
        for (const auto& frame : frames)
            if (frame.has_deliver())
                out.push_back(frame.deliver().sequence());
        return out;
    }
    std::uint64_t subscription = 0;
};

const wire::Frame& only(const std::vector<wire::Frame>& frames, wire::Frame::BodyCase body) {
    const auto found = std::ranges::find(frames, body, &wire::Frame::body_case);
    REQUIRE(found != frames.end());
    return *found;
}

wire::Frame commit_frame(Reader& reader, const std::string& cursor, std::uint64_t sequence,
                         bool forget = false) {
    wire::Frame frame;
    frame.set_request_id(reader.next_id++);
    frame.mutable_commit_offset()->set_cursor(cursor);
    frame.mutable_commit_offset()->set_sequence(sequence);
    frame.mutable_commit_offset()->set_forget(forget);
    return frame;
}

}  // namespace

TEST_CASE("a subscriber gets whole signed envelopes from where it asked, then what comes") {
    Bus bus(may_read);
    fill(bus, many(5));
    Reader reader(bus);
    const auto frames = reader.ask(reader.from(3));
    CHECK(frames.front().ack().ack().status() == UniversalAck::OK);
    CHECK(reader.delivered(frames) == std::vector<std::uint64_t>{3, 4, 5});
    const auto& first = only(frames, wire::Frame::kDeliver).deliver();
    CHECK(first.kind() == amoskys::bus::RECORD_KIND_UNIVERSAL);
    CHECK(first.received_time_ns() == bus.clock.now_ns());
    CHECK(as_bytes(first.envelope()).size() == bus.log->read_stored({3}).value()->size());
    CHECK(to_bytes(as_bytes(first.envelope())) == *bus.log->read_stored({3}).value());
    CHECK(frames.back().progress().sequence() == 5);
    CHECK(frames.back().progress().newest() == 5);
    CHECK(reader.session->waits_for_log());

    fill(bus, many(1));
    CHECK_FALSE(reader.session->take_read());
    reader.session->log_grew();
    CHECK(reader.delivered(reader.run()) == std::vector<std::uint64_t>{6});
    CHECK(bus.counter("amoskys_bus_delivered_records_total") == 4);
}

TEST_CASE("without start or cursor only what comes next is given") {
    Bus bus(may_read);
    fill(bus, many(2));
    Reader reader(bus);
    CHECK(reader.delivered(reader.ask(reader.request())).empty());
    fill(bus, many(1));
    reader.session->log_grew();
    CHECK(reader.delivered(reader.run()) == std::vector<std::uint64_t>{3});
}

TEST_CASE("a time begins with the first record received then or later") {
    Bus bus(may_read);
    std::vector<UnixNanos> times;
    for (int i = 0; i < 9; ++i) {
        times.push_back(bus.clock.now_ns());
        fill(bus, many(1));
        bus.clock.advance(1s);
    }
    const auto first = [&](UnixNanos time_ns) {
        static std::uint64_t id = 1;
        Reader reader(bus, id++);
        auto frame = reader.request();
        frame.mutable_subscribe()->set_from_time_ns(time_ns);
        const auto got = reader.delivered(reader.ask(frame));
        return got.empty() ? 0 : got.front();
    };
    CHECK(first(1) == 1);
    CHECK(first(times[4]) == 5);
    CHECK(first(times[4] + 1) == 6);
    CHECK(first(times[8] + 1) == 0);
}

TEST_CASE("credit in envelopes and in bytes is never passed, and a grant goes on") {
    Bus bus(may_read);
    fill(bus, many(6));
    Reader reader(bus);
    CHECK(reader.delivered(reader.ask(reader.from(1, 2))) == std::vector<std::uint64_t>{1, 2});
    const auto grant = [&](std::uint64_t envelopes, std::uint64_t bytes) {
        wire::Frame frame;
        frame.set_request_id(reader.subscription);
        frame.mutable_credit()->set_envelopes_limit(envelopes);
        frame.mutable_credit()->set_bytes_limit(bytes);
        return reader.ask(frame);
    };
    CHECK(reader.delivered(grant(3, 0)) == std::vector<std::uint64_t>{3});

    Reader narrow(bus, 2);
    const auto two =
        bus.log->read_stored({1}).value()->size() + bus.log->read_stored({2}).value()->size();
    auto frame = narrow.request(1000, two + 1);
    frame.mutable_subscribe()->set_from_sequence(1);
    const auto frames = narrow.ask(frame);
    CHECK(narrow.delivered(frames) == std::vector<std::uint64_t>{1, 2});
    CHECK(frames.back().credit().waiting_bytes() == bus.log->read_stored({3}).value()->size());
    CHECK(frames.back().credit().waiting_envelopes() == 4);
}

TEST_CASE("a filter lets whole envelopes through where one event matches") {
    Bus bus(may_read);
    fill(bus, {event("router-1", "ALARM", "CRITICAL"), event("router-2", "LOG", ""),
               event("pump-1", "ALARM", "WARN"), payload("router-1")});
    const auto filtered = [&](const std::function<void(amoskys::bus::Filter&)>& set) {
        static std::uint64_t id = 10;
        Reader reader(bus, id++);
        auto frame = reader.from(1);
        set(*frame.mutable_subscribe()->mutable_filter());
        return reader.delivered(reader.ask(frame));
    };
    using Sequences = std::vector<std::uint64_t>;
    CHECK(filtered([](auto& f) { f.add_device_ids("router-*"); }) == Sequences{1, 2, 4});
    CHECK(filtered([](auto& f) { f.add_device_ids("pump-1"); }) == Sequences{3});
    CHECK(filtered([](auto& f) { f.add_event_types("ALARM"); }) == Sequences{1, 3});
    CHECK(filtered([](auto& f) { f.add_severities("INFO"); }) == Sequences{2, 4});
    CHECK(filtered([](auto& f) {
              f.add_event_types("ALARM");
              f.add_severities("CRITICAL");
          }) == Sequences{1});
    CHECK(filtered([](auto& f) { f.add_kinds(amoskys::bus::RECORD_KIND_AUDIT); }).empty());
    CHECK(filtered([](auto& f) { f.add_kinds(amoskys::bus::RECORD_KIND_UNIVERSAL); }).size() == 4);
}

TEST_CASE("an agent whose devices are limited sees only envelopes of those") {
    Bus bus;
    fill(bus, {payload("router-1"), payload("pump-1"), payload("router-2")});
    bus.set_trust(", permissions: [subscribe], devices: ['router-*']");
    Reader reader(bus);
    CHECK(reader.delivered(reader.ask(reader.from(1))) == std::vector<std::uint64_t>{1, 3});
    bus.set_trust(", permissions: [subscribe], devices: ['*']");
    reader.session->recheck_trust();
    CHECK(reader.session->closing());
    CHECK(reader.last().error().code() == ErrorFrame::PERMISSION_DENIED);
    CHECK(bus.counter("amoskys_bus_subscriber_disconnects_total", "trust_changed") == 1);
}

TEST_CASE("subscribing needs the permission, and requests that cannot be are named") {
    Bus bus(", permissions: [publish]");
    fill(bus, many(2));
    Reader denied(bus);
    const auto refusal = denied.ask(denied.from(1)).front().error();
    CHECK(refusal.code() == ErrorFrame::PERMISSION_DENIED);
    CHECK(refusal.reason().find("permission subscribe") != std::string::npos);
    CHECK(denied.ask(commit_frame(denied, "a", 1)).front().error().code() ==
          ErrorFrame::PERMISSION_DENIED);

    bus.set_trust(may_read);
    Reader reader(bus, 2);
    const auto reason = [&](const wire::Frame& frame) {
        const auto frames = reader.ask(frame);
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].error().code() == ErrorFrame::INVALID_REQUEST);
        CHECK_FALSE(reader.session->closing());
        return frames[0].error().reason();
    };
    CHECK(reason(reader.from(4)) ==
          "from_sequence 4; allowed: 1 to 3, one behind the newest record");
    CHECK(reason(reader.from(0)).starts_with("from_sequence 0"));
    auto frame = reader.from(1);
    frame.mutable_subscribe()->set_cursor("a/b");
    CHECK(reason(frame) == "cursor 'a/b'; allowed: [A-Za-z0-9._-]{1,64}");
    frame = reader.from(1);
    frame.mutable_subscribe()->set_hold(true);
    CHECK(reason(frame) == "hold needs a cursor");
    frame = reader.from(1);
    frame.mutable_subscribe()->mutable_filter()->add_event_types("METRICS");
    CHECK(reason(frame).starts_with("filter: event_type 'METRICS'; allowed: METRIC, LOG"));
    frame = reader.from(1);
    frame.mutable_subscribe()->mutable_filter()->add_severities("loud");
    CHECK(reason(frame).starts_with("filter: severity 'loud'"));
    frame = reader.from(1);
    frame.mutable_subscribe()->mutable_filter()->add_device_ids("");
    CHECK(reason(frame).find("allowed: 1 to 256") != std::string::npos);
    frame = reader.from(1);
    for (int i = 0; i < 101; ++i)
        frame.mutable_subscribe()->mutable_filter()->add_device_ids("d");
    CHECK(reason(frame).find("at most 100") != std::string::npos);

    CHECK_FALSE(reader.ask(reader.from(1))[0].has_error());
    CHECK(reason(reader.from(1)).find("another connection") != std::string::npos);
    bus.state->limits.max_subscribers = 1;
    Reader third(bus, 3);
    CHECK(third.ask(third.from(1))[0].error().reason() == "1 subscribers are connected, the limit");
}

TEST_CASE("a cursor is durable, never leads, never goes back, and goes on after a restart") {
    Bus bus(may_read);
    fill(bus, many(8));
    {
        Reader reader(bus);
        auto frame = reader.from(2, 4);
        frame.mutable_subscribe()->set_cursor("siem");
        reader.output();
        reader.send(frame);
        CHECK_FALSE(reader.session->take_read());  // not before the cursor is on disk
        CHECK(reader.output().empty());
        REQUIRE(reader.commit());
        CHECK(reader.delivered(reader.run()) == std::vector<std::uint64_t>{2, 3, 4, 5});
        const auto ahead = reader.ask(commit_frame(reader, "siem", 6)).front().error();
        CHECK(ahead.reason() == "commit of 6: this session was given records up to 5");
        CHECK(reader.ask(commit_frame(reader, "siem", 4)).front().has_ack());
        CHECK(reader.ask(commit_frame(reader, "siem", 3)).front().has_ack());
        CHECK(reader.ask(commit_frame(reader, "none", 1)).front().error().code() ==
              ErrorFrame::NOT_FOUND);
    }
    bus.reopen();
    CHECK(bus.state->cursors.find("edge-1", "siem")->done == WalOffset{4});
    Reader reader(bus, 2);
    auto frame = reader.request();
    frame.mutable_subscribe()->set_cursor("siem");
    CHECK(reader.delivered(reader.ask(frame)) == std::vector<std::uint64_t>{5, 6, 7, 8});
    CHECK(reader.ask(commit_frame(reader, "siem", 0, true)).front().has_ack());
    CHECK(bus.state->cursors.all().empty());
    reader.session.reset();
    bus.reopen();
    CHECK(bus.state->cursors.all().empty());
}

TEST_CASE("a commit that asks for no answer waits for the next group") {
    Bus bus(may_read);
    fill(bus, many(3));
    Reader reader(bus);
    auto frame = reader.from(1);
    frame.mutable_subscribe()->set_cursor("siem");
    reader.ask(frame);
    auto done = commit_frame(reader, "siem", 2);
    done.clear_request_id();
    reader.send(done);
    CHECK_FALSE(reader.commit());
    REQUIRE(bus.state->pending_cursors.size() == 1);
    CHECK(bus.state->pending_cursors.begin()->second.done == WalOffset{2});
    CHECK(bus.state->cursors.find("edge-1", "siem")->done == WalOffset{0});
}

TEST_CASE("holding cursors say from where nothing may be pruned, and release it") {
    Bus bus(may_read);
    fill(bus, many(6));
    const auto subscribe = [&](std::uint64_t id, bool hold) {
        Reader reader(bus, id);
        auto frame = reader.from(3);
        frame.mutable_subscribe()->set_cursor("archive");
        frame.mutable_subscribe()->set_hold(hold);
        REQUIRE(reader.ask(frame).front().has_ack());
    };
    CHECK_FALSE(bus.state->cursors.hold_floor());
    subscribe(1, true);
    CHECK(bus.state->cursors.hold_floor() == WalOffset{3});
    bus.reopen();
    CHECK(bus.state->cursors.hold_floor() == WalOffset{3});
    subscribe(2, false);
    CHECK_FALSE(bus.state->cursors.hold_floor());
}

TEST_CASE("an agent has so many cursors and no more") {
    Bus bus(may_read);
    for (std::size_t i = 0; i < max_cursors_per_agent; ++i)
        bus.state->cursors.put("edge-1", "c" + std::to_string(i), {});
    bus.state->cursors.put("edge-2", "other", {});
    Reader reader(bus);
    auto frame = reader.request();
    frame.mutable_subscribe()->set_cursor("one-more");
    CHECK(reader.ask(frame).front().error().reason().find("64 cursors already") !=
          std::string::npos);
}

TEST_CASE("a reader without credit is told, then disconnected with a reason, and goes on later") {
    Bus bus(may_read);
    bus.limits.slow_reader = 10s;
    bus.state->limits.slow_reader = 10s;
    fill(bus, many(5));
    Reader reader(bus);
    const auto frames = reader.ask(reader.from(1, 2));
    CHECK(frames.back().credit().waiting_envelopes() == 3);
    CHECK(frames.back().request_id() == reader.subscription);
    bus.clock.advance(9s);
    reader.session->tick();
    CHECK_FALSE(reader.session->closing());
    bus.clock.advance(2s);
    reader.session->tick();
    CHECK(reader.session->closing());
    CHECK(reader.last().error().reason() ==
          "slow reader: no credit for 10s, 3 records behind; subscribe again to go on after "
          "record 2");
    CHECK(bus.counter("amoskys_bus_subscriber_disconnects_total", "no_credit") == 1);
    CHECK(bus.state->subscribers == 0);
    Reader again(bus, 2);
    CHECK(again.delivered(again.ask(again.from(3))) == std::vector<std::uint64_t>{3, 4, 5});
}

TEST_CASE("a reader that has used its credit at the end of the log is not slow") {
    Bus bus(may_read);
    bus.state->limits.slow_reader = 10s;
    fill(bus, many(2));
    Reader reader(bus);
    reader.ask(reader.from(1, 2));
    bus.clock.advance(60s);
    reader.session->tick();
    CHECK_FALSE(reader.session->closing());
}

TEST_CASE("a record whose bytes were altered is not given, and is counted") {
    Bus bus(may_read);
    fill(bus, many(1));
    wal::Group group;
    const std::string bytes = "not what was signed";
    wal::Append append;
    append.stored = as_bytes(bytes);
    group.records.push_back(append);
    REQUIRE(bus.log->append(group).has_value());
    fill(bus, many(1));
    Reader reader(bus);
    CHECK(reader.delivered(reader.ask(reader.from(1))) == std::vector<std::uint64_t>{1, 3});
    CHECK(bus.counter("amoskys_bus_undeliverable_records_total") == 1);
}

TEST_CASE("a failed write of a new cursor refuses the subscription and leaves the session usable") {
    Bus bus(may_read);
    fill(bus, many(1));
    Reader reader(bus);
    auto frame = reader.from(1);
    frame.mutable_subscribe()->set_cursor("siem");
    reader.output();
    reader.send(frame);
    REQUIRE(reader.commit(make_error(ErrorKind::io, "wal_disk_full", "no space")));
    CHECK(reader.last().error().code() == ErrorFrame::UNAVAILABLE);
    CHECK(bus.state->subscribers == 0);
    CHECK(reader.delivered(reader.ask(reader.from(1))) == std::vector<std::uint64_t>{1});
}

TEST_CASE("what was pruned is said at the start, and ends a reader that was too slow for it") {
    Bus bus(may_read);
    // Segments end by age: each batch is one.
    const auto roll = [&] {
        fill(bus, many(2));
        bus.clock.advance(25h);
    };
    roll();
    roll();
    fill(bus, many(1));
    Reader slow(bus, 1);
    slow.ask(slow.from(1, 1));
    REQUIRE(bus.log->prune({3}).value() == 2);
    Reader reader(bus, 2);
    const auto frames = reader.ask(reader.from(1));
    CHECK(frames.front().ack().ack().reason() == "records 1 to 2 were pruned; going on with 3");
    CHECK(reader.delivered(frames) == std::vector<std::uint64_t>{3, 4, 5});

    wire::Frame grant;
    grant.set_request_id(slow.subscription);
    grant.mutable_credit()->set_envelopes_limit(100);
    grant.mutable_credit()->set_bytes_limit(1 << 20);
    const auto end = slow.ask(grant);
    CHECK(end.back().error().reason().starts_with("slow reader: records 2 to 2 were pruned"));
    CHECK(bus.counter("amoskys_bus_subscriber_disconnects_total", "pruned") == 1);
}
