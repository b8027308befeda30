#include "core/crypto/trust_map.h"

#include <catch2/catch.hpp>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"

using namespace amoskys;
using namespace amoskys::crypto;

namespace {

// Keys a.pub to d.pub in a folder of their own.
class Keys {
  public:
    Keys() {
        for (const char* name : {"a.pub", "b.pub", "c.pub", "d.pub"}) {
            const SigningKey key = SigningKey::generate();
            ids.push_back(key.id());
            REQUIRE(
                write_new_file(folder / name, public_key_pem(key.public_key()), 0644).has_value());
        }
    }
    Result<std::shared_ptr<const TrustMap>> parse(std::string_view yaml) const {
        return TrustMap::parse(yaml, folder.path, "trust.yaml");
    }
    std::string refusal(std::string_view yaml) const {
        const auto map = parse(yaml);
        REQUIRE_FALSE(map.has_value());
        CHECK(map.error().kind == ErrorKind::config);
        return map.error().message;
    }
    TempFolder folder;
    std::vector<std::string> ids;
};

}  // namespace

TEST_CASE("the short form gives publish and register, any device, Ed25519-SHA256") {
    const Keys keys;
    const auto map = keys.parse("agents:\n  host-1: a.pub\n");
    REQUIRE(map.has_value());
    const TrustedAgent* agent = (*map)->find("host-1");
    REQUIRE(agent != nullptr);
    CHECK(agent->permissions.publish);
    CHECK(agent->permissions.register_devices);
    CHECK_FALSE(agent->permissions.subscribe);
    CHECK_FALSE(agent->permissions.admin);
    CHECK_FALSE(agent->permissions.publish_unsequenced);
    CHECK_FALSE(agent->revoked);
    CHECK((*map)->may_send_device(*agent, "anything"));
    const TrustedKey* key = (*map)->find_key(*agent, "");
    REQUIRE(key != nullptr);
    CHECK(key->id == keys.ids[0]);
    CHECK(key->algorithm == Algorithm::ed25519_sha256);
    CHECK(key->usable_at(1));
    CHECK((*map)->find("host-2") == nullptr);
    CHECK((*map)->find_key(*agent, keys.ids[1]) == nullptr);
}

TEST_CASE("a key can stand in the map itself") {
    const Keys keys;
    const auto key = load_public_key(keys.folder / "a.pub");
    REQUIRE(key.has_value());
    const auto map = keys.parse("agents:\n  host-1: base64:" + to_base64(*key) + "\n");
    REQUIRE(map.has_value());
    CHECK((*map)->find_key(*(*map)->find("host-1"), keys.ids[0])->key == *key);
    for (const char* text : {"base64:", "base64:AAAA", "base64:not base64", "base64:\n"})
        CHECK(keys.refusal("agents:\n  host-1: \"" + std::string(text) + "\"\n")
                  .find("trust.yaml:") == 0);
    const std::string weak = to_base64(Bytes(32, 0));
    CHECK(keys.refusal("agents:\n  host-1: \"base64:" + weak + "\"\n").find("base64:") !=
          std::string::npos);
}

