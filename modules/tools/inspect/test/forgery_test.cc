// What somebody with write access to the log's files can change beside the records, with every
// check of the format made anew: zones, leaf hashes, states, what segments say of themselves.
// Each change is one that LMDB itself would make.
#include "core/wal/lmdb_env.h"
#include "core/wal/segment_format.h"
#include "core/wal/segment_reader.h"
#include "core/wal/zone.h"
#include "core/wire/statement.h"
#include "modules/tools/inspect/test/support.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

namespace files = std::filesystem;

files::path segment_of(const State& state, unsigned number) {
    return state.folder / ("wal/0000000" + std::to_string(number) + ".mdb");
}

// One transaction on a segment file, as a forger makes it.
void forge(const State& state, unsigned number, const std::function<void(wal::WriteTxn&)>& change) {
    const auto env =
        wal::LmdbEnv::open(segment_of(state, number), wal::EnvMode::write, 256ULL << 20);
    REQUIRE(ok(env));
    wal::WriteTxn txn(**env);
    REQUIRE(txn.begin() == 0);
    change(txn);
    REQUIRE(txn.commit() == 0);
}

std::string value_at(const State& state, unsigned number, wal::Table table, ByteView key) {
    const auto reader = wal::SegmentReader::open(segment_of(state, number));
    REQUIRE(ok(reader));
    const auto found = wal::get(**reader, table, key);
    REQUIRE(ok(found));
    REQUIRE(found->has_value());
    return **found;
}

struct Verdict {
    std::vector<std::string> whats;
    std::string first_message;
    std::uint64_t first_offset = 0;
};

Verdict verdict_of(State& state) {
    const Outcome outcome = state.run(verify, VerifyOptions{});
    INFO(outcome.text);
    Verdict out;
    for (const auto& finding : outcome.json["findings"])
        out.whats.push_back(finding["what"]);
    CHECK(outcome.error.has_value() == !out.whats.empty());
    if (out.whats.empty())
        return out;
    CHECK(exit_code(*outcome.error) == 10);
    out.first_message = outcome.json["findings"][0]["message"];
    if (outcome.json["findings"][0]["offset"].is_number())
        out.first_offset = outcome.json["findings"][0]["offset"];
    return out;
}

using Whats = std::vector<std::string>;

std::size_t events_of(State& state, const std::string& device) {
    EventsOptions options;
    options.device = {device};
    return state.run(events, options).json.size();
}

// Zone 0: five records of the sample and 251 of router-3, zone 1: 94 of router-3, in one segment.
void fill(SampleLog& sample) {
    for (int i = 0; i < 345; ++i)
        sample.append(stored(sample.build("router-3", start_ns + 2000 * second_ns)));
}

wal::Zone decoded(const std::string& raw) {
    const auto zone = wal::Zone::decode(as_bytes(raw));
    REQUIRE(zone.has_value());
    return *zone;
}

// A whole zone of one kind of record, that says what its maker wants.
wal::Zone made_up(UnixNanos first_ns, UnixNanos last_ns, std::string_view device) {
    const std::uint64_t hash = wal::device_hash(device);
    wal::Zone out;
    for (int i = 0; i < 94; ++i)
        out.add(RecordKind::universal, first_ns, last_ns, std::span(&hash, 1));
    return out;
}

}  // namespace

TEST_CASE("verify makes every zone anew and finds nothing in those of a log as it is written") {
    State state;
    SampleLog sample(state, 256 << 10);
    fill(sample);
    sample.close();
    REQUIRE(files::exists(segment_of(state, 2)));  // with zones that stand in two segments
    const Verdict verdict = verdict_of(state);
    CHECK(verdict.whats == Whats{});
}

