// `verify --since`, `verify --proof` and `prove` against checkpoints.
#include "core/wal/checkpoint.h"

#include "modules/tools/inspect/test/support.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

namespace files = std::filesystem;

void keep_checkpoint(wal::Log& log, const files::path& file, const crypto::SigningKey& key) {
    const auto head = log.tree_head();
    REQUIRE(ok(head));
    const wal::Checkpoint checkpoint{"amoskys/bus-1/0123abcd", head->size, head->root, start_ns};
    files::create_directories(file.parent_path());
    REQUIRE(ok(write_file_atomic(file, wal::sign_checkpoint(checkpoint, key), 0644)));
}

std::vector<std::string> whats(const Json& verification) {
    std::vector<std::string> out;
    for (const auto& finding : verification["findings"])
        out.push_back(finding["what"]);
    return out;
}

}  // namespace

TEST_CASE("verify --since finds a log whose tail was cut by restoring an older copy") {
    State state;
    {
        SampleLog sample(state);
        write_log_key(state);
        sample.close();
    }
    files::copy(state.folder / "wal", state.folder / "older", files::copy_options::recursive);
    wal::Options options;
    options.facts_of = &link::record_facts;
    auto log = wal::Log::open(state.folder / "wal", options);
    REQUIRE(ok(log));
    for (int i = 0; i < 2; ++i) {
        wal::Group group;
        wal::Append& record = group.records.emplace_back();
        record.kind = RecordKind::audit;
        record.stored = as_bytes("x");
        record.digest = crypto::sha256(as_bytes("x"));
        REQUIRE(ok((*log)->append(group)));
    }
    const files::path kept = state.folder / "kept";
    keep_checkpoint(**log, kept, log_key());
    log->reset();
    VerifyOptions since;
    since.since = kept.string();
    const Outcome whole = state.run(verify, since);
    INFO(whole.text);
    CHECK_FALSE(whole.error.has_value());
    CHECK(whole.json["checkpoints"][0]["holds"] == true);
    CHECK(whole.json["statement"].get<std::string>().ends_with("the checkpoint " + kept.string() +
                                                               " vouches for records up to 7"));

    files::remove_all(state.folder / "wal");
    files::rename(state.folder / "older", state.folder / "wal");
    CHECK_FALSE(state.run(verify, VerifyOptions{}).error.has_value());  // nobody can tell
    const Outcome cut = state.run(verify, since);
    REQUIRE(cut.error.has_value());
    CHECK(exit_code(*cut.error) == 10);
    CHECK(whats(cut.json) == std::vector<std::string>{"truncated"});
    CHECK(cut.json["findings"][0]["offset"] == 6);
    CHECK(cut.json["findings"][0]["message"].get<std::string>().ends_with(
        "has 7 records, the log 5; records 6 to 7 are gone"));
}

TEST_CASE("verify --since finds a log that was replaced by another one") {
    State state;
    SampleLog sample(state);
    write_log_key(state);
    const files::path kept = state.folder / "kept";
    keep_checkpoint(sample.log(), kept, log_key());
    sample.close();
    State other;
    SampleLog made_up(other);
    made_up.append(stored(made_up.build("router-9", start_ns)));
    made_up.close();
    files::remove_all(state.folder / "wal");
    files::copy(other.folder / "wal", state.folder / "wal", files::copy_options::recursive);
    VerifyOptions since;
    since.since = kept.string();
    // The same first five records: only longer.
    CHECK_FALSE(state.run(verify, since).error.has_value());

    wal::Checkpoint forged{"amoskys/bus-1/0123abcd", 4, {}, start_ns};
    REQUIRE(ok(write_file_atomic(kept, wal::sign_checkpoint(forged, log_key()), 0644)));
    const Outcome outcome = state.run(verify, since);
    REQUIRE(outcome.error.has_value());
    CHECK(exit_code(*outcome.error) == 10);
    CHECK(whats(outcome.json) == std::vector<std::string>{"replaced"});
}

