#include "core/link/trust_changes.h"

#include <catch2/catch.hpp>

#include "core/crypto/signing.h"

using namespace amoskys;

namespace {

std::shared_ptr<const crypto::TrustMap> parse(std::string_view agents) {
    const crypto::KeyLoader key = [](const std::filesystem::path& file) {
        const auto seed = static_cast<std::uint8_t>(file.string().back());
        return Result<PublicKey>(crypto::SigningKey::from_seed(Bytes(32, seed)).public_key());
    };
    auto map = crypto::TrustMap::parse("agents:\n" + std::string(agents), "trust.yaml", key);
    INFO((map ? std::string() : map.error().message));
    REQUIRE(map.has_value());
    return *map;
}

}  // namespace

TEST_CASE("a trust map's changes are told by agent, with what was and what is") {
    const auto before = parse(
        "  stays: a\n  goes: b\n  turns: c\n"
        "  grows: {public_key_path: d, devices: [\"10.0.*\"]}\n");
    const auto after = parse(
        "  stays: a\n  comes: e\n  turns: {public_key_path: c, revoked: true}\n"
        "  grows: {public_key_path: d, permissions: [publish, admin], rate_limit: 50}\n");
    CHECK(link::trust_changes(*before, *before).empty());
    const auto changes = link::trust_changes(*before, *after);
    REQUIRE(changes.size() == 4);
    CHECK(changes[0].agent_id == "comes");
    CHECK(changes[0].action == "added");
    CHECK(changes[0].before.empty());
    CHECK(changes[1].agent_id == "goes");
    CHECK(changes[1].action == "removed");
    CHECK(changes[1].after.empty());
    CHECK(changes[2].agent_id == "grows");
    CHECK(changes[2].action == "changed");
    CHECK(changes[2].before.ends_with(" active; permissions publish register; devices 10.0.*"));
    CHECK(
        changes[2].after.ends_with(" active; permissions publish admin; devices any; 50 events/s"));
    CHECK(changes[3].agent_id == "turns");
    CHECK(changes[3].action == "revoked");
    CHECK(changes[3].after.starts_with("revoked; keys "));
}

TEST_CASE("a key that takes another's place is a change") {
    const auto changes = link::trust_changes(*parse("  edge: a\n"), *parse("  edge: b\n"));
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].action == "changed");
    CHECK(changes[0].before != changes[0].after);
}