TEST_CASE("the long form sets every field") {
    const Keys keys;
    const auto map = keys.parse(R"(
agents:
  host.1:
    public_keys:
      - {path: a.pub, not_after: 2026-06-01T00:00:00Z, status: retiring}
      - {path: b.pub, not_before: 2026-05-01T00:00:00Z}
      - {path: c.pub, status: revoked}
    algorithm: Ed25519
    permissions: [subscribe, admin, publish_unsequenced]
    devices: ["10.0.*", "web-?"]
    rate_limit: 2.5e3
    revoked: true
)");
    INFO((map ? "" : map.error().message));
    REQUIRE(map.has_value());
    const TrustedAgent& agent = *(*map)->find("host.1");
    CHECK_FALSE(agent.permissions.publish);
    CHECK_FALSE(agent.permissions.register_devices);
    CHECK(agent.permissions.subscribe);
    CHECK(agent.permissions.admin);
    CHECK(agent.permissions.publish_unsequenced);
    CHECK(agent.rate_limit_events == 2500);
    CHECK(agent.revoked);
    CHECK((*map)->may_send_device(agent, "10.0.0.1"));
    CHECK((*map)->may_send_device(agent, "web-1"));
    CHECK_FALSE((*map)->may_send_device(agent, "10.1.0.1"));
    REQUIRE(agent.keys.size() == 3);
    CHECK((*map)->find_key(agent, "") == nullptr);  // two could be meant
    const TrustedKey* old = (*map)->find_key(agent, keys.ids[0]);
    REQUIRE(old != nullptr);
    CHECK(old->algorithm == Algorithm::ed25519);
    CHECK(old->status == KeyStatus::retiring);
    const UnixNanos june = parse_time("2026-06-01T00:00:00Z", 0).value();
    CHECK(old->usable_at(june));
    CHECK_FALSE(old->usable_at(june + 1));
    CHECK_FALSE(agent.keys[1].usable_at(parse_time("2026-04-30T00:00:00Z", 0).value()));
    CHECK((*map)->find_key(agent, keys.ids[2]) == nullptr);
    CHECK_FALSE(agent.keys[2].usable_at(june));
}

TEST_CASE("every problem of a trust map is reported with its place") {
    const Keys keys;
    const std::string text = keys.refusal(R"(agents:
  one: absent.pub
  two: {public_key_path: a.pub, permisions: [publish]}
  three: {public_key_path: b.pub, permissions: [fly], revoked: yes, rate_limit: fast}
  four: {algorithm: RSA, public_key_path: c.pub, devices: []}
  five/5: d.pub
  six: {}
  seven: {public_keys: [{path: d.pub, not_before: -2d, status: gone}]}
agent: x
)");
    CHECK(text.find("trust.yaml:2:8: ") != std::string::npos);
    CHECK(text.find("trust.yaml:3:33: unknown key `permisions`; did you mean `permissions`?") !=
          std::string::npos);
    CHECK(text.find("trust.yaml:4:49: permission `fly`; allowed: publish") != std::string::npos);
    CHECK(text.find("revoked: `yes`; allowed: true, false") != std::string::npos);
    CHECK(text.find("rate_limit: `fast`") != std::string::npos);
    CHECK(text.find("unknown signing algorithm `RSA`") != std::string::npos);
    CHECK(text.find("devices: 0 patterns") != std::string::npos);
    CHECK(text.find("trust.yaml:6:3: agent name `five/5`") != std::string::npos);
    CHECK(text.find("trust.yaml:7:3: six: needs public_key_path or public_keys") !=
          std::string::npos);
    CHECK(text.find("time `-2d`") != std::string::npos);
    CHECK(text.find("status `gone`; allowed: active, retiring, revoked") != std::string::npos);
    CHECK(text.find("trust.yaml:9:1: unknown key `agent`; did you mean `agents`?") !=
          std::string::npos);
}

TEST_CASE("YAML that could be read in two ways, or grows, is refused") {
    const Keys keys;
    CHECK(keys.refusal("agents:\n  a: a.pub\n  a: b.pub\n")
              .find("trust.yaml:3:3: `a` stands here a second time") != std::string::npos);
    CHECK(keys.refusal("agents: &x\n  a: a.pub\n").find("anchors") != std::string::npos);
    CHECK(keys.refusal("agents:\n  a: *x\n").find("trust.yaml:2:") != std::string::npos);
    CHECK(keys.refusal("agents: !!map {}\n").find("tags") != std::string::npos);
    CHECK(keys.refusal("agents: {}\n---\nagents: {}\n").find("second document") !=
          std::string::npos);
    CHECK(keys.refusal("agents:\n  a: " + std::string(40, '[') + std::string(40, ']'))
              .find("nested more than 16") != std::string::npos);
    CHECK(keys.refusal(std::string((4U << 20U) + 1, '#')).find("4194304") != std::string::npos);
    CHECK(keys.refusal("").find("trust map: nothing") != std::string::npos);
    CHECK(keys.refusal("{}").find("`agents` is missing") != std::string::npos);
    CHECK(keys.refusal("agents: {a: \xff}").find("UTF-8") != std::string::npos);
    CHECK(keys.parse("agents: {}\n").has_value());
    CHECK(keys.parse("agents:\n").has_value());
}

