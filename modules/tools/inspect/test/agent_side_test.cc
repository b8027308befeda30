// Receipts, signed heads and quarantine: what an agent keeps or has signed, against the log.
#include "core/module/bus_memory.h"
#include "core/module/quarantine.h"
#include "core/wire/statement.h"
#include "modules/tools/inspect/test/support.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

namespace files = std::filesystem;

amoskys::bus::Receipt receipt_of(wal::Log& log, const crypto::SigningKey& key = log_key()) {
    const auto head = log.tree_head();
    REQUIRE(ok(head));
    amoskys::bus::Receipt receipt;
    receipt.set_log_key_id(key.id());
    receipt.set_agent_id("edge-1");
    receipt.set_lane("snmp");
    receipt.set_epoch(start_ns / 1'000'000);
    receipt.set_last_sequence(5);
    receipt.set_head_digest(std::string(32, 'h'));
    receipt.set_tree_size(head->size);
    receipt.set_root(to_string(head->root));
    receipt.set_time_ns(start_ns);
    wire::sign(receipt, key);
    return receipt;
}

// A spool that has only met one bus.
void write_spool(const files::path& folder, const amoskys::bus::Receipt& receipt) {
    files::create_directories(folder);
    auto log = wal::Log::open(folder, {});
    REQUIRE(ok(log));
    module::BusMemory memory;
    const auto bus = memory.meet({.address = "192.0.2.1:50051",
                                  .origin = "amoskys/bus-1/0123abcd",
                                  .log_key = to_bytes(log_key().public_key()),
                                  .now_ns = start_ns},
                                 {});
    REQUIRE(ok(bus));
    module::BusMemory::keep(**bus, receipt);
    wal::Group group;
    group.states = memory.take_changes();
    group.states.push_back(module::BusMemory::state(**bus));
    REQUIRE(ok((*log)->append(group)));
}

amoskys::bus::Head head_of(std::uint64_t last_sequence, const Digest& digest) {
    amoskys::bus::Head head;
    head.set_key_id(test_key()->id());
    head.set_agent_id("edge-1");
    head.set_lane("snmp");
    head.set_epoch(start_ns / 1'000'000);
    head.set_last_sequence(last_sequence);
    head.set_head_digest(to_string(digest));
    head.set_time_ns(start_ns);
    head.set_interval_ms(30'000);
    wire::sign(head, *test_key());
    return head;
}

void keep_head(wal::Log& log, const amoskys::bus::Head& head) {
    wal::Group group;
    group.states.push_back({wire::kept_head_key({head.agent_id(), head.lane()}),
                            wire::encode_kept_head({start_ns + second_ns, head})});
    REQUIRE(ok(log.append(group)));
}

Digest last_digest(wal::Log& log) {
    Digest out{};
    const auto read = log.read({1}, UINT64_MAX, [&](const wal::RecordView& record) {
        if (record.header.kind == RecordKind::universal)
            out = record.header.digest;
        return true;
    });
    REQUIRE(ok(read));
    return out;
}

std::vector<std::string> whats(const Json& verification) {
    std::vector<std::string> out;
    for (const auto& finding : verification["findings"])
        out.push_back(finding["what"]);
    return out;
}

}  // namespace

TEST_CASE("a spool's receipts are listed, and vouch for the log as a folder and as a file") {
    State state;
    SampleLog sample(state);
    write_log_key(state);
    const files::path spool = state.folder / "spool/snmp";
    write_spool(spool, receipt_of(sample.log()));
    sample.close();
    const Outcome listed = state.run(receipts, SpoolVerbOptions{});
    REQUIRE(listed.json.size() == 1);
    Json row = listed.json;
    row[0]["root"] = "ROOT";  // received times are in the tree
    row[0]["receipt"] = "RECEIPT";
    CHECK(row[0]["signature"] == "ok");
    check_golden("receipt", row);

    const files::path file = state.folder / "receipts.json";
    REQUIRE(ok(write_new_file(file, listed.text, 0644)));
    const files::path lines = state.folder / "receipts.ndjson";
    REQUIRE(ok(write_new_file(
        lines, state.run(receipts, SpoolVerbOptions{}, OutputFormat::ndjson).text, 0644)));
    for (const files::path& from : {file, lines, spool, state.folder / "spool"}) {
        VerifyOptions options;
        options.receipt = from.string();
        const Outcome whole = state.run(verify, options);
        INFO(from.string() + whole.text);
        CHECK_FALSE(whole.error.has_value());
        CHECK(whole.json["checkpoints"][0]["kind"] == "receipt");
        CHECK(whole.json["checkpoints"][0]["holds"] == true);
        CHECK(whole.json["statement"].get<std::string>().ends_with(
            "the receipt of edge-1/snmp vouches for records up to 5"));
    }
}