TEST_CASE("verify finds a zone that hides a device, and one that hides a time, with its place") {
    State state;
    SampleLog sample(state);
    fill(sample);
    sample.close();
    REQUIRE(events_of(state, "router-3") != 0);
    const UnixNanos at_ns = start_ns + 2000 * second_ns;
    SECTION("a device") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::zone, wal::number_key(1),
                            made_up(at_ns, at_ns, "router-9").encode()) == 0);
        });
    }
    SECTION("a time") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::zone, wal::number_key(1),
                            made_up(at_ns + 1, at_ns + 1, "router-3").encode()) == 0);
        });
    }
    const Verdict verdict = verdict_of(state);
    CHECK(verdict.whats == Whats{"zone"});
    CHECK(verdict.first_offset == 257);
    CHECK(verdict.first_message.starts_with("zone 1 (records 257 to 350) of " +
                                            segment_of(state, 1).string() +
                                            " hides records from searches"));
}

TEST_CASE("a forged zone is worth the finding: events are not shown by device") {
    State state;
    SampleLog sample(state);
    fill(sample);
    sample.close();
    const std::size_t before = events_of(state, "router-3");
    const UnixNanos at_ns = start_ns + 2000 * second_ns;
    forge(state, 1, [&](wal::WriteTxn& txn) {
        REQUIRE(txn.put(wal::Table::zone, wal::number_key(1),
                        made_up(at_ns, at_ns, "router-9").encode()) == 0);
    });
    CHECK(events_of(state, "router-3") < before);
}

TEST_CASE(
    "verify finds a zone that says more than its records, is missing, damaged or superfluous") {
    State state;
    SampleLog sample(state);
    fill(sample);
    sample.close();
    const std::string kept = value_at(state, 1, wal::Table::zone, wal::number_key(1));
    const auto put = [&](std::uint64_t number, ByteView value) {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::zone, wal::number_key(number), value) == 0);
        });
    };
    SECTION("more") {
        wal::Zone wider = decoded(kept);
        wider.add(RecordKind::universal, start_ns, start_ns, {});
        put(1, wider.encode());
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"zone"});
        CHECK(verdict.first_message.find("is not the one of its records") != std::string::npos);
    }
    SECTION("missing") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.remove(wal::Table::zone, wal::number_key(0)) == 0);
        });
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"zone"});
        CHECK(verdict.first_offset == 1);
        CHECK(verdict.first_message.ends_with("is missing"));
    }
    SECTION("damaged") {
        std::string bad = kept;
        bad[30] = static_cast<char>(bad[30] ^ 1);
        put(1, as_bytes(bad));
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"zone"});
        CHECK(verdict.first_message.ends_with("cannot be read"));
    }
    SECTION("superfluous") {
        put(7, as_bytes(kept));
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"segment"});
        CHECK(verdict.first_message.find("table zone has an entry 7") != std::string::npos);
    }
}

TEST_CASE("verify finds leaf hashes that were moved, renumbered, removed or added") {
    State state;
    SampleLog sample(state);
    sample.close();
    const auto leaf = [&](std::uint64_t number) {
        return value_at(state, 1, wal::Table::tree, wal::number_key(number));
    };
    const std::string second = leaf(2), third = leaf(3);
    const auto put = [](wal::WriteTxn& txn, std::uint64_t number, const std::string& hash) {
        REQUIRE(txn.put(wal::Table::tree, wal::number_key(number), as_bytes(hash)) == 0);
    };
    const auto drop = [](wal::WriteTxn& txn, std::uint64_t number) {
        REQUIRE(txn.remove(wal::Table::tree, wal::number_key(number)) == 0);
    };
    SECTION("two change places") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            put(txn, 2, third);
            put(txn, 3, second);
        });
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"leaf", "leaf"});
        CHECK(verdict.first_offset == 2);
    }
    SECTION("renumbered") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            drop(txn, 2);
            put(txn, 900, second);
        });
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"segment", "leaf_missing"});
        CHECK(verdict.first_message.find("table tree has an entry 900") != std::string::npos);
    }
    SECTION("removed") {
        forge(state, 1, [&](wal::WriteTxn& txn) { drop(txn, 5); });
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"leaf_missing"});
        CHECK(verdict.first_offset == 5);
    }
    SECTION("added") {
        forge(state, 1, [&](wal::WriteTxn& txn) { put(txn, 6, second); });
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"segment"});
        CHECK(verdict.first_message.find("table tree has an entry 6") != std::string::npos);
    }
}

