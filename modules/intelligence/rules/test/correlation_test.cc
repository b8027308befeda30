#include "modules/intelligence/rules/correlation.h"

#include "core/base/test/result_text.h"
#include "modules/intelligence/rules/test/rule_cases.h"

using namespace amoskys;
using namespace amoskys::rules;

namespace {

// Rules a, b, c (numbers 0 to 2) and correlations after them.
class Bench {
  public:
    explicit Bench(const std::vector<std::string>& correlations) {
        for (const char* name : {"a", "b", "c"})
            rules_.push_back(only_rule("title: t\nname: " + std::string(name) +
                                       "\nlogsource: {product: x}\n"
                                       "detection: {s: {A: x}, condition: s}\n"));
        for (std::size_t i = 0; i < correlations.size(); ++i)
            rules_.push_back(only_rule("title: t\nid: id" + std::to_string(i) + "\nname: k" +
                                       std::to_string(i) + "\n" + correlations[i]));
        for (const Rule& rule : rules_)
            pointers_.push_back(&rule);
        correlator_ = std::make_unique<Correlator>(pointers_);
    }

    // The numbers of the correlations that fire, from 0.
    std::vector<std::size_t> see(std::size_t rule, double second, const std::string& user = "u",
                                 const std::string& device = "d") {
        const Occurrence match{static_cast<UnixNanos>(second * 1e9), ++offset_, device, 0, {}};
        last_ = correlator_->add(rule, match, [&](std::string_view field) {
            return field == "user" ? user : field == "device" ? device : std::string();
        });
        std::vector<std::size_t> out;
        for (const Fired& each : last_)
            out.push_back(each.rule - 3);
        return out;
    }
    void restart() {
        const Json saved = correlator_->save();
        correlator_ = std::make_unique<Correlator>(pointers_);
        correlator_->load(saved);
    }
    const std::vector<Fired>& last() const { return last_; }
    Correlator& correlator() { return *correlator_; }

  private:
    std::vector<Rule> rules_;
    std::vector<const Rule*> pointers_;
    std::unique_ptr<Correlator> correlator_;
    std::vector<Fired> last_;
    std::uint64_t offset_ = 0;
};

using None = std::vector<std::size_t>;
const None first = {0};

std::string counted(const std::string& more) {
    return "correlation: {type: event_count, rules: [a], group-by: [user], timespan: 10s, "
           "condition: {" +
           more + "}}\n";
}

}  // namespace

TEST_CASE("event_count fires once so many are within the time, for each group") {
    Bench bench({counted("gte: 3")});
    CHECK(bench.see(0, 1).empty());
    CHECK(bench.see(0, 2).empty());
    CHECK(bench.see(0, 3, "other").empty());
    CHECK(bench.see(0, 11) == first);  // 1, 2, 11: ten seconds, both ends in
    REQUIRE(bench.last()[0].evidence.size() == 3);
    CHECK(bench.last()[0].evidence[0].offset == 1);
    CHECK(bench.last()[0].evidence[2].offset == 4);
    CHECK(bench.last()[0].values[0].second == "u");
    CHECK(bench.see(0, 12).empty());  // begins anew
    CHECK(bench.see(0, 25).empty());
    CHECK(bench.see(0, 26).empty());
    CHECK(bench.see(0, 35) == first);
}

TEST_CASE("event_count knows gt and eq") {
    Bench more({counted("gt: 1")});
    CHECK(more.see(0, 1).empty());
    CHECK(more.see(0, 2) == first);
    Bench exact({counted("eq: 2")});
    CHECK(exact.see(0, 1).empty());
    CHECK(exact.see(0, 2) == first);
}