TEST_CASE("verify says which checkpoint is not signed by the log's key, and which is none") {
    State state;
    SampleLog sample(state);
    const files::path kept = state.folder / "kept";
    keep_checkpoint(sample.log(), kept, log_key(51));
    sample.close();
    VerifyOptions since;
    since.since = kept.string();
    CHECK(exit_code(*state.run(verify, since).error) == 66);  // no log.pub
    write_log_key(state);
    const Outcome outcome = state.run(verify, since);
    CHECK(exit_code(*outcome.error) == 10);
    CHECK(whats(outcome.json) == std::vector<std::string>{"checkpoint"});
    REQUIRE(ok(write_file_atomic(kept, "hello\n", 0644)));
    CHECK(exit_code(*state.run(verify, since).error) == 65);
    since.since = (state.folder / "none").string();
    CHECK(exit_code(*state.run(verify, since).error) == 66);
}

TEST_CASE("verify compares the log with the checkpoints that the bus left beside it") {
    State state;
    SampleLog sample(state);
    write_log_key(state);
    keep_checkpoint(sample.log(), state.folder / "checkpoints/latest", log_key());
    sample.append(stored(sample.build("router-1", start_ns)));
    sample.close();
    const Outcome outcome = state.run(verify, VerifyOptions{});
    INFO(outcome.text);
    CHECK_FALSE(outcome.error.has_value());
    CHECK(outcome.json["statement"] ==
          "complete up to checkpoint 5 of time 2025-12-01T00:00:00.000000000Z and 1 record after "
          "it; nothing outside vouches for it");
    wal::Checkpoint longer{"amoskys/bus-1/0123abcd", 9, {}, start_ns};
    REQUIRE(ok(write_file_atomic(state.folder / "checkpoints/2025-12-01",
                                 wal::sign_checkpoint(longer, log_key()), 0644)));
    CHECK(whats(state.run(verify, VerifyOptions{}).json) == std::vector<std::string>{"truncated"});
}

TEST_CASE("what prove prints is checked without the log, and a changed proof is found") {
    State state;
    SampleLog sample(state);
    write_log_key(state);
    keep_checkpoint(sample.log(), state.folder / "checkpoints/latest", log_key());
    sample.append(stored(sample.build("router-1", start_ns)));
    sample.close();
    ProveOptions record;
    record.offset = 2;
    const Outcome made = state.run(prove, record);
    REQUIRE_FALSE(made.error.has_value());
    CHECK(made.json["tree_size"] == 5);
    record.offset = 6;  // behind the checkpoint
    CHECK(state.run(prove, record).json["checkpoint"].is_null());
    files::remove_all(state.folder / "wal");

    VerifyOptions options;
    options.proof = (state.folder / "proof.json").string();
    const auto check = [&](const Json& proof) {
        REQUIRE(ok(write_file_atomic(options.proof, json::dump(proof), 0644)));
        const Outcome outcome = state.run(verify, options);
        return outcome.error ? exit_code(*outcome.error) : 0;
    };
    CHECK(check(made.json) == 0);
    check_golden("proof_check", state.run(verify, options).json);
    const auto flipped = [](Json text) {
        std::string out = text;
        out[out.size() / 2] = out[out.size() / 2] == '0' ? '1' : '0';
        return out;
    };
    for (const char* key : {"leaf_hash", "root"}) {
        Json changed = made.json;
        changed[key] = flipped(changed[key]);
        CHECK(check(changed) == 10);
    }
    for (const char* key : {"header", "signature"}) {
        Json changed = made.json;
        changed["record"][key] = flipped(changed["record"][key]);
        CHECK(check(changed) == 10);
    }
    Json changed = made.json;
    changed["proof"][0] = flipped(changed["proof"][0]);
    CHECK(check(changed) == 10);
    changed = made.json;
    changed["offset"] = 3;
    CHECK(check(changed) == 10);
    changed = made.json;
    changed["checkpoint"] = Json();
    CHECK(check(changed) == 66);
    changed["proof"] = 7;
    CHECK(check(changed) == 65);
    CHECK(check(Json::array()) == 65);
    options.log_key = (state.folder / "pki/edge-1.pub").string();
    CHECK(check(made.json) == 10);
}
