#include "core/module/alert.h"

#include <catch2/catch.hpp>

#include "core/base/test/temp_folder.h"

using namespace amoskys;
using module::Alert;
using module::AlertStore;

namespace {

constexpr UnixNanos second_ns = 1'000'000'000;
constexpr auto minute = std::chrono::minutes(1);

Alert made_alert(std::string rule, std::string device, UnixNanos second, std::uint64_t offset) {
    Alert out;
    out.source = "rules";
    out.rule = std::move(rule);
    out.title = "t";
    out.level = "high";
    out.score = 0.8;
    out.devices = {std::move(device)};
    out.values = {{"Image", "/bin/x"}};
    out.techniques = {"T1059"};
    out.first_ns = out.last_ns = second * second_ns;
    out.evidence = {offset};
    return out;
}

std::unique_ptr<AlertStore> opened(const TempFolder& folder) {
    auto store = AlertStore::open(folder.path);
    REQUIRE(store);
    return std::move(*store);
}

}  // namespace

TEST_CASE("the same alert joins within its time and is a new one after it") {
    TempFolder folder;
    auto store = opened(folder);
    CHECK(store->raise(made_alert("r", "d", 100, 7), minute).is_new);
    const auto joined = store->raise(made_alert("r", "d", 160, 3), minute);
    CHECK_FALSE(joined.is_new);
    const Alert& first = *store->find(joined.number);
    CHECK(first.count == 2);
    CHECK(first.evidence == std::vector<std::uint64_t>{3, 7});
    CHECK(first.last_ns == 160 * second_ns);
    CHECK_FALSE(store->raise(made_alert("r", "d", 90, 9), minute).is_new);  // came late
    CHECK(store->find(joined.number)->first_ns == 90 * second_ns);
    CHECK(store->raise(made_alert("r", "d", 221, 10), minute).is_new);
    CHECK(store->alerts().size() == 2);
}

TEST_CASE("another rule, device or value is another alert") {
    TempFolder folder;
    auto store = opened(folder);
    store->raise(made_alert("r", "d", 1, 1), minute);
    CHECK(store->raise(made_alert("s", "d", 1, 1), minute).is_new);
    CHECK(store->raise(made_alert("r", "e", 1, 1), minute).is_new);
    Alert other = made_alert("r", "d", 1, 1);
    other.values[0].second = "/bin/y";
    CHECK(store->raise(other, minute).is_new);
}

TEST_CASE("a resolved alert stays quiet within its time") {
    TempFolder folder;
    auto store = opened(folder);
    const auto raised = store->raise(made_alert("r", "d", 1, 1), minute);
    store->find(raised.number)->state = Alert::State::resolved;
    CHECK_FALSE(store->raise(made_alert("r", "d", 30, 2), minute).is_new);
    CHECK(store->find(raised.number)->state == Alert::State::resolved);
    CHECK(store->raise(made_alert("r", "d", 200, 3), minute).is_new);
}

