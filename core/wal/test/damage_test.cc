// Damaged files: the log always opens, nothing crashes, what is lost is named.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "core/wal/lmdb_env.h"
#include "core/wal/segment_reader.h"
#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;
using namespace amoskys::wal::test;

namespace {

Options small_segments() {
    Options options;
    options.segment_max_bytes = 256 << 10;
    return options;
}

constexpr std::uint64_t made_records = 1500;

// Several sealed segments and a newest one; the lane's state changes with every group.
void make_log(const TemporaryFolder& folder) {
    const auto log = Log::open(folder.path(), small_segments());
    REQUIRE(log);
    for (std::uint64_t done = 0; done < made_records; done += 20) {
        Group group;
        std::vector<std::string> texts;
        for (std::uint64_t i = 1; i <= 20; ++i)
            texts.push_back(text_of(done + i, i % 5 == 0 ? 5000 : 300));
        for (const auto& text : texts)
            group.records.push_back(audit(text));
        group.states = {{"lane", std::to_string(done + 20)}};
        REQUIRE((*log)->append(group));
    }
}

std::string read_bytes(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
void write_bytes(const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

unsigned newest_segment(const TemporaryFolder& folder) {
    unsigned number = 1;
    while (fs::exists(folder.segment(number + 1)))
        ++number;
    return number;
}

struct Outcome {
    std::set<std::uint64_t> read;
    std::set<std::uint64_t> named;  // lost, by damages()
    bool open_ended = false;
};

// Opens, reads all, checks each record's text, appends one more and reads it back.
Outcome look(const TemporaryFolder& folder) {
    Outcome out;
    const auto log = Log::open(folder.path(), small_segments());
    REQUIRE(log);
    const auto end = (*log)->read({1}, UINT64_MAX, [&](const RecordView& record) {
        const std::uint64_t offset = record.header.offset.value;
        CHECK(as_text(record.stored) == text_of(offset, (offset - 1) % 20 % 5 == 4 ? 5000 : 300));
        out.read.insert(offset);
        return true;
    });
    REQUIRE(end);
    for (const Damage& damage : (*log)->damages()) {
        out.open_ended = out.open_ended || (damage.first.value != 0 && damage.last.value == 0);
        for (std::uint64_t offset = damage.first.value; offset <= damage.last.value; ++offset)
            if (offset != 0)
                out.named.insert(offset);
    }
    const auto appended = append_texts(**log, {"after the damage"});
    REQUIRE(appended);
    CHECK(appended->first.value > (out.read.empty() ? 0 : *out.read.rbegin()));
    CHECK((*log)->read_stored(appended->first).value() == to_bytes(as_bytes("after the damage")));
    return out;
}

// Every record was either read or named as lost.
void check_complete(const Outcome& out, std::uint64_t up_to) {
    for (std::uint64_t offset = 1; offset <= up_to; ++offset) {
        CAPTURE(offset);
        REQUIRE(out.read.count(offset) + out.named.count(offset) == 1);
    }
}

}  // namespace

TEST_CASE("one damaged record is named and passed over") {
    TemporaryFolder folder;
    make_log(folder);
    const fs::path file =
        GENERATE(0, 1) == 0 ? folder.segment(1) : folder.segment(newest_segment(folder));
    std::string bytes = read_bytes(file);
    const std::size_t at = bytes.find("AWR1");
    REQUIRE(at != std::string::npos);
    bytes[at + header_bytes + 3] = static_cast<char>(bytes[at + header_bytes + 3] ^ 1);
    write_bytes(file, bytes);
    const Outcome out = look(folder);
    CHECK(out.named.size() <= 1);  // 0: the copy that was hit stood in a page no longer in use
    CHECK(out.read.size() + out.named.size() == made_records);
    check_complete(out, made_records);
}

TEST_CASE("a sealed segment cut to any length costs only its own records, each named") {
    TemporaryFolder folder;
    make_log(folder);
    const fs::path file = folder.segment(2);
    const std::string whole = read_bytes(file);
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{5000},
          std::size_t{8192}, whole.size() / 4, whole.size() / 2, whole.size() - 4096,
          whole.size() - 1}) {
        CAPTURE(size);
        TemporaryFolder copy;
        fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
        write_bytes(copy.segment(2), whole.substr(0, size));
        const Outcome out = look(copy);
        check_complete(out, made_records);
        CHECK_FALSE(out.open_ended);
        // A second opening finds the same.
        const auto again = Log::open(copy.path(), small_segments());
        REQUIRE(again);
        CHECK(read_all(**again).size() == out.read.size() + 1);
        CHECK((*again)->state("lane").value() == std::to_string(made_records));
    }
}

