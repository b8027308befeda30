#include "core/link/client_machine.h"

#include <map>

#include "core/link/test/bus_fixture.h"
#include "core/wire/statement.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;
using namespace std::chrono_literals;
using messaging::UniversalAck;
using Time = std::chrono::steady_clock::time_point;

namespace {

class FakeSource final : public Source {
  public:
    Position position() const override { return {{epoch}, {acked}, {}, {items.size()}}; }
    Result<SeqNo> resume(const BusHead& head) override {
        return head.epoch.value == epoch ? head.sequence : SeqNo{};
    }
    Result<std::optional<Item>> next(SeqNo after) override {
        if (after.value >= items.size())
            return std::optional<Item>();
        return std::optional<Item>(Item{after.next(), items[after.value]});
    }
    void committed(SeqNo last) override { acked = last.value; }
    Result<> reject(SeqNo sequence, const std::string& reason) override {
        rejected[sequence.value] = reason;
        items[sequence.value - 1] = "gap marker";
        return {};
    }
    void keep(const amoskys::bus::Receipt& receipt) override { receipts.push_back(receipt); }
    std::optional<amoskys::bus::Head> signed_head(Duration interval) override {
        amoskys::bus::Head head;
        head.set_last_sequence(items.size());
        head.set_interval_ms(static_cast<std::uint32_t>(interval / 1ms));
        return head;
    }
    void session_ended() override {}
    io::Task<> wait_for_more() override { co_return; }

    std::uint64_t epoch = 7, acked = 0;
    std::vector<std::string> items;
    std::map<std::uint64_t, std::string> rejected;
    std::vector<amoskys::bus::Receipt> receipts;
};

struct Machine {
    explicit Machine(std::size_t count) : machine(source, options, stats, {"192.0.2.1", 50051}) {
        options.ping_after = 30s;
        options.head_interval = 0s;
        for (std::size_t i = 0; i < count; ++i)
            source.items.push_back("envelope " + std::to_string(i + 1));
    }
    Result<> on(const wire::Frame& frame) {
        const auto body = body_of(frame);
        return machine.on_frame(as_bytes(body), now);
    }
    void welcome(std::uint64_t envelopes = 10, std::uint64_t epoch = 0,
                 std::uint64_t sequence = 0) {
        wire::Frame frame;
        frame.mutable_welcome()->mutable_window()->set_envelopes_limit(envelopes);
        frame.mutable_welcome()->mutable_window()->set_bytes_limit(1 << 20);
        frame.mutable_welcome()->set_committed_epoch(epoch);
        frame.mutable_welcome()->set_committed_sequence(sequence);
        frame.mutable_welcome()->set_log_public_key(to_string(log_key.public_key()));
        frame.mutable_welcome()->add_compression(amoskys::bus::COMPRESSION_ZSTD);
        REQUIRE(on(frame).has_value());
    }
    Result<> answer(std::uint64_t id, UniversalAck::Status status, const std::string& reason = "",
                    std::uint32_t hint_ms = 0) {
        wire::Frame frame;
        frame.set_request_id(id);
        auto& ack = *frame.mutable_ack()->mutable_ack();
        ack.set_status(status);
        ack.set_reason(reason);
        ack.set_backoff_hint_ms(hint_ms);
        return on(frame);
    }
    // The envelopes that it sends now; other frames are kept in `others`.
    std::vector<std::string> sent() {
        std::string out;
        REQUIRE(machine.fill(out, 1 << 20, now).has_value());
        std::vector<std::string> envelopes;
        others.clear();
        for (const auto& frame : frames_of(out)) {
            if (frame.has_publish())
                envelopes.push_back(frame.publish().envelope());
            else
                others.push_back(frame);
        }
        return envelopes;
    }

    FakeSource source;
    crypto::SigningKey log_key = crypto::SigningKey::from_seed(Bytes(32, 9));
    ClientOptions options;
    ClientStats stats;
    ClientMachine machine;
    std::vector<wire::Frame> others;
    Time now{1h};
};

}  // namespace

TEST_CASE("the client sends nothing before WELCOME, and then after what the bus has") {
    Machine m(4);
    CHECK(m.sent().empty());
    m.welcome(10, 7, 2);
    CHECK(m.sent() == std::vector<std::string>{"envelope 3", "envelope 4"});
}

