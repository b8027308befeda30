#include "modules/ingestion/bus/bus_service.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "core/base/file.h"
#include "core/crypto/hash.h"
#include "core/crypto/pki.h"
#include "core/link/client.h"
#include "core/wal/checkpoint.h"
#include "core/wal/log.h"

using namespace amoskys;
using namespace std::chrono_literals;

namespace {

struct Host final : module::ServiceHost {
    void ready(const Json& given) override { addresses = given; }
    Json addresses;
};

struct Folder {
    Folder() {
        std::uint8_t random[8];
        crypto::random_bytes(random);
        path = fs::temp_directory_path() / ("amoskys-bus-" + to_hex(random));
        crypto::InitRequest request;
        request.local_agent = "edge-1";
        fs::create_directories(path);
        REQUIRE(crypto::pki_init({path / "pki"}, request, system_clock()).has_value());
    }
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    fs::path path;
};

struct Process {
    explicit Process(const fs::path& state_dir_, ingestion::BusConfig config = {})
        : state_dir(state_dir_) {
        config.listen = "127.0.0.1:0";
        config.http_listen = "127.0.0.1:0";
        config.wal_min_free = {0};
        shared = std::make_shared<ingestion::BusConfig>(config);
        auto made =
            ingestion::make_bus_service({io, system_clock(), registry, shared, state_dir, host});
        REQUIRE(made.has_value());
        service = std::move(*made);
        group.spawn("collect", collect(this));
    }
    static io::Task<Result<>> collect(Process* self) {
        auto task = self->service->run();
        self->outcome = co_await std::move(task);
        self->ended = true;
        co_return Result<>();
    }
    template <class Done>
    void until(Done done) {
        const auto limit = std::chrono::steady_clock::now() + 30s;
        while (!done() && std::chrono::steady_clock::now() < limit) {
            io.restart();
            io.run_one_for(50ms);
        }
        REQUIRE(done());
    }
    void stop() {
        group.cancel();
        until([&] { return group.size() == 0; });
    }
    Result<wire::Frame> ask(wire::Frame request);

    fs::path state_dir;
    io::asio::io_context io;
    metrics::Registry registry;
    Host host;
    std::shared_ptr<ingestion::BusConfig> shared;
    std::unique_ptr<module::Service> service;
    io::TaskGroup group{io};
    Result<> outcome;
    bool ended = false;
};

io::Task<Result<>> call_into(link::ClientOptions options, wire::Frame request,
                             Result<wire::Frame>* out) {
    auto task = link::call(std::move(options), std::move(request));
    *out = co_await std::move(task);
    co_return Result<>();
}

Result<wire::Frame> Process::ask(wire::Frame request) {
    const crypto::PkiPaths pki{state_dir / "pki"};
    link::ClientOptions options;
    options.buses = {*io::parse_endpoint(host.addresses["listen"].get<std::string>(), 0)};
    options.agent_id = "edge-1";
    options.tls = {pki.ca_cert(), pki.agent_cert("edge-1"), pki.agent_key("edge-1")};
    Result<wire::Frame> out = make_error(ErrorKind::failed, "unset", "");
    io::TaskGroup calls(io);
    calls.spawn("call", call_into(std::move(options), std::move(request), &out));
    until([&] { return calls.size() == 0; });
    return out;
}

}  // namespace

TEST_CASE(
    "the bus says ready with its addresses, serves, stops, and starts again on the same folder") {
    const Folder folder;
    for (int round = 0; round < 2; ++round) {
        Process bus(folder.path);
        bus.until([&] { return bus.host.addresses.contains("listen"); });
        CHECK(bus.host.addresses.contains("http"));
        wire::Frame request;
        request.mutable_register_device()->set_device_id("dev-1");
        const auto answer = bus.ask(request);
        INFO((answer ? std::string() : answer.error().message));
        REQUIRE(answer.has_value());
        CHECK(answer->registration_answer().accepted());
        REQUIRE(bus.service->reload(bus.shared).has_value());
        bus.stop();
        CHECK(bus.ended);
        CHECK(bus.outcome.has_value());
    }
}

