// `backup` and `restore`, and the archive between them.
#include <random>

#include "core/base/fast_zstd.h"
#include "core/base/test/temp_folder.h"
#include "core/base/zstd_stream.h"
#include "core/wal/log_copy.h"
#include "modules/tools/inspect/tar.h"
#include "modules/tools/inspect/test/support.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;
using namespace amoskys::modules::inspect::test;

namespace {

namespace files = std::filesystem;

constexpr std::uint64_t small_segment = 64 << 10;
constexpr std::uint64_t more_records = 120, all_in_log = 5 + more_records;

template <class Options>
Options of_file(const files::path& file) {
    Options options;
    options.file = file.string();
    return options;
}

// A log of several segments, of which the first is pruned when `pruned`.
void make_log(const State& state, bool pruned = false) {
    SampleLog sample(state, small_segment);
    for (std::uint64_t i = 0; i < more_records; ++i)
        sample.append(stored(sample.build("router-3", start_ns + (2000 + i) * second_ns)));
    REQUIRE(sample.log().segments().size() > 2);
    if (pruned)
        REQUIRE(ok(sample.log().prune(sample.log().segments()[1].first)));
}

std::string all_records(const files::path& folder) {
    wal::Options options;
    options.read_only = true;
    auto log = wal::Log::open(folder, options);
    REQUIRE(ok(log));
    std::string out;
    REQUIRE(ok((*log)->read({1}, UINT64_MAX, [&](const wal::RecordView& record) {
        out += as_text(record.header_raw);
        out += as_text(record.stored);
        return true;
    })));
    return out + to_hex((*log)->tree_head()->root);
}

std::string unpacked(const std::string& archive) {
    ZstdStream zstd;
    std::string out;
    REQUIRE(ok(zstd.feed(as_bytes(archive), [&](ByteView piece) -> Result<> {
        out += as_text(piece);
        return {};
    })));
    REQUIRE(zstd.whole());
    return out;
}

bool unpacks_to(const std::string& archive, const std::string& tar) {
    ZstdStream zstd;
    std::string out;
    const auto fed = zstd.feed(as_bytes(archive), [&](ByteView piece) -> Result<> {
        out += as_text(piece);
        return {};
    });
    return fed && zstd.whole() && out == tar;
}

std::string packed(const std::string& tar) {
    FastZstd zstd;
    return std::string(zstd.compress(tar));
}

struct NamesOfTar final : TarReader::Files {
    Result<> begin(std::string_view name, std::uint64_t bytes) override {
        names.push_back(std::string(name));
        sizes.push_back(bytes);
        return {};
    }
    Result<> data(ByteView piece) override {
        content += as_text(piece);
        return {};
    }
    Result<> end() override { return {}; }
    std::vector<std::string> names;
    std::vector<std::uint64_t> sizes;
    std::string content;
};

std::string tar_file(std::string_view name, const std::string& content) {
    const auto header = tar_header(name, content.size(), start_ns);
    return std::string(header.data(), header.size()) + content +
           std::string(tar_padding(content.size()), '\0');
}

}  // namespace

TEST_CASE("a restored log is the one that was backed up: records, tree, states, cursors") {
    State state;
    bool pruned = false;
    SECTION("whole") {
        make_log(state);
    }
    SECTION("with leaf hashes of a pruned segment") {
        make_log(state, true);
        pruned = true;
    }
    write_log_key(state);
    REQUIRE(ok(log_key().save_new(state.folder / "pki/log.key")));
    const std::string before = all_records(state.folder / "wal");
    const Outcome made = state.run(backup, of_file<BackupOptions>(state.folder / "a.tar.zst"));
    REQUIRE_FALSE(made.error.has_value());
    CHECK(made.json["checkpoint"] == true);
    CHECK_FALSE(files::exists(state.folder / "a.tar.zst.partial"));

    files::rename(state.folder / "wal", state.folder / "lost");
    // No record of retention says why the first segment of this log is gone.
    auto request = of_file<RestoreOptions>(state.folder / "a.tar.zst");
    if (pruned)
        CHECK(exit_code(*state.run(restore, request).error) == 10);
    request.as_is = pruned;
    const Outcome restored = state.run(restore, request);
    INFO((restored.error ? restored.error->message : ""));
    REQUIRE_FALSE(restored.error.has_value());
    CHECK(restored.json["tree_size"] == all_in_log);
    CHECK(restored.json["root"] == made.json["root"]);
    CHECK(restored.json["checkpoint"]["holds"] == true);
    CHECK(restored.json["checkpoint"]["size"] == all_in_log);
    CHECK((all_records(state.folder / "wal") == before));
    CHECK(restored.json["findings"] == (pruned ? 1 : 0));
    CHECK(state.run(verify, VerifyOptions{}).error.has_value() == pruned);
    CHECK(files::exists(state.folder / "wal/00000001.leaves") == pruned);

    // And it goes on.
    wal::Options options;
    options.facts_of = &link::record_facts;
    auto log = wal::Log::open(state.folder / "wal", options);
    REQUIRE(ok(log));
    CHECK((*log)->damages().empty());
    CHECK((*log)->state("lane/edge-1/snmp")->has_value());
    const std::string more = "x";
    wal::Group group;
    wal::Append append;
    append.kind = RecordKind::audit;
    append.stored = as_bytes(more);
    append.digest = crypto::sha256(as_bytes(more));
    group.records.push_back(append);
    const auto appended = (*log)->append(group);
    REQUIRE(ok(appended));
    CHECK(appended->first.value == all_in_log + 1);
}