TEST_CASE("it stops at its credit, says once how much waits, and goes on with the next grant") {
    Machine m(5);
    m.welcome(2);
    CHECK(m.sent().size() == 2);
    REQUIRE(m.others.size() == 1);
    CHECK(m.others[0].credit().waiting_envelopes() == 3);
    m.sent();
    CHECK(m.others.empty());
    wire::Frame grant;
    grant.mutable_credit()->set_envelopes_limit(4);
    grant.mutable_credit()->set_bytes_limit(1 << 20);
    REQUIRE(m.on(grant).has_value());
    CHECK(m.sent() == std::vector<std::string>{"envelope 3", "envelope 4"});
}

TEST_CASE("a cumulative answer moves the source's cursor to what the bus has committed") {
    Machine m(3);
    m.welcome();
    m.sent();
    wire::Frame frame;
    frame.mutable_ack()->set_first_request_id(2);
    frame.mutable_ack()->set_last_request_id(4);
    frame.mutable_ack()->set_committed_epoch(7);
    frame.mutable_ack()->set_committed_sequence(3);
    REQUIRE(m.on(frame).has_value());
    CHECK(m.source.acked == 3);
    CHECK(m.stats.acked == 3);
    CHECK_FALSE(m.machine.has_unanswered());
}

TEST_CASE(
    "RETRY goes back to the refused one after at least the hint, later answers of that flight do "
    "not count") {
    Machine m(3);
    m.welcome();
    CHECK(m.sent().size() == 3);
    REQUIRE(m.answer(2, UniversalAck::OVERLOAD, "busy", 500).has_value());
    CHECK(m.sent().empty());
    m.now += 499ms;
    CHECK(m.sent().empty());
    m.now += 2s;
    CHECK(m.sent() == std::vector<std::string>{"envelope 1", "envelope 2", "envelope 3"});
    REQUIRE(m.answer(3, UniversalAck::RETRY, "waiting for sequence 1").has_value());
    REQUIRE(m.answer(4, UniversalAck::RETRY, "waiting for sequence 1").has_value());
    CHECK(m.sent().empty());
    CHECK(m.stats.retried == 1);
}

TEST_CASE("INVALID is handed to the source, and what stands in its place is sent next") {
    Machine m(2);
    m.welcome();
    m.sent();
    REQUIRE(m.answer(2, UniversalAck::INVALID, "non-canonical envelope (field 3)").has_value());
    CHECK(m.source.rejected[1] == "non-canonical envelope (field 3)");
    CHECK(m.sent() == std::vector<std::string>{"gap marker", "envelope 2"});
    CHECK(m.stats.rejected == 1);
}

TEST_CASE("a violation and an ERROR end the session with the bus's words") {
    Machine m(1);
    m.welcome();
    m.sent();
    const auto violation = m.answer(2, UniversalAck::SECURITY_VIOLATION, "bad signature");
    REQUIRE_FALSE(violation.has_value());
    CHECK(violation.error().code == "bus_security_violation");
    wire::Frame frame;
    frame.mutable_error()->set_code(amoskys::bus::ErrorFrame::IDENTITY_REFUSED);
    frame.mutable_error()->set_reason("revoked");
    const auto refused = m.on(frame);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == "bus_identity_refused");
    CHECK(refused.error().message == "the bus says: revoked");
}

TEST_CASE("silence is answered with a PING, and further silence ends the session") {
    Machine m(0);
    m.welcome();
    std::string out;
    m.now += 30s;
    REQUIRE(m.machine.tick(out, m.now).has_value());
    REQUIRE(frames_of(out).size() == 1);
    CHECK(frames_of(out)[0].has_ping());
    m.now += 30s;
    CHECK_FALSE(m.machine.tick(out, m.now).has_value());
}

TEST_CASE("after DRAIN nothing new is sent, and the session ends once all is answered") {
    Machine m(2);
    m.welcome(1);
    CHECK(m.sent().size() == 1);
    wire::Frame frame;
    frame.mutable_drain()->set_reason("stopping");
    REQUIRE(m.on(frame).has_value());
    CHECK(m.sent().empty());
    REQUIRE(m.answer(2, UniversalAck::OK).has_value());
    std::string out;
    const auto ended = m.machine.fill(out, 1 << 20, m.now);
    REQUIRE_FALSE(ended.has_value());
    CHECK(ended.error().code == "bus_draining");
}

TEST_CASE("a receipt is handed to the source only with the log key's signature, and of its lane") {
    Machine m(1);
    m.options.agent_id = "edge-1";
    m.options.lane = "snmp";
    m.welcome();
    wire::Frame frame;
    auto& receipt = *frame.mutable_receipt();
    receipt.set_agent_id("edge-1");
    receipt.set_lane("snmp");
    receipt.set_epoch(7);
    receipt.set_last_sequence(1);
    wire::sign(receipt, m.log_key);
    REQUIRE(m.on(frame).has_value());
    REQUIRE(m.source.receipts.size() == 1);
    CHECK(m.stats.receipts == 1);
    SECTION("changed") {
        receipt.set_last_sequence(2);
    }
    SECTION("of another lane") {
        receipt.set_lane("proc");
        wire::sign(receipt, m.log_key);
    }
    SECTION("by another key") {
        wire::sign(receipt, crypto::SigningKey::generate());
    }
    const auto refused = m.on(frame);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == "bus_receipt");
    CHECK(m.source.receipts.size() == 1);
}

