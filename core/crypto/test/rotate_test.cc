#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/crypto/pki.h"
#include "core/crypto/signing.h"
#include "core/crypto/trust_map.h"

using namespace amoskys;
using namespace amoskys::crypto;
namespace fs = std::filesystem;

namespace {

struct Folder {
    Folder() : paths{temp / "pki"} {
        REQUIRE(pki_init(paths, {.local_agent = "host-1"}, system_clock()).has_value());
    }
    TrustedAgent agent() const {
        const auto map = TrustMap::load(paths.trust_map());
        INFO((map ? "" : map.error().message));
        REQUIRE(map.has_value());
        return *(*map)->find("host-1");
    }
    std::string current() const {
        const auto key = SigningKey::load(paths.agent_signing_key("host-1"));
        REQUIRE(key.has_value());
        return key->id();
    }
    // name -> content of all files
    std::map<std::string, std::string> content() const {
        std::map<std::string, std::string> out;
        for (const auto& entry : fs::recursive_directory_iterator(paths.root))
            if (entry.is_regular_file())
                out[entry.path().string()] = read_file(entry.path(), 1 << 20).value();
        return out;
    }
    Result<RotationSteps> rotate(const RotateRequest& request = {}) const {
        return pki_rotate_agent(paths, "host-1", request, system_clock());
    }
    fs::path agents(const std::string& file) const { return paths.root / "agents" / file; }
    TempFolder temp;
    PkiPaths paths;
};

bool is_private(const fs::path& file) {
    struct stat info {};
    REQUIRE(::stat(file.c_str(), &info) == 0);
    return (info.st_mode & 07777U) == 0600U;
}

bool unchanged(const Result<RotationSteps>& steps) {
    REQUIRE(steps.has_value());
    return steps->size() == 1 && steps->front().action == "none";
}

}  // namespace

TEST_CASE("a rotated signing key: both are trusted, the old one until the overlap ends") {
    const Folder made;
    const std::string old = made.current();
    const UnixNanos now_ns = system_clock().now_ns();
    REQUIRE(made.rotate({.overlap = std::chrono::hours(24)}).has_value());
    const std::string fresh = made.current();
    CHECK(fresh != old);
    CHECK(is_private(made.paths.agent_signing_key("host-1")));
    CHECK(is_private(made.agents("host-1." + old + ".ed25519")));
    const TrustedAgent agent = made.agent();
    REQUIRE(agent.keys.size() == 2);
    CHECK(agent.keys[0].id == old);
    CHECK(agent.keys[0].status == KeyStatus::retiring);
    CHECK(agent.keys[0].usable_at(now_ns + 86'000'000'000'000));
    CHECK_FALSE(agent.keys[0].usable_at(now_ns + 2 * 86'400'000'000'000));
    CHECK(agent.keys[1].id == fresh);
    CHECK(agent.keys[1].status == KeyStatus::active);
    CHECK(agent.keys[1].usable_at(now_ns));
    CHECK(key_id(load_public_key(made.paths.agent_public_key("host-1")).value()) == fresh);

    SECTION("again during the overlap changes nothing") {
        const auto before = made.content();
        CHECK(unchanged(made.rotate()));
        CHECK(made.content() == before);
    }
    SECTION("finish ends the overlap; the old public key stays for what it signed") {
        REQUIRE(made.rotate({.finish = true}).has_value());
        const TrustedAgent later = made.agent();
        REQUIRE(later.keys.size() == 2);
        CHECK_FALSE(later.keys[0].usable_at(system_clock().now_ns()));
        CHECK_FALSE(fs::exists(made.agents("host-1." + old + ".ed25519")));
        CHECK(made.current() == fresh);
        const auto before = made.content();
        CHECK(unchanged(made.rotate({.finish = true})));
        CHECK(made.content() == before);
        REQUIRE(made.rotate().has_value());  // and the next rotation
        CHECK(made.agent().keys.size() == 3);
    }
}

TEST_CASE("a dry run says what would be done and writes nothing") {
    const Folder made;
    const auto before = made.content();
    const auto agent = made.rotate({.dry_run = true});
    const auto bus = pki_rotate_bus(made.paths, {.dry_run = true}, system_clock());
    const auto ca = pki_rotate_ca(made.paths, {.dry_run = true}, system_clock());
    for (const auto* steps : {&agent, &bus, &ca}) {
        REQUIRE(steps->has_value());
        CHECK((*steps)->size() >= 4);
    }
    CHECK(made.content() == before);
}

TEST_CASE("a rotation that ended after any of its steps is finished by the next one") {
    // The states are rebuilt from the files before and after: a file that is not there yet, or
    // still the old one.
    const Folder made;
    const auto before = made.content();
    const std::string old = made.current();
    REQUIRE(made.rotate().has_value());
    const std::string fresh = made.current();
    const auto after = made.content();
    const std::string key_file = made.paths.agent_signing_key("host-1").string();
    const std::string pending = made.agents("host-1." + fresh + ".ed25519").string();
    const std::string trust = made.paths.trust_map().string();
    const auto put = [](const std::string& file, const std::string& text, unsigned mode) {
        REQUIRE(write_file_atomic(file, text, mode).has_value());
    };
    put(pending, after.at(key_file), 0600);
    put(key_file, before.at(key_file), 0600);
    const std::string public_file = made.paths.agent_public_key("host-1").string();
    put(public_file, before.at(public_file), 0644);
    SECTION("the trust map is new, the agent has the old key") {
        REQUIRE(made.rotate().has_value());
        CHECK(made.current() == fresh);
        CHECK(made.content() == after);
    }
    SECTION("the new key was made, the trust map is the old one") {
        put(trust, before.at(trust), 0600);
        REQUIRE(made.rotate().has_value());
        CHECK(made.current() == fresh);
        CHECK(made.agent().keys.size() == 2);
        CHECK_FALSE(fs::exists(pending));
    }
}