TEST_CASE("restore replaces nothing, and leaves nothing where the archive is bad") {
    State state;
    make_log(state);
    const auto archive = state.folder / "a.tar.zst";
    REQUIRE_FALSE(state.run(backup, of_file<BackupOptions>(archive)).error.has_value());
    const auto refused = [&](int code, std::string_view name) {
        const Outcome outcome = state.run(restore, of_file<RestoreOptions>(archive));
        REQUIRE(outcome.error.has_value());
        CHECK(exit_code(*outcome.error) == code);
        CHECK(outcome.error->code == name);
    };
    SECTION("over a log") {
        const std::string before = all_records(state.folder / "wal");
        refused(73, "restore_exists");
        CHECK((all_records(state.folder / "wal") == before));
        return;
    }
    files::rename(state.folder / "wal", state.folder / "lost");
    const std::string tar = unpacked(*read_file(archive, 1 << 24));
    const auto replace = [&](std::string text) {
        files::remove(archive);
        REQUIRE(ok(write_new_file(archive, text, 0600)));
    };
    SECTION("one octet changed, anywhere") {
        const std::string sound = *read_file(archive, 1 << 24);
        std::minstd_rand random(7);
        for (int i = 0; i < 100; ++i) {
            std::string changed = sound;
            const std::size_t at = random() % changed.size();
            changed[at] = static_cast<char>(changed[at] ^ 0x10);
            replace(changed);
            INFO("octet " << at);
            // zstd has bits that say nothing.
            if (unpacks_to(changed, tar)) {
                CHECK_FALSE(state.run(restore, of_file<RestoreOptions>(archive)).error.has_value());
                files::remove_all(state.folder / "wal");
            } else {
                refused(65, "backup_damaged");
            }
        }
    }
    SECTION("one octet of what is packed changed") {
        std::minstd_rand random(8);
        for (int i = 0; i < 100; ++i) {
            std::string changed = tar;
            const std::size_t at = random() % tar.size();
            changed[at] = static_cast<char>(changed[at] ^ 0x01);
            replace(packed(changed));
            INFO("octet " << at);
            refused(65, "backup_damaged");
        }
    }
    SECTION("cut") {
        const std::string sound = *read_file(archive, 1 << 24);
        for (const std::size_t size :
             {std::size_t{0}, std::size_t{100}, sound.size() / 2, sound.size() - 1}) {
            replace(sound.substr(0, size));
            refused(65, "backup_damaged");
        }
    }
    SECTION("no zstd") {
        replace(std::string(5000, 'x'));
        refused(65, "backup_damaged");
    }
    SECTION("a file that no backup has") {
        replace(packed(tar_file("wal/../../evil.mdb", "x") + tar));
        refused(65, "backup_damaged");
    }
    SECTION("a file twice") {
        replace(packed(tar_file("checkpoint", "x") + tar_file("checkpoint", "x")));
        refused(65, "backup_damaged");
    }
    SECTION("without sums") {
        replace(packed(tar_file("backup.json", "{}") + std::string(2 * tar_block, '\0')));
        refused(65, "backup_damaged");
    }
    SECTION("a checkpoint of another key") {
        write_log_key(state);
        REQUIRE(ok(log_key(60).save_new(state.folder / "pki/log.key")));
        files::rename(state.folder / "lost", state.folder / "wal");
        files::remove(archive);
        REQUIRE_FALSE(state.run(backup, of_file<BackupOptions>(archive)).error.has_value());
        files::rename(state.folder / "wal", state.folder / "lost");
        refused(10, "restore_findings");
        auto all_the_same = of_file<RestoreOptions>(archive);
        all_the_same.as_is = true;
        CHECK_FALSE(state.run(restore, all_the_same).error.has_value());
        CHECK(files::exists(state.folder / "wal"));
        return;
    }
    CHECK_FALSE(files::exists(state.folder / "wal"));
    CHECK_FALSE(files::exists(state.folder / "wal.restoring"));
}