TEST_CASE(
    "verify --receipt finds the cut tail and the replaced log, and a receipt of another key") {
    State state;
    SampleLog sample(state);
    write_log_key(state);
    auto receipt = receipt_of(sample.log());
    std::string expected;
    SECTION("cut") {
        receipt.set_tree_size(7);
        wire::sign(receipt, log_key());
        expected = "truncated";
    }
    SECTION("replaced") {
        receipt.set_root(std::string(32, 'r'));
        wire::sign(receipt, log_key());
        expected = "replaced";
    }
    SECTION("another key") {
        receipt = receipt_of(sample.log(), log_key(51));
        expected = "checkpoint";
    }
    write_spool(state.folder / "spool/snmp", receipt);
    sample.close();
    VerifyOptions options;
    options.receipt = (state.folder / "spool").string();
    const Outcome outcome = state.run(verify, options);
    REQUIRE(outcome.error.has_value());
    CHECK(exit_code(*outcome.error) == 10);
    CHECK(whats(outcome.json) == std::vector<std::string>{expected});
    CHECK(outcome.json["findings"][0]["message"].get<std::string>().find(
              "receipt of edge-1/snmp") != std::string::npos);
}

TEST_CASE("what is no receipt is refused before the log is read") {
    State state;
    SampleLog sample(state);
    write_log_key(state);
    sample.close();
    VerifyOptions options;
    options.receipt = (state.folder / "none").string();
    CHECK(exit_code(*state.run(verify, options).error) == 66);
    options.receipt = (state.folder / "text").string();
    REQUIRE(ok(write_new_file(options.receipt, "{\"receipt\":\"@\"}\n", 0644)));
    CHECK(exit_code(*state.run(verify, options).error) == 65);
    CHECK(exit_code(*state.run(receipts, SpoolVerbOptions{}).error) == 66);
}

TEST_CASE("heads are listed with what the log has of them") {
    State state;
    SampleLog sample(state);
    keep_head(sample.log(), head_of(7, Digest{}));
    sample.close();
    const Outcome listed = state.run(heads, HeadsOptions{});
    check_golden("head", listed.json);
    CHECK(listed.json[0]["ahead"] == 2);
    CHECK(listed.json[0]["silent"] == true);
}

TEST_CASE("verify compares the agents' signed heads with the records") {
    State state;
    SampleLog sample(state);
    auto head = head_of(5, last_digest(sample.log()));
    SECTION("the same") {
        keep_head(sample.log(), head);
        sample.close();
        CHECK_FALSE(state.run(verify, VerifyOptions{}).error.has_value());
    }
    SECTION("another envelope") {
        keep_head(sample.log(), head_of(5, Digest{}));
        sample.close();
        const Outcome outcome = state.run(verify, VerifyOptions{});
        REQUIRE(whats(outcome.json) == std::vector<std::string>{"head"});
        CHECK(outcome.json["findings"][0]["offset"] == 4);
    }
    SECTION("an envelope that a gap marker has replaced") {
        keep_head(sample.log(), head_of(4, last_digest(sample.log())));
        sample.close();
        CHECK_FALSE(state.run(verify, VerifyOptions{}).error.has_value());
    }
    SECTION("a changed head") {
        head.set_last_sequence(9);
        keep_head(sample.log(), head);
        sample.close();
        CHECK(whats(state.run(verify, VerifyOptions{}).json) == std::vector<std::string>{"head"});
    }
}

TEST_CASE(
    "quarantined envelopes are listed, and a file that cannot be read is one row and exit 3") {
    State state;
    write_spool(state.folder / "spool/snmp", {});
    REQUIRE(ok(module::quarantine(state.folder / "spool/snmp",
                                  {.lane = {"edge-1", "snmp"},
                                   .epoch = {start_ns / 1'000'000},
                                   .sequence = {7},
                                   .time_ns = start_ns,
                                   .reason = "Envelope too large (131073 > 131072 bytes)",
                                   .events = 29,
                                   .envelope = "envelope"})));
    Json rows = state.run(modules::inspect::quarantine, SpoolVerbOptions{}).json;
    CHECK(rows[0]["file"].get<std::string>().ends_with("-00000000000000000007.json"));
    rows[0]["file"] = "FILE";
    check_golden("quarantined", rows);
    REQUIRE(ok(write_new_file(state.folder / "spool/snmp/quarantine/0.json", "{", 0600)));
    const Outcome damaged = state.run(modules::inspect::quarantine, SpoolVerbOptions{});
    REQUIRE(damaged.error.has_value());
    CHECK(exit_code(*damaged.error) == 3);
    CHECK(damaged.json.size() == 2);
}