TEST_CASE("a head goes out after WELCOME and then every interval, also when idle") {
    Machine m(2);
    m.options.head_interval = 10s;
    const auto heads = [&] {
        std::string out;
        REQUIRE(m.machine.tick(out, m.now).has_value());
        std::vector<wire::Frame> found;
        for (auto& frame : frames_of(out))
            if (frame.has_head())
                found.push_back(frame);
        return found;
    };
    CHECK(heads().empty());
    m.welcome();
    const auto first = heads();
    REQUIRE(first.size() == 1);
    CHECK(first[0].request_id() == 0);
    CHECK(first[0].head().last_sequence() == 2);
    CHECK(first[0].head().interval_ms() == 10'000);
    m.now += 9s;
    CHECK(heads().empty());
    m.now += 1s;
    CHECK(heads().size() == 1);
}

TEST_CASE("what compresses well is sent as zstd where both sides speak it, the rest as it is") {
    Machine m(0);
    const std::string large(10'000, 'x');
    std::string noise(10'000, ' ');
    crypto::random_bytes({reinterpret_cast<std::uint8_t*>(noise.data()), noise.size()});
    m.source.items = {large, "small", noise, large};
    m.options.compression = Compress::automatic;
    m.welcome();
    std::string out;
    REQUIRE(m.machine.fill(out, 1 << 20, m.now).has_value());
    const auto frames = frames_of(out);
    REQUIRE(frames.size() == 4);
    CHECK(frames[0].publish().compression() == amoskys::bus::COMPRESSION_ZSTD);
    CHECK(frames[0].publish().uncompressed_size() == large.size());
    CHECK(frames[0].publish().envelope().size() < 200);
    CHECK(frames[1].publish().compression() == amoskys::bus::COMPRESSION_NONE);
    CHECK(frames[1].publish().envelope() == "small");
    CHECK(frames[2].publish().compression() == amoskys::bus::COMPRESSION_NONE);
    CHECK(frames[3].publish().compression() == amoskys::bus::COMPRESSION_NONE);  // not tried
    CHECK(m.stats.envelope_bytes == 2 * large.size() + 5 + noise.size());
    CHECK(m.stats.wire_bytes < large.size() + noise.size() + 500);
}

TEST_CASE("finishing sends nothing new, then DRAIN once all is answered") {
    Machine m(3);
    m.welcome(2);
    CHECK(m.sent().size() == 2);
    m.machine.finish();
    CHECK(m.sent().empty());
    CHECK(m.others.empty());
    REQUIRE(m.answer(2, UniversalAck::OK).has_value());
    REQUIRE(m.answer(3, UniversalAck::OK).has_value());
    CHECK(m.sent().empty());
    REQUIRE(m.others.size() == 1);
    CHECK(m.others[0].has_drain());
    CHECK(m.sent().empty());
    CHECK(m.others.empty());
}

TEST_CASE("with another bus in the list, refusals in a row end the session, one OK counts anew") {
    Machine m(2);
    m.options.retry_max = 2;
    m.options.buses.resize(2);
    m.welcome(100);
    std::uint64_t id = 2;
    const auto refuse = [&](UniversalAck::Status status) {
        m.now += 5s;
        const auto count = m.sent().size();
        REQUIRE(count > 0);
        const auto result = m.answer(id, status, "disk full");
        id += count;
        return result;
    };
    REQUIRE(refuse(UniversalAck::RETRY).has_value());
    REQUIRE(refuse(UniversalAck::OVERLOAD).has_value());
    for (int i = 0; i < 5; ++i)
        REQUIRE(refuse(UniversalAck::QUOTA_EXCEEDED).has_value());
    m.now += 5s;
    REQUIRE(m.sent().size() == 2);
    REQUIRE(m.answer(id, UniversalAck::OK).has_value());
    REQUIRE(m.answer(id + 1, UniversalAck::RETRY).has_value());
    id += 2;
    REQUIRE(refuse(UniversalAck::RETRY).has_value());
    const auto ended = refuse(UniversalAck::RETRY);
    REQUIRE(ended.has_error());
    CHECK(ended.error().code == "bus_takes_nothing");
}