TEST_CASE(
    "a checkpoint is left at stop, and a log that was rolled back is told at the next start") {
    const Folder folder;
    const auto key =
        crypto::load_public_key(crypto::PkiPaths{folder.path / "pki"}.log_public_key());
    REQUIRE(key.has_value());
    const auto newest = [&] {
        const auto note = read_file(folder.path / "checkpoints/latest", wal::checkpoint_bytes_max);
        REQUIRE(note.has_value());
        const auto opened = wal::open_checkpoint(*note, *key);
        REQUIRE(opened.has_value());
        return *opened;
    };
    const auto serve = [&](const std::string& device) {
        Process bus(folder.path);
        bus.until([&] { return bus.host.addresses.contains("listen"); });
        wire::Frame request;
        request.mutable_register_device()->set_device_id(device);
        REQUIRE(bus.ask(request).has_value());
        bus.stop();
    };
    {  // a record of any kind, as if from an earlier run
        auto log = wal::Log::open(folder.path / "wal", {});
        REQUIRE(log.has_value());
        wal::Group group;
        wal::Append& record = group.records.emplace_back();
        record.kind = RecordKind::audit;
        record.stored = as_bytes("x");
        record.digest = crypto::sha256(as_bytes("x"));
        REQUIRE((*log)->append(group).has_value());
    }
    const fs::path older = folder.path / "wal.older";
    fs::copy(folder.path / "wal", older, fs::copy_options::recursive);
    serve("dev-1");
    const auto first = newest();
    CHECK(first.origin.starts_with("amoskys/"));
    REQUIRE(first.size >= 1);
    CHECK(fs::exists(folder.path / "checkpoints" / format_time(first.time_ns).substr(0, 10)));

    // Made longer, signed, then put back.
    wal::Checkpoint longer = first;
    longer.size += 5;
    const auto signing = crypto::SigningKey::load(crypto::PkiPaths{folder.path / "pki"}.log_key());
    REQUIRE(signing.has_value());
    REQUIRE(write_file_atomic(folder.path / "checkpoints/latest",
                              wal::sign_checkpoint(longer, *signing), 0644)
                .has_value());
    fs::remove_all(folder.path / "wal");
    fs::rename(older, folder.path / "wal");
    serve("dev-2");
    CHECK(newest().size < longer.size);
    CHECK(fs::exists(folder.path / "checkpoints" / ("rolled-back-" + std::to_string(longer.size))));
}

TEST_CASE("a bus without keys ends with a hint, and a second one on the same log says who has it") {
    const Folder folder;
    {
        Process bus(folder.path / "nothing");
        bus.until([&] { return bus.group.size() == 0; });
        REQUIRE_FALSE(bus.outcome.has_value());
        CHECK(bus.host.addresses.is_null());
    }
    Process first(folder.path);
    first.until([&] { return first.host.addresses.contains("listen"); });
    Process second(folder.path);
    second.until([&] { return second.group.size() == 0; });
    REQUIRE_FALSE(second.outcome.has_value());
    CHECK(second.outcome.error().code == "wal_open_here");  // another process: wal_locked
    first.stop();
}

TEST_CASE("an address that is none is a configuration error that names the key") {
    io::asio::io_context io;
    metrics::Registry registry;
    Host host;
    auto config = std::make_shared<ingestion::BusConfig>();
    config->listen = "nowhere:port";
    const auto made =
        ingestion::make_bus_service({io, system_clock(), registry, config, "/nonexistent", host});
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().kind == ErrorKind::config);
    CHECK(made.error().message.starts_with("bus.listen: "));
}

TEST_CASE("retention removes old segments, says so in the log first, and keeps their leaf hashes") {
    const Folder folder;
    {  // three segments, two hours each, long ago
        FakeClock clock(1'700'000'000'000'000'000);
        wal::Options options;
        options.clock = &clock;
        options.segment_max_age = 1h;
        auto log = wal::Log::open(folder.path / "wal", options);
        REQUIRE(log.has_value());
        for (int i = 0; i < 6; ++i) {
            const std::string text = "record " + std::to_string(i);
            wal::Append record;
            record.kind = RecordKind::audit;
            record.stored = as_bytes(text);
            record.digest = crypto::sha256(as_bytes(text));
            wal::Group group;
            group.records.push_back(record);
            REQUIRE((*log)->append(group).has_value());
            if (i % 2 == 1)
                clock.advance(2h);
        }
        REQUIRE((*log)->segments().size() == 3);
    }
    ingestion::BusConfig config;
    config.retention_max_age = 24h;
    Process bus(folder.path, config);
    const auto pruned = [&] {
        for (const auto& sample : bus.registry.samples())
            if (sample.name == "amoskys_bus_pruned_records_total")
                return sample.value;
        return 0.0;
    };
    // The newest of the three is sealed by what the bus writes, at the latest by the audit record
    // of the first two.
    bus.until([&] { return pruned() == 6; });
    bus.stop();
    REQUIRE(bus.outcome.has_value());
    auto log = wal::Log::open(folder.path / "wal", {});
    REQUIRE(log.has_value());
    CHECK((*log)->stats().oldest == WalOffset{7});
    CHECK((*log)->leaf_hash({1}).value().has_value());
    std::vector<std::string> ranges;
    const auto read = (*log)->read({1}, 100, [&](const wal::RecordView& record) {
        messaging::DeviceTelemetry telemetry;
        REQUIRE(
            telemetry.ParseFromArray(record.stored.data(), static_cast<int>(record.stored.size())));
        const auto& audit = telemetry.events(0).audit_event();
        if (audit.audit_category() != "retention")
            return true;
        CHECK(audit.action_performed() == "pruned");
        CHECK(telemetry.events(0).tags(0) == "bus.retention.max_age 1d");
        ranges.push_back(audit.object_id());
        return true;
    });
    REQUIRE(read.has_value());
    REQUIRE_FALSE(ranges.empty());
    CHECK(ranges.front().starts_with("1-"));
    CHECK(ranges.back().ends_with("-6"));
}