TEST_CASE("verify finds any changed byte of a lane's state, and a state that is gone or made up") {
    State state;
    SampleLog(state).close();
    const std::string key = "lane/edge-1/snmp";
    const std::string kept = value_at(state, 1, wal::Table::state, as_bytes(key));
    const auto put = [&](const std::string& name, const std::string& value) {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::state, as_bytes(name), as_bytes(value)) == 0);
        });
    };
    for (std::size_t at = 0; at < kept.size(); ++at) {
        std::string changed = kept;
        changed[at] = static_cast<char>(changed[at] ^ 0x10);
        put(key, changed);
        INFO("byte " << at << " of " << kept.size());
        const Verdict verdict = verdict_of(state);
        REQUIRE(verdict.whats == Whats{"lane_state"});
    }
    put(key, kept);
    CHECK(verdict_of(state).whats == Whats{});
    put("lane/edge-2/snmp", kept);
    CHECK(verdict_of(state).first_message.ends_with("the log has no such record"));
    forge(state, 1, [&](wal::WriteTxn& txn) {
        REQUIRE(txn.remove(wal::Table::state, as_bytes("lane/edge-2/snmp")) == 0);
        REQUIRE(txn.remove(wal::Table::state, as_bytes(key)) == 0);
    });
    CHECK(verdict_of(state).first_message.starts_with("the bus has no state of this lane"));
}

TEST_CASE("verify holds the trust states against the audit records that tell of them") {
    State state;
    SampleLog sample(state);
    sample.append_audit({.category = "trust",
                         .action = "changed",
                         .object_type = "agent",
                         .object_id = "edge-1",
                         .actor_id = "bus",
                         .session_id = {},
                         .before = "keys 0011223344556677 active",
                         .after = "keys 8899aabbccddeeff active",
                         .reason = {}},
                        {{"trust/edge-1", "keys 8899aabbccddeeff active"}});
    sample.append_audit({.category = "epoch",
                         .action = "reset_accepted",
                         .object_type = "lane",
                         .object_id = "edge-1/proc",
                         .actor_id = "bus",
                         .session_id = {},
                         .before = "4 unlinked resets in a day",
                         .after = "open",
                         .reason = "accepted at " + format_time(start_ns + second_ns)},
                        {{"reset/edge-1/proc", std::to_string(start_ns + second_ns)}});
    sample.close();
    CHECK(verdict_of(state).whats == Whats{});
    const auto put = [&](std::string_view name, std::string_view value) {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::state, as_bytes(name), as_bytes(value)) == 0);
        });
    };
    SECTION("changed") {
        put("trust/edge-1", "keys 8899aabbccddeefe active");
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"trust_state"});
        CHECK(verdict.first_message.find("audit record 6 says") != std::string::npos);
    }
    SECTION("an accepted reset put back, so that it would be honoured again") {
        put("reset/edge-1/proc", std::to_string(start_ns));
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"trust_state"});
        CHECK(verdict.first_message.find("audit record 7") != std::string::npos);
    }
    SECTION("removed") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.remove(wal::Table::state, as_bytes("trust/edge-1")) == 0);
        });
        CHECK(verdict_of(state).whats == Whats{"trust_state"});
    }
}

