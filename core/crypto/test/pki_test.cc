#include "core/crypto/pki.h"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/crypto/signing.h"
#include "core/crypto/trust_map.h"

using namespace amoskys;
using namespace amoskys::crypto;

namespace {

constexpr UnixNanos hour_ns = 3'600'000'000'000;

// A key folder with agent "host-1", made now (openssl and TLS look at the real clock).
class Folder {
  public:
    Folder() : paths{temp / "pki"} {
        const auto made = pki_init(paths, {.local_agent = "host-1"}, system_clock());
        INFO((made ? "" : made.error().message));
        REQUIRE(made.has_value());
        files = *made;
    }
    TempFolder temp;
    PkiPaths paths;
    std::vector<std::filesystem::path> files;
};

unsigned mode_of(const std::filesystem::path& file) {
    struct stat info {};
    REQUIRE(::stat(file.c_str(), &info) == 0);
    return info.st_mode & 07777U;
}

bool have_openssl() {
    if (std::system("openssl version >/dev/null 2>&1") == 0)
        return true;
    WARN("skipped: no openssl command");
    return false;
}

int shell(const std::filesystem::path& folder, const std::string& command) {
    return std::system(("cd " + folder.string() + " && " + command).c_str());
}

}  // namespace

TEST_CASE("init makes a complete folder with private modes") {
    const Folder made;
    CHECK(made.files.size() == 11);
    CHECK(mode_of(made.paths.root) == 0700U);
    CHECK(mode_of(made.paths.root / "agents") == 0700U);
    for (const auto& file : made.files) {
        const bool open = file.extension() == ".crt" || file.extension() == ".pub";
        CHECK(mode_of(file) == (open ? 0644U : 0600U));
    }
    CHECK(pki_agents(made.paths) == std::vector<std::string>{"host-1"});
    const auto map = TrustMap::load(made.paths.trust_map());
    REQUIRE(map.has_value());
    const auto key = SigningKey::load(made.paths.agent_signing_key("host-1"));
    REQUIRE(key.has_value());
    CHECK((*map)->find("host-1")->keys.at(0).key == key->public_key());
    const auto log = SigningKey::load(made.paths.log_key());
    REQUIRE(log.has_value());
    CHECK(load_public_key(made.paths.log_public_key()).value() == log->public_key());
    CHECK(log->public_key() != key->public_key());
}

TEST_CASE("certificates say what they are for, for a year, from five minutes ago") {
    const Folder made;
    const auto ca = read_certificate(made.paths.ca_cert());
    const auto bus = read_certificate(made.paths.bus_cert());
    const auto agent = read_certificate(made.paths.agent_cert("host-1"));
    REQUIRE((ca.has_value() && bus.has_value() && agent.has_value()));
    CHECK(ca->subject_cn == ca->issuer_cn);
    CHECK(bus->issuer_cn == ca->subject_cn);
    CHECK(agent->subject_cn == "host-1");
    CHECK(agent->sans == std::vector<std::string>{"host-1"});
    REQUIRE(bus->sans.size() >= 3);
    CHECK(bus->sans[0] == "localhost");
    CHECK(bus->sans[1] == "127.0.0.1");
    CHECK(bus->sans[2] == "::1");
    CHECK(agent->key_type == "ECDSA P-256");
    CHECK(agent->serial_hex.size() == 32);
    CHECK(agent->serial_hex != bus->serial_hex);
    CHECK(agent->fingerprint_sha256.size() == 64);
    CHECK((agent->not_after_ns - agent->not_before_ns) / hour_ns == 365 * 24);
    CHECK((ca->not_after_ns - ca->not_before_ns) / hour_ns == 3650 * 24);
    const UnixNanos now_ns = system_clock().now_ns();
    CHECK(agent->not_before_ns < now_ns - hour_ns / 20);
    CHECK_FALSE(agent->needs_renewal_at(now_ns));
    CHECK(agent->needs_renewal_at(now_ns + 300 * 24 * hour_ns));
}