TEST_CASE("the newest segment cut to any length is set aside, salvaged and written on") {
    TemporaryFolder folder;
    make_log(folder);
    const unsigned newest = newest_segment(folder);
    const std::string whole = read_bytes(folder.segment(newest));
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{100}, std::size_t{4096}, std::size_t{8192}, whole.size() / 3,
          whole.size() / 2, whole.size() * 3 / 4, whole.size() - 4096}) {
        CAPTURE(size);
        TemporaryFolder copy;
        fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
        write_bytes(copy.segment(newest), whole.substr(0, size));
        const Outcome out = look(copy);
        REQUIRE_FALSE(out.read.empty());
        check_complete(out, *out.read.rbegin());
        CHECK((out.open_ended || *out.read.rbegin() == made_records ||
               *out.named.rbegin() == made_records));
        CHECK(fs::exists(copy.segment(newest).string() + ".damaged"));
        const auto again = Log::open(copy.path(), small_segments());
        REQUIRE(again);
        CHECK_FALSE((*again)->damages().empty());
        CHECK(read_all(**again).size() == out.read.size() + 1);
    }
}

TEST_CASE("after the newest segment was salvaged the log says up to where its states hold") {
    TemporaryFolder folder;
    make_log(folder);
    const unsigned newest = newest_segment(folder);
    std::string bytes = read_bytes(folder.segment(newest));
    // Both meta pages gone: tables cannot be found, records can.
    std::fill(bytes.begin(), bytes.begin() + 8192, '\0');
    write_bytes(folder.segment(newest), bytes);
    const auto log = Log::open(folder.path(), small_segments());
    REQUIRE(log);
    CHECK(read_all(**log).size() == made_records);
    const std::uint64_t as_of = (*log)->states_as_of().value;
    CHECK(as_of < made_records);
    CHECK((*log)->state("lane").value() == std::to_string(as_of));
    REQUIRE(append_texts(**log, {"one more"}));
    CHECK((*log)->states_as_of().value == as_of);
    Group group;
    group.states = {{"lane", "rebuilt"}};
    group.states_complete = true;
    REQUIRE((*log)->append(group));
    CHECK((*log)->states_as_of().value == made_records + 1);
    REQUIRE(append_texts(**log, {"one more"}));
    CHECK((*log)->states_as_of().value == made_records + 2);
}

TEST_CASE("a salvage keeps the tree where signatures can be cut out of the records") {
    TemporaryFolder folder;
    make_log(folder);
    const unsigned newest = newest_segment(folder);
    Log::TreeHead head;
    {
        const auto log = Log::open(folder.path(), small_segments());
        REQUIRE(log);
        head = (*log)->tree_head().value();
    }
    std::string bytes = read_bytes(folder.segment(newest));
    std::fill(bytes.begin(), bytes.begin() + 8192, '\0');
    write_bytes(folder.segment(newest), bytes);
    Options options = small_segments();
    options.facts_of = [](const RecordView&) { return RecordFacts(); };
    const auto log = Log::open(folder.path(), options);
    REQUIRE(log);
    CHECK((*log)->tree_head().value().size == head.size);
    CHECK((*log)->tree_head().value().root == head.root);
}

TEST_CASE("a salvage fills the zone maps in, as they were") {
    Options options;
    options.facts_of = [](const RecordView& record) {
        RecordFacts facts;
        facts.first_event_ns = facts.last_event_ns = record.header.offset.value;
        facts.device_hashes = {record.header.offset.value % 7};
        return facts;
    };
    const auto zones_of = [&](const fs::path& path) {
        std::map<std::uint64_t, std::string> out;
        const auto log = Log::open(path, options);
        REQUIRE(log);
        const auto visit = [&](std::uint64_t number, ByteView value) {
            out[number] = to_string(value);
        };
        REQUIRE((*log)->read_derived(Derived::zone, {1}, {700}, visit));
        return out;
    };
    TemporaryFolder folder;
    {
        const auto log = Log::open(folder.path(), options);
        REQUIRE(log);
        for (std::uint64_t number = 1; number <= 700; ++number) {
            const std::string text = text_of(number, 300);
            Group group;
            group.records.push_back(audit(text));
            const std::uint64_t hash = number % 7;
            group.records.back().first_event_ns = group.records.back().last_event_ns = number;
            group.records.back().device_hashes = std::span(&hash, 1);
            REQUIRE((*log)->append(group));
        }
    }
    const auto before = zones_of(folder.path());
    REQUIRE(before.size() == 3);
    std::string bytes = read_bytes(folder.segment(1));
    std::fill(bytes.begin(), bytes.begin() + 8192, '\0');  // both meta pages
    write_bytes(folder.segment(1), bytes);
    CHECK(zones_of(folder.path()) == before);
    CHECK(fs::exists(folder.segment(1).string() + ".damaged"));
}