TEST_CASE("events that come late are counted in the window that they belong to") {
    Bench bench({counted("gte: 3")});
    CHECK(bench.see(0, 100).empty());
    CHECK(bench.see(0, 95).empty());
    CHECK(bench.see(0, 92) == first);
    CHECK(bench.last()[0].evidence[0].time_ns == 92'000'000'000ULL);
    CHECK(bench.see(0, 200).empty());
    CHECK(bench.see(0, 150).empty());
    CHECK(bench.see(0, 199).empty());
}

TEST_CASE("a match without the field of the group counts for none") {
    Bench bench({counted("gte: 2")});
    CHECK(bench.see(0, 1, "").empty());
    CHECK(bench.see(0, 2, "").empty());
    CHECK(bench.correlator().groups() == 0);
}

TEST_CASE("value_count counts different values only") {
    Bench bench(
        {"correlation: {type: value_count, rules: [a], group-by: [device], timespan: 10s, "
         "condition: {gte: 3, field: user}}\n"});
    CHECK(bench.see(0, 1, "x").empty());
    CHECK(bench.see(0, 2, "x").empty());
    CHECK(bench.see(0, 3, "y").empty());
    CHECK(bench.see(0, 4, "z", "another").empty());
    CHECK(bench.see(0, 5, "z") == first);
}

TEST_CASE("temporal wants each rule once, in any order") {
    Bench bench(
        {"correlation: {type: temporal, rules: [a, b, c], group-by: [user], timespan: 10s}\n"});
    CHECK(bench.see(2, 1).empty());
    CHECK(bench.see(0, 5).empty());
    CHECK(bench.see(1, 12).empty());  // c is eleven seconds away
    CHECK(bench.see(2, 14) == first);
    REQUIRE(bench.last()[0].evidence.size() == 3);
    CHECK(bench.last()[0].evidence[0].part == 0);
}

TEST_CASE("temporal_ordered wants them in order, whatever order they arrive in") {
    Bench bench(
        {"correlation: {type: temporal_ordered, rules: [a, b], group-by: [user], "
         "timespan: 10s}\n"});
    CHECK(bench.see(1, 1).empty());
    CHECK(bench.see(0, 2).empty());
    CHECK(bench.see(1, 13).empty());
    CHECK(bench.see(0, 12) == first);  // came late
}

TEST_CASE("aliases give a group's name another field in each rule") {
    Bench bench(
        {"correlation:\n  type: temporal\n  rules: [a, b]\n  group-by: [who]\n"
         "  timespan: 10s\n  aliases: {who: {a: user, b: device}}\n"});
    CHECK(bench.see(0, 1, "x", "d").empty());
    CHECK(bench.see(1, 2, "q", "y").empty());
    CHECK(bench.see(1, 3, "q", "x") == first);
}

TEST_CASE("a correlation may be of correlations") {
    Bench bench({counted("gte: 2"),
                 "correlation: {type: temporal_ordered, rules: [k0, b], group-by: [user], "
                 "timespan: 1m}\n"});
    CHECK(bench.see(0, 1).empty());
    CHECK(bench.see(0, 2) == first);
    CHECK(bench.see(1, 30) == None{1});
    CHECK(bench.correlator().silenced(3));  // k0 gives no alerts of its own
    CHECK(bench.correlator().silenced(0));
    CHECK_FALSE(bench.correlator().silenced(4));
}

TEST_CASE("a correlation can want more than one device") {
    Bench bench(
        {"amoskys: {min-devices: 2}\n"
         "correlation: {type: temporal, rules: [a, b], group-by: [user], timespan: 10s}\n"});
    CHECK(bench.see(0, 1, "u", "one").empty());
    CHECK(bench.see(1, 2, "u", "one").empty());
    CHECK(bench.see(1, 3, "u", "two") == first);
    CHECK(bench.last()[0].evidence.size() == 3);
    CHECK(bench.see(0, 20, "u", "one").empty());
    CHECK(bench.see(1, 21, "u", "two") == first);
}

TEST_CASE("what was seen survives a restart, and what does not fit is left out") {
    Bench bench({counted("gte: 3")});
    CHECK(bench.see(0, 1).empty());
    bench.restart();
    CHECK(bench.see(0, 2).empty());
    bench.restart();
    CHECK(bench.see(0, 3) == first);
    CHECK(bench.last()[0].evidence.size() == 3);
    CHECK(bench.last()[0].evidence[0].offset == 1);
    Correlator& correlator = bench.correlator();
    correlator.load(
        Json::parse(R"([1, {"rule": "id0"}, {"rule": "gone", "values": [], "matches": []},
        {"rule": "id0", "values": ["u", "v"], "matches": []},
        {"rule": "id0", "values": ["u"], "matches": [["1", "1", "d", "other", ""], 5, []]}])"));
    CHECK(correlator.groups() == 0);
}

TEST_CASE("memory stays bounded, and what is dropped is counted") {
    Bench bench(
        {"correlation: {type: event_count, rules: [a], group-by: [user], timespan: 7d, "
         "condition: {gte: 9999}}\n"});
    for (std::size_t i = 0; i < Correlator::max_groups + 500; ++i)
        bench.see(0, static_cast<double>(i), "user" + std::to_string(i));
    CHECK(bench.correlator().groups() <= Correlator::max_groups);
    CHECK(bench.correlator().dropped() > 500);
}