TEST_CASE("verify finds what a segment says of itself and its records do not") {
    State state;
    SampleLog sample(state, 256 << 10);
    fill(sample);
    sample.close();
    REQUIRE(files::exists(segment_of(state, 2)));
    const unsigned number = GENERATE(1U, 2U);
    const auto reader = wal::SegmentReader::open(segment_of(state, number));
    REQUIRE(ok(reader));
    const wal::SegmentHead head = *wal::read_head(**reader);
    const wal::SegmentStart start = *wal::read_start(**reader);
    const auto put = [&](std::string_view entry, const std::string& value) {
        forge(state, number, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::info, as_bytes(entry), as_bytes(value)) == 0);
        });
    };
    const auto with = [&](auto member, std::uint64_t by) {
        wal::SegmentHead changed = head;
        changed.*member += by;
        put("head", wal::encode(changed));
        const Verdict verdict = verdict_of(state);
        CHECK(std::ranges::count(verdict.whats, "segment") >= 1);
    };
    CAPTURE(number);
    with(&wal::SegmentHead::records, 1);
    with(&wal::SegmentHead::bytes, 1);
    with(&wal::SegmentHead::bytes_trimmed, 1);
    with(&wal::SegmentHead::last_received_ns, 1);
    with(&wal::SegmentHead::first_kept, 3);
    put("head", wal::encode(head));
    CHECK(verdict_of(state).whats == Whats{});
    wal::SegmentStart other = start;
    other.number += 1;
    put("start", wal::encode(other));
    CHECK(verdict_of(state).whats == Whats{"segment"});
    other = start;
    other.bytes_before += 1;
    put("start", wal::encode(other));
    CHECK(verdict_of(state).whats == Whats{"segment", "segment"});
    other = start;
    other.frontier.append(Digest{});
    put("start", wal::encode(other));
    CHECK(verdict_of(state).whats == Whats{"segment"});
}

TEST_CASE("verify finds records in the middle that a segment says were trimmed") {
    State state;
    SampleLog sample(state, 256 << 10);
    fill(sample);
    sample.close();
    const auto reader = wal::SegmentReader::open(segment_of(state, 2));
    REQUIRE(ok(reader));
    wal::SegmentHead head = *wal::read_head(**reader);
    const std::uint64_t first = wal::read_start(**reader)->first_offset;
    head.first_kept = first + 2;
    forge(state, 2, [&](wal::WriteTxn& txn) {
        for (std::uint64_t at = first; at < first + 2; ++at)
            REQUIRE(txn.remove(wal::Table::log, wal::number_key(at)) == 0);
        REQUIRE(txn.put(wal::Table::info, as_bytes("head"), as_bytes(wal::encode(head))) == 0);
    });
    const Verdict verdict = verdict_of(state);
    CHECK(std::ranges::count(verdict.whats, "missing") == 1);
    CHECK(std::ranges::count(verdict.whats, "segment") == 1);
    CHECK(verdict.first_offset == first);
}

TEST_CASE("verify finds a log whose first segments are gone without a word of retention") {
    State state;
    SampleLog sample(state, 256 << 10);
    fill(sample);
    REQUIRE(sample.log().segments().size() > 1);
    const auto pruned = sample.log().prune(sample.log().segments().front().last.next());
    REQUIRE(ok(pruned));
    REQUIRE(*pruned > 0);
    const std::uint64_t begins = sample.log().stats().oldest.value;
    SECTION("nothing says so") {
        sample.close();
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"pruned"});
        CHECK(verdict.first_offset == begins);
    }
    SECTION("the bus's record says so") {
        sample.append_audit({.category = "retention",
                             .action = "pruned",
                             .object_type = "records",
                             .object_id = "1-" + std::to_string(begins - 1),
                             .actor_id = "bus",
                             .session_id = {},
                             .before = {},
                             .after = "begins with " + std::to_string(begins),
                             .reason = {}},
                            {});
        sample.close();
        CHECK(verdict_of(state).whats == Whats{});
    }
    SECTION("a leaf hash that it left behind was changed, and its file's check made anew") {
        sample.close();
        const files::path file = state.folder / "wal/00000001.leaves";
        auto content = read_file(file, 1 << 20);
        REQUIRE(ok(content));
        content->at(24) = static_cast<char>(content->at(24) ^ 1);
        const Digest sum = crypto::sha256(as_bytes(*content).first(content->size() - 32));
        content->replace(content->size() - 32, 32, as_text(ByteView(sum)));
        std::ofstream(file, std::ios::binary) << *content;
        CHECK(std::ranges::count(verdict_of(state).whats, "root") == 1);
    }
}