TEST_CASE("bits flipped anywhere in sealed segments never end the process") {
    TemporaryFolder folder;
    make_log(folder);
    const std::string whole = read_bytes(folder.segment(1));
    const unsigned seed = 20260714;
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 150; ++round) {
        std::string bytes = whole;
        const int flips = 1 + static_cast<int>(random() % 40);
        for (int i = 0; i < flips; ++i) {
            const std::size_t at = random() % bytes.size();
            // Half of them into page headers, where the pointers are.
            const std::size_t place = i % 2 == 0 ? at : at / 4096 * 4096 + random() % 64;
            bytes[place] = static_cast<char>(bytes[place] ^ (1 << (random() % 8)));
        }
        write_bytes(folder.segment(1), bytes);
        const auto reader = SegmentReader::open(folder.segment(1));
        if (!reader)
            continue;
        for (std::size_t table = 0; table < table_count; ++table) {
            std::uint64_t previous = 0;
            REQUIRE((*reader)->scan(static_cast<Table>(table), {}, [&](ByteView key, ByteView) {
                if (number_keyed(static_cast<Table>(table))) {
                    const bool rising = previous == 0 || key_number(key) > previous;
                    CHECK((rising || key_number(key) == 0));
                    previous = key_number(key);
                }
                return true;
            }));
        }
        (void)(*reader)->soundness();
        find_records(as_bytes(bytes), [](const RecordView&) {});
    }
}

TEST_CASE("a log with bits flipped in a sealed segment opens and names what is gone") {
    TemporaryFolder folder;
    make_log(folder);
    const std::string whole = read_bytes(folder.segment(1));
    const unsigned seed = 7;
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 10; ++round) {
        TemporaryFolder copy;
        fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
        std::string bytes = whole;
        for (int i = 0; i < 10; ++i) {
            const std::size_t at = random() % bytes.size();
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
        }
        write_bytes(copy.segment(1), bytes);
        check_complete(look(copy), made_records);
    }
}

TEST_CASE("bits flipped anywhere in a newest segment of up to 32 MiB never end the process") {
    TemporaryFolder folder;
    make_log(folder);
    const unsigned newest = newest_segment(folder);
    const std::string whole = read_bytes(folder.segment(newest));
    const unsigned seed = 11;
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 120; ++round) {
        TemporaryFolder copy;
        fs::copy(folder.path(), copy.path(), fs::copy_options::recursive);
        std::string bytes = whole;
        // One bit: into a page's header, its pointers and first nodes, or anywhere.
        const std::size_t at = random() % bytes.size();
        const std::size_t place = round % 3 == 0 ? at : at / 4096 * 4096 + random() % 256;
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << (random() % 8)));
        write_bytes(copy.segment(newest), bytes);
        auto log = Log::open(copy.path(), {});
        INFO("byte " << place);
        REQUIRE(log.has_value());
        (void)read_all(**log);
        (void)(*log)->states("");
        (void)append_texts(**log, {"goes on"});
    }
}

// What a process does with a log: opens it, reads everything, looks for states and keys, appends.
int use_log(const fs::path& folder) {
    auto log = Log::open(folder, {});
    if (!log)
        return 1;
    const auto end = (*log)->read({1}, UINT64_MAX, [](const RecordView&) { return true; });
    if (!end || !(*log)->states(""))
        return 2;
    for (int i = 0; i < 3; ++i) {
        Group group;
        std::vector<std::string> texts, keys;
        for (int k = 0; k < 20; ++k) {
            texts.push_back(text_of(static_cast<std::uint64_t>(k), 300));
            keys.push_back(to_string(
                ByteView(crypto::sha256(as_bytes(std::to_string(i) + "/" + std::to_string(k))))));
        }
        for (std::size_t k = 0; k < texts.size(); ++k) {
            group.records.push_back(audit(texts[k]));
            group.records.back().dedup_key = keys[k];
        }
        group.states = {{"lane", std::to_string(i)}};
        if (!(*log)->append(group) || !(*log)->find_dedup(keys.front()))
            return 3;
    }
    return 0;
}

