#include "core/wal/merkle.h"
#include "modules/tools/inspect/chain_check.h"
#include "modules/tools/inspect/test/support.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

std::vector<std::string> whats(const Json& verification) {
    std::vector<std::string> out;
    for (const auto& finding : verification["findings"])
        out.push_back(finding["what"]);
    return out;
}

bool holds(const std::vector<std::string>& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

// LMDB leaves old copies of its pages in the file: every one that holds `wanted` is changed.
std::string replaced(std::string content, std::string_view wanted, std::string_view with) {
    std::size_t found = 0;
    for (auto at = content.find(wanted); at != std::string::npos; at = content.find(wanted, at)) {
        content.replace(at, wanted.size(), with);
        at += with.size();
        ++found;
    }
    REQUIRE(found != 0);
    return content;
}

}  // namespace

TEST_CASE("verify finds nothing in a log as the bus writes it") {
    State state;
    SampleLog(state).close();
    const Outcome outcome = state.run(verify, VerifyOptions{});
    INFO(outcome.text);
    REQUIRE_FALSE(outcome.error.has_value());
    CHECK(outcome.json["clean"] == true);
    CHECK(outcome.json["signatures_ok"] == 4);
    CHECK(outcome.json["root_matches"] == true);
    CHECK(outcome.json["statement"] ==
          "complete up to record 5 of time 2025-12-01T00:00:05.000000000Z; "
          "nothing outside vouches for it");
    check_golden("verification", outcome.json);
}

TEST_CASE("verify names a record whose signature is wrong, exit 10") {
    State state;
    SampleLog sample(state);
    std::string bytes = sample.build("router-1", start_ns);
    const auto cut = wire::cut_envelope(as_bytes(bytes));
    bytes[static_cast<std::size_t>(cut->signature.data() - as_bytes(bytes).data())] ^= 1;
    sample.append(stored(bytes));
    sample.close();
    const Outcome outcome = state.run(verify, VerifyOptions{});
    REQUIRE(outcome.error.has_value());
    CHECK(exit_code(*outcome.error) == 10);
    CHECK(whats(outcome.json) == std::vector<std::string>{"signature"});
    CHECK(outcome.json["findings"][0]["offset"] == 6);
    CHECK(outcome.json["findings"][0]["agent"] == "edge-1");
}

TEST_CASE("verify finds a digest and an attribution that are not those of the bytes") {
    State state;
    SampleLog sample(state);
    auto record = stored(sample.build("router-1", start_ns));
    record->append.digest[0] ^= 1;
    record->append.source_hash[0] ^= 1;
    sample.append(std::move(record));
    sample.close();
    const auto found = whats(state.run(verify, VerifyOptions{}).json);
    CHECK(found == std::vector<std::string>{"digest", "source"});
}

TEST_CASE("verify finds a missing, a repeated and an unlinked envelope in the chain") {
    State state;
    SampleLog sample(state);
    const std::string sixth = sample.build("router-1", start_ns);
    const std::string seventh = sample.build("router-1", start_ns);
    sample.append(stored(seventh));
    sample.append(stored(seventh));
    sample.close();
    const Outcome outcome = state.run(verify, VerifyOptions{});
    CHECK(whats(outcome.json) == std::vector<std::string>{"chain", "chain"});
    CHECK(outcome.json["findings"][0]["message"] == "sequence 7 after 5, expected 6");
    CHECK(outcome.json["findings"][1]["message"] == "sequence 7 after 7, expected 8");
}

TEST_CASE("verify without the agent's key says so, once for each envelope") {
    State state;
    SampleLog(state).close();
    std::filesystem::remove(state.folder / "pki/trust.yaml");
    CHECK(whats(state.run(verify, VerifyOptions{}).json) == std::vector<std::string>{"trust_map"});
    VerifyOptions options;
    options.trust = (state.folder / "none.yaml").string();
    CHECK(exit_code(*state.run(verify, options).error) == 66);
}

TEST_CASE("verify finds a flipped bit anywhere in a stored envelope") {
    State state;
    SampleLog sample(state);
    Bytes wanted;
    REQUIRE(ok(sample.log().read({2}, 1, [&](const wal::RecordView& record) {
        wanted = to_bytes(record.stored);
        return false;
    })));
    sample.close();
    const auto file = state.folder / "wal/00000001.mdb";
    auto content = read_file(file, 1 << 26);
    REQUIRE(ok(content));
    for (const std::size_t shift : {std::size_t{8}, wanted.size() / 2, wanted.size() - 2}) {
        Bytes changed = wanted;
        changed[shift] ^= 4;
        std::ofstream(file, std::ios::binary)
            << replaced(*content, as_text(wanted), as_text(changed));
        const Outcome outcome = state.run(verify, VerifyOptions{});
        INFO(shift);
        REQUIRE(outcome.error.has_value());
        CHECK(exit_code(*outcome.error) == 10);
    }
}

TEST_CASE("verify finds a changed header: received time and flags are in the tree") {
    State state;
    SampleLog sample(state);
    wal::RecordHeader header;
    Bytes raw;
    REQUIRE(ok(sample.log().read({2}, 1, [&](const wal::RecordView& record) {
        header = record.header;
        raw = to_bytes(record.header_raw);
        return false;
    })));
    sample.close();
    const auto file = state.folder / "wal/00000001.mdb";
    auto content = read_file(file, 1 << 26);
    REQUIRE(ok(content));
    header.received_ns += 1;
    std::ofstream(file, std::ios::binary)
        << replaced(*content, as_text(raw), as_text(wal::encode_header(header)));
    const auto found = whats(state.run(verify, VerifyOptions{}).json);
    CHECK(holds(found, "leaf"));
    CHECK(holds(found, "root"));
}

TEST_CASE("prove gives each record's path to the root of the tree") {
    State state;
    SampleLog(state).close();
    for (std::uint64_t offset = 1; offset <= 5; ++offset) {
        const Outcome outcome = state.run(prove, ProveOptions{.offset = offset, .log = {}});
        REQUIRE_FALSE(outcome.error.has_value());
        CHECK(outcome.json["holds"] == true);
        wal::Proof path;
        for (const auto& each : outcome.json["proof"]) {
            Bytes raw;
            REQUIRE(from_hex(each.get<std::string>(), raw));
            std::ranges::copy(raw, path.emplace_back().begin());
        }
        CHECK_FALSE(path.empty());
        if (offset == 3)
            check_golden("proof", outcome.json);
    }
    CHECK(exit_code(*state.run(prove, ProveOptions{.offset = 6, .log = {}}).error) == 64);
    CHECK(exit_code(*state.run(prove, ProveOptions{}).error) == 64);
}

TEST_CASE("gaps lists markers and new epochs") {
    State state;
    SampleLog(state).close();
    const Outcome outcome = state.run(gaps, GapsOptions{});
    REQUIRE_FALSE(outcome.error.has_value());
    REQUIRE(outcome.json.size() == 2);
    CHECK(outcome.json[0]["kind"] == "marker");
    CHECK(outcome.json[0]["first"] == 3);
    CHECK(outcome.json[0]["last"] == 4);
    CHECK(outcome.json[1]["kind"] == "reset");
    CHECK(outcome.json[1]["lane"] == "proc");
    check_golden("gap", outcome.json);
}