TEST_CASE("rotation refuses what it cannot know") {
    const Folder made;
    CHECK(pki_rotate_agent(made.paths, "nobody", {}, system_clock()).error().kind ==
          ErrorKind::no_input);
    CHECK(pki_rotate_agent(made.paths, "a/b", {}, system_clock()).error().kind == ErrorKind::usage);
    REQUIRE(write_file_atomic(made.paths.trust_map(), "agents: {}\n", 0600).has_value());
    CHECK(made.rotate().error().code == "key_not_trusted");
}

TEST_CASE("the bus gets a new key and a certificate with the same names") {
    const Folder made;
    const auto before = read_certificate(made.paths.bus_cert()).value();
    const auto old_key = read_file(made.paths.bus_key(), 1 << 20).value();
    REQUIRE(pki_rotate_bus(made.paths, {}, system_clock()).has_value());
    const auto after = read_certificate(made.paths.bus_cert()).value();
    CHECK(after.sans == before.sans);
    CHECK(after.serial_hex != before.serial_hex);
    const auto new_key = read_file(made.paths.bus_key(), 1 << 20).value();
    CHECK(new_key != old_key);
    CHECK(is_private(made.paths.bus_key()));
    CHECK_FALSE(fs::exists(made.paths.bus_key().string() + ".new"));
    // Cut short between the two files: the key is new, the certificate waits.
    const auto cert = read_file(made.paths.bus_cert(), 1 << 20).value();
    REQUIRE(pki_rotate_bus(made.paths, {}, system_clock()).has_value());
    const auto newest = read_file(made.paths.bus_cert(), 1 << 20).value();
    REQUIRE(write_file_atomic(made.paths.bus_cert().string() + ".new", newest, 0644).has_value());
    REQUIRE(write_file_atomic(made.paths.bus_cert(), cert, 0644).has_value());
    REQUIRE(pki_rotate_bus(made.paths, {}, system_clock()).has_value());
    CHECK(read_file(made.paths.bus_cert(), 1 << 20).value() == newest);
}

TEST_CASE("two CAs are trusted until no certificate of the old one is left") {
    const Folder made;
    const auto old = read_certificate(made.paths.ca_cert()).value();
    REQUIRE(pki_rotate_ca(made.paths, {}, system_clock()).has_value());
    const auto both = read_certificates(made.paths.ca_cert()).value();
    REQUIRE(both.size() == 2);
    CHECK(both[0].subject_cn != old.subject_cn);
    CHECK(both[1].subject_cn == old.subject_cn);
    CHECK(is_private(made.paths.ca_key()));
    const auto before = made.content();
    CHECK(unchanged(pki_rotate_ca(made.paths, {}, system_clock())));
    const auto early = pki_rotate_ca(made.paths, {.finish = true}, system_clock());
    REQUIRE_FALSE(early.has_value());
    CHECK(early.error().code == "certificates_of_old_ca");
    CHECK(early.error().message.find("bus.crt") != std::string::npos);
    CHECK(made.content() == before);

    constexpr Duration year = default_certificate_lifetime;
    REQUIRE(pki_renew_bus(made.paths, year, system_clock()).has_value());
    REQUIRE(pki_renew_agent(made.paths, "host-1", year, system_clock()).has_value());
    CHECK(read_certificate(made.paths.bus_cert())->issuer_cn == both[0].subject_cn);
    REQUIRE(pki_rotate_ca(made.paths, {.finish = true}, system_clock()).has_value());
    CHECK(read_certificates(made.paths.ca_cert())->size() == 1);
    if (std::system("openssl version >/dev/null 2>&1") == 0)
        CHECK(std::system(("openssl verify -CAfile " + made.paths.ca_cert().string() + " " +
                           made.paths.bus_cert().string() + " >/dev/null")
                              .c_str()) == 0);
}

TEST_CASE("a CA rotation that ended before the key took its place is finished, not begun again") {
    const Folder made;
    const auto old_key = read_file(made.paths.ca_key(), 1 << 20).value();
    REQUIRE(pki_rotate_ca(made.paths, {}, system_clock()).has_value());
    const auto new_key = read_file(made.paths.ca_key(), 1 << 20).value();
    REQUIRE(write_file_atomic(made.paths.ca_key().string() + ".new", new_key, 0600).has_value());
    REQUIRE(write_file_atomic(made.paths.ca_key(), old_key, 0600).has_value());
    const auto refused =
        pki_issue_agent(made.paths, "web-2", default_certificate_lifetime, system_clock());
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == "ca_key_mismatch");
    CHECK_FALSE(fs::exists(made.agents("web-2.crt")));
    REQUIRE(pki_rotate_ca(made.paths, {}, system_clock()).has_value());
    CHECK(read_file(made.paths.ca_key(), 1 << 20).value() == new_key);
    CHECK(read_certificates(made.paths.ca_cert())->size() == 2);
}