TEST_CASE("init changes nothing where a CA or anything else is") {
    const Folder made;
    const auto before = read_file(made.paths.ca_cert(), 65536).value();
    const auto again = pki_init(made.paths, {}, system_clock());
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == "pki_exists");
    CHECK(again.error().kind == ErrorKind::cannot_create);
    CHECK(read_file(made.paths.ca_cert(), 65536).value() == before);
    const PkiPaths other{made.temp / "other"};
    REQUIRE(make_directories(other.root, 0700).has_value());
    REQUIRE(write_new_file(other.root / "note", "x", 0644).has_value());
    CHECK(pki_init(other, {}, system_clock()).error().code == "pki_not_empty");
}

TEST_CASE("init that fails leaves nothing behind") {
    const TempFolder temp;
    const PkiPaths paths{temp / "pki"};
    CHECK(pki_init(paths, {.extra_sans = {"a b"}}, system_clock()).error().code == "bad_san");
    CHECK(pki_init(paths, {.local_agent = "a/b"}, system_clock()).error().code == "bad_agent_name");
    CHECK(pki_init(paths, {.lifetime = std::chrono::seconds(1)}, system_clock()).error().code ==
          "bad_lifetime");
    CHECK(std::filesystem::is_empty(temp.path));
}

TEST_CASE("init fills an empty folder and takes further SANs") {
    const TempFolder temp;
    const PkiPaths paths{temp / "pki"};
    REQUIRE(make_directories(paths.root, 0700).has_value());
    REQUIRE(
        pki_init(paths, {.extra_sans = {"bus.example", "192.0.2.7"}}, system_clock()).has_value());
    const auto sans = read_certificate(paths.bus_cert())->sans;
    CHECK(std::count(sans.begin(), sans.end(), "bus.example") == 1);
    CHECK(std::count(sans.begin(), sans.end(), "192.0.2.7") == 1);
    CHECK(pki_agents(paths) == std::vector<std::string>{local_agent_name()});
}

TEST_CASE("issue adds an agent to the folder and to the trust map") {
    const Folder made;
    const auto issued =
        pki_issue_agent(made.paths, "web-2", default_certificate_lifetime, system_clock());
    REQUIRE(issued.has_value());
    CHECK(issued->size() == 4);
    CHECK(pki_agents(made.paths) == std::vector<std::string>{"host-1", "web-2"});
    const auto map = TrustMap::load(made.paths.trust_map());
    REQUIRE(map.has_value());
    CHECK((*map)->agents().size() == 2);
    const auto before = read_file(made.paths.agent_key("web-2"), 65536).value();
    const auto again =
        pki_issue_agent(made.paths, "web-2", default_certificate_lifetime, system_clock());
    CHECK(again.error().code == "agent_exists");
    CHECK(read_file(made.paths.agent_key("web-2"), 65536).value() == before);
}

TEST_CASE("issue without a CA says how to make one") {
    const TempFolder temp;
    const PkiPaths paths{temp.path};
    const auto issued =
        pki_issue_agent(paths, "web-2", default_certificate_lifetime, system_clock());
    REQUIRE_FALSE(issued.has_value());
    CHECK(issued.error().hint.find("pki init") != std::string::npos);
    CHECK(std::filesystem::is_empty(temp.path));
}

TEST_CASE("renewal keeps the key, the name and the SANs") {
    const Folder made;
    const auto old = read_certificate(made.paths.bus_cert()).value();
    const auto key = read_file(made.paths.bus_key(), 65536).value();
    FakeClock later(system_clock().now_ns());
    later.advance(std::chrono::hours(24 * 300));
    REQUIRE(pki_renew_bus(made.paths, default_certificate_lifetime, later).has_value());
    const auto renewed = read_certificate(made.paths.bus_cert()).value();
    CHECK(renewed.sans == old.sans);
    CHECK(renewed.serial_hex != old.serial_hex);
    CHECK(renewed.not_after_ns > old.not_after_ns + 299 * 24 * hour_ns);
    CHECK(read_file(made.paths.bus_key(), 65536).value() == key);
    REQUIRE(pki_renew_agent(made.paths, "host-1", default_certificate_lifetime, later).has_value());
    CHECK(read_certificate(made.paths.agent_cert("host-1"))->subject_cn == "host-1");
    FakeClock too_late(system_clock().now_ns());
    too_late.advance(std::chrono::hours(24 * 3651));
    CHECK(pki_renew_bus(made.paths, default_certificate_lifetime, too_late).error().code ==
          "ca_expired");
}

