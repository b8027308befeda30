#include "modules/tools/pki/pki_verbs.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>

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
    const auto revoked = state.run(pki::revoke, pki::RevokeOptions{"agent", "web-2"});
    REQUIRE(revoked.has_value());
    CHECK(revoked->at("revoked") == true);
    const auto trusted = state.run(pki::trust, pki::NoOptions{});
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
    CHECK(state.run(pki::revoke, pki::RevokeOptions{"agent", ""}).error().kind == ErrorKind::usage);
}
