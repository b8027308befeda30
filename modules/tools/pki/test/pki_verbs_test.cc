#include "modules/tools/pki/pki_verbs.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "core/crypto/trust_map.h"

using namespace amoskys;
using namespace amoskys::modules;

namespace {

// A state directory of its own; run() calls a verb with JSON output.
class State {
  public:
    State() {
        std::string pattern = (std::filesystem::temp_directory_path() / "amoskys_XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    template <class Options>
    Result<Json> run(module::ToolFunction verb, const Options& options) {
        StringSink sink;
        OutputOptions output;
        output.format = OutputFormat::json;
        module::ToolContext context{.config = std::make_shared<const Options>(options),
                                    .state_dir = folder,
                                    .loaded = loaded,
                                    .output = output,
                                    .out = sink};
        if (const auto done = verb(context); !done)
            return done.error();
        return json::parse(sink.text, "output");
    }
    std::filesystem::path folder;
    config::Loaded loaded;
};

}  // namespace

TEST_CASE("init, issue, list, trust and revoke work one after the other") {
    State state;
    pki::InitOptions first;
    first.agent = "host-1";
    const auto made = state.run(pki::init, first);
    REQUIRE(made.has_value());
    CHECK(made->size() == 11);
    CHECK(made->at(0).at("schema") == "amoskys.key_file/1");
    pki::IssueOptions second;
    second.what = "agent";
    second.name = "web-2";
    REQUIRE(state.run(pki::issue, second).has_value());
    const auto listed = state.run(pki::list, pki::NoOptions{});
    REQUIRE(listed.has_value());
    REQUIRE(listed->size() == 4);
    CHECK(listed->at(0).at("schema") == "amoskys.certificate/1");
    CHECK(listed->at(0).at("name") == "ca");
    CHECK(listed->at(3).at("name") == "web-2");
    CHECK(listed->at(3).at("days_left") == 364);
    CHECK(listed->at(3).at("needs_renewal") == false);
    const auto revoked = state.run(pki::revoke, pki::RevokeOptions{"agent", "web-2", ""});
    REQUIRE(revoked.has_value());
    REQUIRE(revoked->size() == 1);
    CHECK(revoked->at(0).at("revoked") == true);
    CHECK(revoked->at(0).at("keys").at(0).at("status") == "revoked");
    const auto trusted = state.run(pki::trust, pki::TrustOptions{});
    REQUIRE(trusted.has_value());
    REQUIRE(trusted->size() == 2);
    CHECK(trusted->at(0).at("agent") == "host-1");
    CHECK(trusted->at(0).at("permissions") == Json::array({"publish", "register"}));
    CHECK(trusted->at(1).at("revoked") == true);
}

TEST_CASE("renewal is due from two thirds of the life on") {
    State state;
    REQUIRE(state.run(pki::init, pki::InitOptions{}).has_value());
    const auto none = state.run(pki::needs_renewal, pki::NoOptions{});
    REQUIRE_FALSE(none.has_value());
    CHECK(exit_code(none.error()) == 1);
    CHECK(state.run(pki::renew, pki::RenewOptions{})->empty());
    pki::RenewOptions bus;
    bus.what = "bus";
    bus.lifetime = std::chrono::minutes(2);  // with the five minutes before now: due at once
    CHECK(state.run(pki::renew, bus)->size() == 1);
    const auto due = state.run(pki::needs_renewal, pki::NoOptions{});
    REQUIRE(due.has_value());
    REQUIRE(due->size() == 1);
    CHECK(due->at(0).at("name") == "bus");
    CHECK(state.run(pki::renew, pki::RenewOptions{})->size() == 1);
    CHECK_FALSE(state.run(pki::needs_renewal, pki::NoOptions{}).has_value());
}

TEST_CASE("verbs without keys, or with a wrong name, say what to do") {
    State state;
    CHECK(state.run(pki::list, pki::NoOptions{}).error().hint.find("pki init") !=
          std::string::npos);
    REQUIRE(state.run(pki::init, pki::InitOptions{}).has_value());
    pki::RenewOptions nobody;
    nobody.what = "agent";
    nobody.name = "nobody";
    CHECK(state.run(pki::renew, nobody).error().kind == ErrorKind::no_input);
    CHECK(state.run(pki::revoke, pki::RevokeOptions{"agent", "", ""}).error().kind ==
          ErrorKind::usage);
}

TEST_CASE("rotate shows its steps and needs a name for an agent only") {
    State state;
    pki::InitOptions first;
    first.agent = "host-1";
    REQUIRE(state.run(pki::init, first).has_value());
    pki::RotateOptions agent;
    agent.what = "agent";
    CHECK(state.run(pki::rotate, agent).error().kind == ErrorKind::usage);
    agent.name = "host-1";
    agent.dry_run = true;
    const auto planned = state.run(pki::rotate, agent);
    REQUIRE(planned.has_value());
    CHECK(planned->at(0).at("schema") == "amoskys.rotation_step/1");
    CHECK(planned->at(0).at("done") == false);
    agent.dry_run = false;
    const auto done = state.run(pki::rotate, agent);
    REQUIRE(done.has_value());
    CHECK(done->size() == planned->size());
    CHECK(done->at(0).at("done") == true);
    const auto trusted = state.run(pki::trust, pki::TrustOptions{});
    REQUIRE(trusted.has_value());
    const Json keys = trusted->at(0).at("keys");
    REQUIRE(keys.size() == 2);
    CHECK(keys.at(0).at("status") == "retiring");
    CHECK(keys.at(1).at("status") == "active");
    pki::RevokeOptions one{"agent", "host-1", keys.at(0).at("key_id")};
    CHECK(state.run(pki::revoke, one)->at(0).at("keys").at(0).at("status") == "revoked");
    one.key = "0000000000000000";
    CHECK(state.run(pki::revoke, one).error().code == "no_such_key");
    pki::RotateOptions ca;
    ca.what = "ca";
    REQUIRE(state.run(pki::rotate, ca).has_value());
    const auto listed = state.run(pki::list, pki::NoOptions{});
    REQUIRE(listed.has_value());
    CHECK(listed->at(1).at("name") == "ca-retiring");
    CHECK(listed->at(1).at("needs_renewal") == false);
    CHECK(listed->at(2).at("needs_renewal") == true);  // the bus's is of the old CA
    ca.name = "host-1";
    CHECK(state.run(pki::rotate, ca).error().kind == ErrorKind::usage);
}

TEST_CASE("an agent with keys of its own is trusted, exported, and taken out again") {
    State state, elsewhere;
    REQUIRE(state.run(pki::init, pki::InitOptions{}).has_value());
    pki::InitOptions other;
    other.agent = "far-1";
    REQUIRE(elsewhere.run(pki::init, other).has_value());
    pki::TrustOptions add;
    add.action = "add";
    add.subject = "far-1";
    CHECK(state.run(pki::trust, add).error().kind == ErrorKind::usage);
    add.public_key = (elsewhere.folder / "pki/agents/far-1.pub").string();
    add.permissions = {"publish", "fly"};
    CHECK(state.run(pki::trust, add).error().kind == ErrorKind::usage);
    add.permissions = {"publish"};
    add.devices = {"10.0.*"};
    add.rate_limit = 5;
    const auto added = state.run(pki::trust, add);
    REQUIRE(added.has_value());
    CHECK(added->at(0).at("permissions") == Json::array({"publish"}));
    CHECK(added->at(0).at("devices") == Json::array({"10.0.*"}));
    CHECK(added->at(0).at("rate_limit") == 5.0);
    CHECK(state.run(pki::trust, add).error().code == "agent_exists");

    pki::TrustOptions reset;
    reset.action = "accept-reset";
    reset.subject = "far-1/snmp";
    CHECK(state.run(pki::trust, reset)->at(0).at("accepted_resets").contains("snmp"));
    reset.subject = "far-1/SNMP";
    CHECK(state.run(pki::trust, reset).error().kind == ErrorKind::usage);

    pki::TrustOptions out;
    out.action = "export";
    out.subject = (state.folder / "out").string();
    REQUIRE(state.run(pki::trust, out).has_value());
    const auto exported = crypto::TrustMap::load(state.folder / "out/trust.yaml");
    REQUIRE(exported.has_value());
    CHECK((*exported)->find("far-1")->rate_limit_events == 5);
    CHECK((*exported)->find("far-1")->accepted_resets.size() == 1);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(out.subject))
        CHECK(entry.path().extension() != ".key");
    CHECK(state.run(pki::trust, out).error().code == "folder_not_empty");
    out.subject = (state.folder / "one-file").string();
    out.inline_keys = true;
    REQUIRE(state.run(pki::trust, out).has_value());
    const auto inlined = crypto::TrustMap::load(state.folder / "one-file/trust.yaml");
    REQUIRE(inlined.has_value());
    CHECK((*inlined)->find("far-1")->keys.front().key ==
          (*exported)->find("far-1")->keys.front().key);
    CHECK_FALSE(std::filesystem::exists(state.folder / "one-file/agents"));

    pki::TrustOptions remove;
    remove.action = "remove";
    remove.subject = "far-1";
    CHECK(state.run(pki::trust, remove)->size() == 1);
    CHECK(state.run(pki::trust, remove).error().kind == ErrorKind::no_input);
}
