// Subscriber and server over real TLS on the loopback interface.
#include "core/base/file.h"
#include "core/link/subscriber.h"
#include "core/link/test/running_bus.h"

using namespace amoskys;
using namespace amoskys::link;
using namespace amoskys::link::test;

namespace {

// The bus's trust map with the permission that pki_init does not give.
void allow_subscribing() {
    static const bool done = [] {
        auto text = read_file(pki().trust_map(), 1 << 20);
        REQUIRE(text.has_value());
        const std::string name = "edge-1: ";
        const auto at = text->find(name);
        REQUIRE(at != std::string::npos);
        const auto begin = at + name.size();
        const auto path = text->substr(begin, text->find('\n', begin) - begin);
        text->replace(begin, path.size(),
                      "{public_key_path: " + path + ", permissions: [publish, subscribe]}");
        REQUIRE(write_file_atomic(pki().trust_map(), *text, 0600).has_value());
        return true;
    }();
    REQUIRE(done);
}

// Envelopes appended to the log as the bus does it, without a publisher; returns when they are
// there.
void append(Running& bus, std::size_t count) {
    static wire::EnvelopeBuilder lane = [] {
        auto key = crypto::SigningKey::load(pki().agent_signing_key("edge-1"));
        REQUIRE(key.has_value());
        return wire::EnvelopeBuilder("edge-1", "snmp",
                                     std::make_shared<const crypto::SigningKey>(std::move(*key)),
                                     {{1000}, {0}, {}});
    }();
    wal::WriteRequest request;
    for (std::size_t i = 0; i < count; ++i) {
        wal::OwnedAppend record;
        record.stored = build(lane);
        const auto cut = wire::cut_envelope(as_bytes(record.stored));
        REQUIRE(cut.has_value());
        record.digest = wire::canonical_digest(*cut);
        record.signature = to_string(cut->signature);
        request.records.push_back(std::move(record));
    }
    const auto before = bus.log->stats().records;
    REQUIRE(bus.writer->submit(std::move(request)));
    bus.until([&] { return bus.log->stats().records >= before + count; });
}

SubscriberOptions options_for(const Running& bus) {
    SubscriberOptions out;
    out.bus = *io::parse_endpoint(bus.address, 0);
    out.agent_id = "edge-1";
    out.tls = agent_files(pki());
    out.from = WalOffset{1};
    return out;
}

struct Reader {
    Reader(Running& bus_, SubscriberOptions options)
        : bus(bus_), subscriber(bus_.io, std::move(options), [this](const wire::DeliverView& view) {
              got.push_back(view.offset.value);
              return Result<bool>(got.size() < stop_after);
          }) {
        bus.clients.spawn("reader", run(this));
    }
    static io::Task<Result<>> run(Reader* self) {
        auto task = self->subscriber.run();
        self->outcome = co_await std::move(task);
        self->ended = true;
        co_return Result<>();
    }
    Running& bus;
    std::vector<std::uint64_t> got;
    std::size_t stop_after = SIZE_MAX;
    Subscriber subscriber;
    Result<> outcome;
    bool ended = false;
};

std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> out;
    for (auto i = from; i <= to; ++i)
        out.push_back(i);
    return out;
}

double metric(const Running& bus, const std::string& name) {
    double out = 0;
    for (const auto& sample : bus.registry.samples())
        if (sample.name == name)
            out += sample.value;
    return out;
}

}  // namespace

TEST_CASE("subscribers follow the log as it grows, each at its own place") {
    allow_subscribing();
    Running bus;
    append(bus, 1000);
    Reader all(bus, options_for(bus));
    auto options = options_for(bus);
    options.from = WalOffset{990};
    options.window_envelopes = 3;
    Reader some(bus, std::move(options));
    bus.until([&] { return all.got.size() == 1000 && some.got.size() == 11; });
    append(bus, 5);
    bus.until([&] { return all.got.size() == 1005 && some.got.size() == 16; });
    CHECK(all.got == numbers(1, 1005));
    CHECK(some.got == numbers(990, 1005));
    CHECK(metric(bus, "amoskys_bus_delivered_records_total") == 1021);
}

TEST_CASE("a reader with a small window gets a log of large envelopes whole") {
    allow_subscribing();
    Running bus;
    append(bus, 300);
    auto options = options_for(bus);
    options.window_bytes = 1000;
    Reader reader(bus, std::move(options));
    bus.until([&] { return reader.got.size() == 300; });
    CHECK(reader.got == numbers(1, 300));
}

TEST_CASE("a subscriber goes on after a lost connection without a repetition or a gap") {
    allow_subscribing();
    Running bus;
    append(bus, 10);
    Reader reader(bus, options_for(bus));
    bus.until([&] { return reader.got.size() == 10; });
    auto config = bus.config();
    config.limits.idle = 1s;  // the bus hangs up on who says nothing
    REQUIRE(bus.server->reload(config).has_value());
    bus.until([&] { return reader.subscriber.stats().connects >= 2; });
    append(bus, 10);
    bus.until([&] { return reader.got.size() >= 20; });
    CHECK(reader.got == numbers(1, 20));
    CHECK(reader.subscriber.stats().failures >= 1);
}

TEST_CASE("a cursor brings the next reader to where the last one stopped") {
    allow_subscribing();
    Running bus;
    append(bus, 20);
    auto options = options_for(bus);
    options.cursor = "siem";
    {
        Reader reader(bus, options);
        reader.stop_after = 7;
        bus.until([&] { return reader.ended; });
        CHECK(reader.outcome.has_value());
        CHECK(reader.got == numbers(1, 7));
    }
    CHECK(bus.server->state().cursors.find("edge-1", "siem")->done == WalOffset{7});
    options.from = {};
    options.stop_at_end = true;
    Reader reader(bus, options);
    bus.until([&] { return reader.ended; });
    CHECK(reader.outcome.has_value());
    CHECK(reader.got == numbers(8, 20));
}

TEST_CASE("a reader that takes nothing is disconnected, and others are served meanwhile") {
    allow_subscribing();
    Running bus;
    append(bus, 200);
    auto stuck_options = options_for(bus);
    stuck_options.window_envelopes = 0;  // never grants anything
    stuck_options.reconnect = Reconnect::never;
    auto config = bus.config();
    config.limits.slow_reader = 1s;
    REQUIRE(bus.server->reload(config).has_value());
    Reader stuck(bus, std::move(stuck_options));
    Reader reader(bus, options_for(bus));
    bus.until([&] { return reader.got.size() == 200; });
    CHECK(bus.log->stats().readers == 0);  // nobody keeps pages while waiting
    bus.until([&] { return stuck.ended; });
    REQUIRE_FALSE(stuck.outcome.has_value());
    CHECK(stuck.outcome.error().message.find("slow reader: no credit for 1s, 200 records behind") !=
          std::string::npos);
    append(bus, 1);
    bus.until([&] { return reader.got.size() == 201; });
}

TEST_CASE("a subscriber without the permission ends at once with the reason") {
    Running bus;
    auto options = options_for(bus);
    options.agent_id = "edge-9";  // not the certificate's
    Reader reader(bus, std::move(options));
    bus.until([&] { return reader.ended; });
    REQUIRE_FALSE(reader.outcome.has_value());
    CHECK(reader.outcome.error().kind == ErrorKind::permission);
}