TEST_CASE("a bit flipped in any page of a newest segment of more than 32 MiB ends no process") {
    TemporaryFolder folder;
    {
        const auto log = Log::open(folder.path(), {});
        REQUIRE(log);
        for (std::uint64_t done = 0; done < 60000; done += 500) {
            Group group;
            std::vector<std::string> texts, keys;
            for (std::uint64_t i = 1; i <= 500; ++i) {
                texts.push_back(text_of(done + i, i % 50 == 0 ? 5000 : 300));
                keys.push_back(
                    to_string(ByteView(crypto::sha256(as_bytes(std::to_string(done + i))))));
            }
            for (std::size_t i = 0; i < texts.size(); ++i) {
                group.records.push_back(audit(texts[i]));
                group.records.back().dedup_key = keys[i];
            }
            group.states = {{"lane", std::to_string(done)}};
            REQUIRE((*log)->append(group));
        }
    }
    const std::string whole = read_bytes(folder.segment(1));
    REQUIRE(whole.size() > 34U << 20);
    REQUIRE_FALSE(fs::exists(folder.segment(2)));
    const unsigned seed = 20261126;
    INFO("seed " << seed);
    std::mt19937 random(seed);
    // Branch pages are few and what LMDB follows most: half of the flips go into one.
    std::vector<std::size_t> branches;
    for (std::size_t at = 0; at + 4096 <= whole.size(); at += 4096)
        if (whole[at + 10] == 1 && whole[at + 11] == 0 &&
            whole.compare(at, 8, std::string(8, 0)) != 0)
            branches.push_back(at);
    REQUIRE(branches.size() > 20);
    TemporaryFolder copy;
    std::string ended;
    for (int round = 0; round < 80; ++round) {
        std::size_t page = random() % (whole.size() / 4096) * 4096;
        if (round % 2 == 0)
            page = branches[random() % branches.size()];
        const std::size_t place = page + random() % (round % 4 < 2 ? 48 : 4096);
        std::string bytes = whole;
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << (random() % 8)));
        fs::remove_all(copy.path());
        fs::create_directories(copy.path());
        write_bytes(copy.segment(1), bytes);
        const int code = in_child([&] { return use_log(copy.path()); });
        if (code != 0)
            ended += " byte " + std::to_string(place) + ": " + std::to_string(code);
    }
    CHECK(ended == "");
}

TEST_CASE("a newest segment full of garbage is set aside and the log goes on") {
    TemporaryFolder folder;
    make_log(folder);
    const unsigned newest = newest_segment(folder);
    std::mt19937 random(1);
    std::string garbage(100000, '\0');
    for (char& each : garbage)
        each = static_cast<char>(random());
    write_bytes(folder.segment(newest), garbage);
    const Outcome out = look(folder);
    CHECK(out.open_ended);
    check_complete(out, *out.read.rbegin());
}

TEST_CASE("a reading process names a damaged segment and changes nothing") {
    TemporaryFolder folder;
    make_log(folder);
    write_bytes(folder.segment(2), "garbage");
    Options reading;
    reading.read_only = true;
    const auto log = Log::open(folder.path(), reading);
    REQUIRE(log);
    const auto texts = read_all(**log);
    std::uint64_t lost = 0;
    for (const Damage& damage : (*log)->damages())
        lost += damage.last.value - damage.first.value + 1;
    CHECK(texts.size() + lost == made_records);
    CHECK(read_bytes(folder.segment(2)) == "garbage");
    CHECK_FALSE(fs::exists(folder.segment(2).string() + ".damaged"));
}

TEST_CASE("a file of a newer format is refused by name and left alone") {
    TemporaryFolder folder;
    make_log(folder);
    const unsigned newest = newest_segment(folder);
    const unsigned number = GENERATE_COPY(1U, newest);
    {
        const auto env = LmdbEnv::open(folder.segment(number), EnvMode::write, 64 << 20);
        REQUIRE(env);
        WriteTxn txn(**env);
        REQUIRE(txn.begin() == 0);
        const std::uint8_t format[4] = {9, 0, 0, 0};
        REQUIRE(txn.put(Table::info, as_bytes("format"), ByteView(format)) == 0);
        REQUIRE(txn.commit() == 0);
    }
    const std::string before = read_bytes(folder.segment(number));
    const auto log = Log::open(folder.path(), small_segments());
    REQUIRE_FALSE(log);
    CHECK(log.error().code == "wal_newer_version");
    CHECK(log.error().kind == ErrorKind::bad_data);
    CHECK(read_bytes(folder.segment(number)) == before);
}

TEST_CASE("a healthy segment is found sound, as LMDB leaves it") {
    TemporaryFolder folder;
    make_log(folder);
    for (unsigned number = 1; number <= newest_segment(folder); ++number) {
        const auto reader = SegmentReader::open(folder.segment(number));
        REQUIRE(reader);
        CHECK((*reader)->soundness().sound());
    }
}