TEST_CASE("two agents with one key are refused, and so is a weak key") {
    const Keys keys;
    CHECK(keys.refusal("agents: {x: a.pub, y: a.pub}\n")
              .find("already the key of x; a key has one use") != std::string::npos);
    REQUIRE(write_new_file(keys.folder / "zero.pub", std::string(32, '\0'), 0644).has_value());
    CHECK(keys.refusal("agents: {x: zero.pub}\n").find("small order") != std::string::npos);
}

TEST_CASE("an added agent leaves the rest of the text as it was") {
    const Keys keys;
    const std::string_view texts[] = {
        "# ours\nagents:\n    x: a.pub  # the first\n\n# end\n",
        "agents:\n  x: a.pub",
        "agents: {}\n",
        "agents:\n",
        "agents:\n  x:\n    public_key_path: a.pub\n    devices: [a]\n",
    };
    for (const auto text : texts) {
        const auto added = add_trusted_agent(text, "new-1", "b.pub");
        REQUIRE(added.has_value());
        const auto map = keys.parse(*added);
        REQUIRE(map.has_value());
        CHECK((*map)->find("new-1")->keys.at(0).id == keys.ids[1]);
        if (text.find("{}") == std::string_view::npos)
            CHECK(added->starts_with(text));
        CHECK(add_trusted_agent(*added, "new-1", "b.pub").error().code == "agent_exists");
    }
    const auto flow = add_trusted_agent("agents: {x: a.pub}\n", "new-1", "b.pub");
    REQUIRE_FALSE(flow.has_value());
    CHECK(flow.error().hint.find("new-1: b.pub") != std::string::npos);
    const auto odd = add_trusted_agent("agents:\n", "null", "b.pub");
    REQUIRE(odd.has_value());
    CHECK((*keys.parse(*odd))->find("null") != nullptr);
}

TEST_CASE("a revoked agent stays in the map with its key") {
    const Keys keys;
    const std::string_view texts[] = {
        "agents:\n  w: b.pub\n  x: a.pub  # note\n",
        "agents:\n  x: \"a.pub\"\n",
        "agents: {x: a.pub, w: b.pub}\n",
        "agents:\n  x:\n    public_key_path: a.pub\n    devices: [a]\n  w: b.pub\n",
        "agents:\n  x: {public_key_path: a.pub}\n",
        "agents:\n  x: {public_key_path: a.pub, revoked: false}\n",
        "agents:\n  x: {public_key_path: a.pub, revoked: true}\n",
    };
    for (const auto text : texts) {
        const auto revoked = revoke_trusted_agent(text, "x");
        REQUIRE(revoked.has_value());
        const auto map = keys.parse(*revoked);
        REQUIRE(map.has_value());
        CHECK((*map)->find("x")->revoked);
        CHECK((*map)->find("x")->keys.at(0).id == keys.ids[0]);
        if (const auto* other = (*map)->find("w"))
            CHECK_FALSE(other->revoked);
    }
    CHECK(revoke_trusted_agent("agents: {}\n", "x").error().kind == ErrorKind::no_input);
}