TEST_CASE("alerts of one device within half an hour are one incident") {
    TempFolder folder;
    auto store = opened(folder);
    const auto a = store->raise(made_alert("a", "d", 0, 1), minute);
    const auto b = store->raise(made_alert("b", "d", 1700, 2), minute);
    const auto c = store->raise(made_alert("c", "d", 3400, 3), minute);
    const auto elsewhere = store->raise(made_alert("b", "e", 1700, 2), minute);
    Alert both = made_alert("move", "e", 1800, 4);
    both.devices = {"d", "e"};
    const auto over_two = store->raise(both, minute);
    const auto later = store->raise(made_alert("d", "d", 90'000, 5), minute);
    const auto incident = [&](const AlertStore::Raised& each) {
        return store->find(each.number)->incident;
    };
    CHECK(incident(a) == a.number);
    CHECK(incident(b) == a.number);
    CHECK(incident(c) == a.number);
    CHECK(incident(elsewhere) == elsewhere.number);
    CHECK(incident(over_two) == a.number);
    CHECK(incident(later) == later.number);
}

TEST_CASE("evidence is bounded: the first and the last are kept, the others counted") {
    TempFolder folder;
    auto store = opened(folder);
    AlertStore::Raised raised;
    for (std::uint64_t i = 1; i <= 100; ++i)
        raised = store->raise(made_alert("r", "d", i, i), minute);
    const Alert& alert = *store->find(raised.number);
    CHECK(alert.evidence.size() == AlertStore::max_evidence);
    CHECK(alert.evidence.front() == 1);
    CHECK(alert.evidence.back() == 100);
    CHECK(alert.evidence_left_out == 36);
    CHECK(alert.count == 100);
}

TEST_CASE("what is saved is what is loaded") {
    TempFolder folder;
    {
        auto store = opened(folder);
        Alert alert = made_alert("r", "d", 100, 7);
        alert.pattern = "ransomware";
        alert.responses = {"look"};
        const auto raised = store->raise(alert, minute);
        Alert& kept = *store->find(raised.number);
        kept.state = Alert::State::acknowledged;
        kept.state_ns = 55 * second_ns;
        kept.label = "critical";
        kept.note = "n";
        store->set_state("rules", {{"next", 9}});
        REQUIRE(store->save());
        CHECK((std::filesystem::status(folder / "alerts/alerts.json").permissions() &
               std::filesystem::perms::all) == std::filesystem::perms(0600));
    }
    auto store = AlertStore::open_to_read(folder.path);
    REQUIRE(store);
    REQUIRE((*store)->alerts().size() == 1);
    const Json written = module::to_json((*store)->alerts()[0]);
    CHECK(json::dump(written) ==
          R"({"id":"A-000001","source":"rules","rule":"r","title":"t","pattern":"ransomware",)"
          R"("level":"high","score":0.8,"state":"acknowledged","devices":["d"],)"
          R"("values":{"Image":"/bin/x"},"techniques":["T1059"],)"
          R"("first":"1970-01-01T00:01:40.000000000Z","last":"1970-01-01T00:01:40.000000000Z",)"
          R"("count":1,"evidence":[7],"evidence_left_out":0,"incident":1,"responses":["look"],)"
          R"("label":"critical","note":"n","state_set":"1970-01-01T00:00:55.000000000Z"})");
    CHECK((*store)->state_of("rules")["next"] == 9);
    CHECK((*store)->state_of("others").is_null());
    auto again = opened(folder);
    CHECK_FALSE(again->raise(made_alert("r", "d", 120, 8), minute).is_new);
    CHECK(again->raise(made_alert("s", "d", 120, 8), minute).number == 2);
}

TEST_CASE("the oldest go first: resolved, then acknowledged, then open ones") {
    TempFolder folder;
    auto store = opened(folder);
    for (std::size_t i = 0; i < AlertStore::max_alerts; ++i)
        store->raise(made_alert("r" + std::to_string(i), "d", 1, i), minute);
    store->find(500)->state = Alert::State::resolved;
    store->find(400)->state = Alert::State::acknowledged;
    store->raise(made_alert("x", "d", 1, 1), minute);
    CHECK(store->find(500) == nullptr);
    CHECK(store->find(400) != nullptr);
    store->raise(made_alert("y", "d", 1, 1), minute);
    CHECK(store->find(400) == nullptr);
    store->raise(made_alert("z", "d", 1, 1), minute);
    CHECK(store->find(1) == nullptr);
    CHECK(store->alerts().size() == AlertStore::max_alerts);
    CHECK(store->dropped() == 3);
}

TEST_CASE("a damaged file is refused and stays as it is") {
    for (
        const std::string text :
        {"", "{", "[]", R"({"schema": "amoskys.alerts/2"})",
         R"({"schema": "amoskys.alerts/1", "next": 1, "dropped": 0, "states": {}, "alerts": [{}]})",
         R"({"schema": "amoskys.alerts/1", "next": -1, "dropped": 0, "states": {}, "alerts": []})"}) {
        TempFolder folder;
        std::filesystem::create_directories(folder / "alerts");
        folder.write("alerts/alerts.json", text);
        const auto store = AlertStore::open(folder.path);
        INFO(text);
        REQUIRE_FALSE(store);
        CHECK(store.error().kind == ErrorKind::bad_data);
        CHECK(folder.text("alerts/alerts.json") == text);
    }
}

TEST_CASE("ids are read as people write them") {
    CHECK(module::parse_alert_id("A-000042") == 42);
    CHECK(module::parse_alert_id("a-42") == 42);
    CHECK(module::parse_alert_id("42") == 42);
    for (const char* wrong : {"", "A-", "0", "B-1", "42x", "-1"})
        CHECK_FALSE(module::parse_alert_id(wrong));
}