TEST_CASE("verify finds an agent's signed head that stands under another lane") {
    State state;
    SampleLog sample(state);
    amoskys::bus::Head head;
    head.set_agent_id("edge-1");
    head.set_lane("snmp");
    head.set_key_id(test_key()->id());
    head.set_time_ns(start_ns);
    wire::sign(head, *test_key());
    wal::Group group;
    group.states.push_back({"head/edge-1/proc", wire::encode_kept_head({start_ns, head})});
    REQUIRE(ok(sample.log().append(group)));
    sample.close();
    const Verdict verdict = verdict_of(state);
    CHECK(verdict.whats == Whats{"head"});
}

TEST_CASE("verify finds records that changed places, though every sum of the log was made anew") {
    State state;
    SampleLog(state).close();
    std::array<std::string, 5> raw;
    for (std::uint64_t i = 0; i < raw.size(); ++i)
        raw[i] = value_at(state, 1, wal::Table::log, wal::number_key(i + 1));
    const auto reader = wal::SegmentReader::open(segment_of(state, 1));
    REQUIRE(ok(reader));
    wal::SegmentHead head = *wal::read_head(**reader);
    head.frontier = {};
    std::swap(raw[0], raw[1]);
    forge(state, 1, [&](wal::WriteTxn& txn) {
        for (std::uint64_t i = 0; i < raw.size(); ++i) {
            const auto old = wal::decode_record(as_bytes(raw[i]));
            REQUIRE(ok(old));
            wal::RecordHeader header = old->header;
            header.offset = {i + 1};
            header.received_ns = start_ns + (i + 1) * second_ns;
            const wal::HeaderBytes made = wal::encode_header(header);
            const Bytes signature = link::record_facts(*old).signature;
            const Digest leaf = wal::merkle_leaf(made, signature);
            raw[i].replace(0, made.size(), as_text(ByteView(made)));
            head.frontier.append(leaf);
            head.last_received_ns = header.received_ns;
            REQUIRE(txn.put(wal::Table::log, wal::number_key(i + 1), as_bytes(raw[i])) == 0);
            REQUIRE(txn.put(wal::Table::tree, wal::number_key(i + 1), leaf) == 0);
        }
        REQUIRE(txn.put(wal::Table::info, as_bytes("head"), as_bytes(wal::encode(head))) == 0);
    });
    const Verdict verdict = verdict_of(state);
    CHECK(verdict.whats == Whats{"lane_state", "chain", "chain", "chain"});
}

TEST_CASE("verify finds a record that was taken out of its table, and one in another's place") {
    State state;
    SampleLog(state).close();
    const std::string fourth = value_at(state, 1, wal::Table::log, wal::number_key(4));
    SECTION("taken out") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.remove(wal::Table::log, wal::number_key(2)) == 0);
        });
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"damage"});
        CHECK(verdict.first_offset == 2);
    }
    SECTION("in another's place") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::log, wal::number_key(2), as_bytes(fourth)) == 0);
        });
        const Verdict verdict = verdict_of(state);
        CHECK(verdict.whats == Whats{"damage"});
        CHECK(verdict.first_offset == 2);
    }
    SECTION("behind the last one") {
        forge(state, 1, [&](wal::WriteTxn& txn) {
            REQUIRE(txn.put(wal::Table::log, wal::number_key(9), as_bytes(fourth)) == 0);
        });
        CHECK(verdict_of(state).first_message.find("table log has an entry 9") !=
              std::string::npos);
    }
}