TEST_CASE("restore --dry-run checks and makes nothing, and one at a time is at work") {
    State state;
    make_log(state);
    const auto archive = state.folder / "a.tar.zst";
    REQUIRE_FALSE(state.run(backup, of_file<BackupOptions>(archive)).error.has_value());
    files::rename(state.folder / "wal", state.folder / "lost");
    auto options = of_file<RestoreOptions>(archive);
    options.dry_run = true;
    const Outcome checked = state.run(restore, options);
    REQUIRE_FALSE(checked.error.has_value());
    CHECK(checked.json["records"] == all_in_log);
    CHECK_FALSE(files::exists(state.folder / "wal"));
    CHECK_FALSE(files::exists(state.folder / "wal.restoring"));
    files::create_directory(state.folder / "wal.restoring");
    CHECK(exit_code(*state.run(restore, of_file<RestoreOptions>(archive)).error) == 73);
    CHECK(files::exists(state.folder / "wal.restoring"));
    options.log = (state.folder / "deeper/place/").string();
    options.dry_run = false;
    CHECK_FALSE(state.run(restore, options).error.has_value());
    CHECK((all_records(state.folder / "deeper/place") == all_records(state.folder / "lost")));
}

TEST_CASE("a backup beside a writer is of one commit, and replaces no file") {
    State state;
    make_log(state);
    const auto copy = wal::LogCopy::begin(state.folder / "wal");
    REQUIRE(ok(copy));
    const auto again = wal::LogCopy::begin(state.folder / "wal");
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == "wal_open_here");
    CHECK((*copy)->tree().size == all_in_log);
    REQUIRE(ok(write_new_file(state.folder / "a.tar.zst", "kept", 0600)));
    const Outcome refused = state.run(backup, of_file<BackupOptions>(state.folder / "a.tar.zst"));
    REQUIRE(refused.error.has_value());
    CHECK(exit_code(*refused.error) == 73);
    CHECK(*read_file(state.folder / "a.tar.zst", 100) == "kept");
    State none;
    CHECK(exit_code(*none.run(backup, of_file<BackupOptions>(none.folder / "b")).error) == 66);
    CHECK_FALSE(files::exists(none.folder / "b"));
}

TEST_CASE("an archive is read in pieces of any size, with files of 8 GiB and more") {
    const std::string tar = tar_file("a", "content of a") + tar_file("empty", "") +
                            tar_file("b", std::string(512, 'b')) + std::string(1024, '\0');
    for (const std::size_t piece : {1U, 7U, 511U, 512U, 4096U}) {
        TarReader reader;
        NamesOfTar seen;
        for (std::size_t at = 0; at < tar.size(); at += piece)
            REQUIRE(
                ok(reader.feed(as_bytes(tar).subspan(at, std::min(piece, tar.size() - at)), seen)));
        CHECK(reader.whole());
        CHECK(seen.names == std::vector<std::string>{"a", "empty", "b"});
        CHECK(seen.content == "content of a" + std::string(512, 'b'));
    }
    const std::vector<std::uint64_t> sizes{1, (1ULL << 33) - 1, 1ULL << 33, (1ULL << 62) + 5};
    for (const std::uint64_t bytes : sizes) {
        const auto header = tar_header("wal/00000001.mdb", bytes, start_ns);
        TarReader reader;
        NamesOfTar seen;
        REQUIRE(ok(reader.feed(as_bytes({header.data(), header.size()}), seen)));
        CHECK(seen.sizes == std::vector<std::uint64_t>{bytes});
    }
}