TEST_CASE("a rewritten entry says the same and leaves the other lines as they were") {
    const Keys keys;
    const std::string_view texts[] = {
        "# ours\nagents:\n  w: b.pub  # note\n  # about x\n  x: a.pub\n\n  # about y\n  y: c.pub\n",
        "agents:\n  w: b.pub\n  x:\n    # inside\n    public_keys:\n      - {path: a.pub}\n  y: "
        "c.pub\n",
        "agents:\n  w: b.pub\n  x: {public_key_path: a.pub,\n      devices: [a]}\n",
        "agents:\n    w: b.pub\n    x: \"a.pub\"",
    };
    for (const auto text : texts) {
        const auto before = keys.parse(text);
        REQUIRE(before.has_value());
        TrustedAgent agent = *(*before)->find("x");
        TrustedKey fresh = agent.keys.at(0);
        agent.keys.at(0).status = KeyStatus::retiring;
        agent.keys.at(0).not_after_ns = 1'900'000'000'000'000'000;
        fresh.path = "d.pub";
        fresh.not_before_ns = 1'700'000'000'123'456'789;
        agent.keys.push_back(fresh);
        agent.permissions = {.publish = true, .subscribe = true, .register_devices = false};
        agent.devices = {"10.0.*", "say \"x\" \\ #1"};
        agent.rate_limit_events = 2.5;
        agent.revoked = true;
        agent.accepted_resets = {{"snmp", 1'800'000'000'000'000'000}};
        const auto edited = replace_trusted_agent(text, agent);
        REQUIRE(edited.has_value());
        const auto after = keys.parse(*edited);
        INFO(*edited);
        REQUIRE(after.has_value());
        const TrustedAgent* x = (*after)->find("x");
        REQUIRE(x->keys.size() == 2);
        CHECK(x->keys[0].id == keys.ids[0]);
        CHECK(x->keys[0].status == KeyStatus::retiring);
        CHECK(x->keys[0].not_after_ns == 1'900'000'000'000'000'000);
        CHECK(x->keys[1].id == keys.ids[3]);
        CHECK(x->keys[1].not_before_ns == 1'700'000'000'123'456'789);
        CHECK(x->permissions.subscribe);
        CHECK_FALSE(x->permissions.register_devices);
        CHECK(x->devices == agent.devices);
        CHECK(x->rate_limit_events == 2.5);
        CHECK(x->revoked);
        CHECK(x->accepted_resets == agent.accepted_resets);
        CHECK(key_state_at(*x, x->keys[0], 1) == "revoked");
        CHECK(edited->find("  w: b.pub") != std::string::npos);
        for (const char* kept : {"# ours", "# note", "# about x", "# about y", "# inside"})
            CHECK((edited->find(kept) != std::string::npos) ==
                  (text.find(kept) != std::string_view::npos));
        const auto removed = remove_trusted_agent(*edited, "x");
        REQUIRE(removed.has_value());
        REQUIRE(keys.parse(*removed).has_value());
        CHECK((*keys.parse(*removed))->find("x") == nullptr);
        CHECK((*keys.parse(*removed))->find("w") != nullptr);
    }
    CHECK(remove_trusted_agent("agents: {x: a.pub, w: b.pub}\n", "x").error().code ==
          "trust_map_edit");
    CHECK(remove_trusted_agent("agents: {}\n", "x").error().kind == ErrorKind::no_input);
}

TEST_CASE("accepted resets name lanes and times") {
    const Keys keys;
    CHECK(keys.refusal("agents: {x: {public_key_path: a.pub, accepted_resets: {SNMP: 1}}}\n")
              .find("lane `SNMP`; allowed are") != std::string::npos);
    CHECK(keys.refusal("agents: {x: {public_key_path: a.pub, accepted_resets: {snmp: soon}}}\n")
              .find("allowed is RFC 3339") != std::string::npos);
}

TEST_CASE("what a key is good for depends on the time, its status and its agent") {
    TrustedAgent agent;
    TrustedKey key;
    key.not_before_ns = 10;
    key.not_after_ns = 20;
    CHECK(key_state_at(agent, key, 9) == "not_yet_valid");
    CHECK(key_state_at(agent, key, 20) == "active");
    CHECK(key_state_at(agent, key, 21) == "expired");
    key.status = KeyStatus::retiring;
    CHECK(key_state_at(agent, key, 20) == "retiring");
    agent.revoked = true;
    CHECK(key_state_at(agent, key, 20) == "revoked");
}