TEST_CASE("a revoked agent is marked in the trust map") {
    const Folder made;
    REQUIRE(pki_revoke_agent(made.paths, "host-1").has_value());
    const auto map = TrustMap::load(made.paths.trust_map());
    REQUIRE(map.has_value());
    CHECK((*map)->find("host-1")->revoked);
    CHECK(pki_revoke_agent(made.paths, "nobody").error().kind == ErrorKind::no_input);
}

TEST_CASE("a CA key that others can read is refused") {
    const Folder made;
    REQUIRE(::chmod(made.paths.ca_key().c_str(), 0644) == 0);
    CHECK(pki_issue_agent(made.paths, "web-2", default_certificate_lifetime, system_clock())
              .error()
              .kind == ErrorKind::permission);
}

TEST_CASE("the earlier system's certificate folder is found") {
    const Folder made;
    const PkiPaths earlier{made.temp / "certs"};
    REQUIRE(make_directories(earlier.root, 0700).has_value());
    const auto copy = [&](const std::filesystem::path& from, const char* to) {
        std::filesystem::copy_file(from, earlier.root / to);
    };
    copy(made.paths.bus_cert(), "server.crt");
    copy(made.paths.agent_cert("host-1"), "agent.crt");
    copy(made.paths.agent_key("host-1"), "agent.key");
    copy(made.paths.agent_signing_key("host-1"), "agent.ed25519");
    CHECK(earlier.bus_cert().filename() == "server.crt");
    CHECK(earlier.agent_cert("host-1").filename() == "agent.crt");
    CHECK(earlier.agent_signing_key("host-1").filename() == "agent.ed25519");
    CHECK(pki_agents(earlier) == std::vector<std::string>{"host-1"});
}

TEST_CASE("openssl verifies our certificates for their use and no other") {
    if (!have_openssl())
        return;
    const Folder made;
    const auto& root = made.paths.root;
    CHECK(shell(root,
                "openssl verify -x509_strict -CAfile ca.crt -purpose sslserver "
                "-verify_hostname localhost bus.crt >/dev/null") == 0);
    CHECK(shell(root, "openssl verify -CAfile ca.crt -verify_ip ::1 bus.crt >/dev/null") == 0);
    CHECK(shell(root,
                "openssl verify -x509_strict -CAfile ca.crt -purpose sslclient "
                "agents/host-1.crt >/dev/null") == 0);
    CHECK(shell(root,
                "openssl verify -CAfile ca.crt -purpose sslclient bus.crt "
                ">/dev/null 2>&1") != 0);
    CHECK(shell(root,
                "openssl verify -CAfile ca.crt -purpose sslserver agents/host-1.crt "
                ">/dev/null 2>&1") != 0);
    CHECK(shell(root,
                "openssl x509 -in bus.crt -noout -pubkey > p && "
                "openssl pkey -in bus.key -pubout | cmp - p") == 0);
    CHECK(shell(root, "openssl x509 -in ca.crt -noout -text | grep -q 'CA:TRUE, pathlen:0'") == 0);
}

TEST_CASE("an RSA certificate that openssl made is described") {
    if (!have_openssl())
        return;
    const TempFolder temp;
    REQUIRE(shell(temp.path,
                  "openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c.crt "
                  "-subj '/O=x/CN=InfraSpectre Local CA' -days 825 2>/dev/null") == 0);
    const auto info = read_certificate(temp / "c.crt");
    REQUIRE(info.has_value());
    CHECK(info->key_type == "RSA 2048");
    CHECK(info->subject_cn == "InfraSpectre Local CA");
    CHECK(info->sans.empty());
    CHECK(read_certificate(temp / "k").error().kind == ErrorKind::bad_data);
}
