// Random operations against a std::map that says what the log must hold. The seed is printed on
// failure.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "core/wal/merkle.h"
#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;
using namespace amoskys::wal::test;

namespace {

struct Model {
    std::map<std::uint64_t, std::string> records;
    std::map<std::string, std::string> states;
    std::map<std::string, std::uint64_t> cursors;
    std::uint64_t last = 0;
    Frontier tree;
};

class Machine {
  public:
    Machine(unsigned seed, bool trim) : random_(seed) {
        options_.segment_max_bytes = 96 << 10;
        options_.map_bytes = 512 << 10;
        options_.trim_records = trim;
        options_.clock = &clock_;
        reopen();
    }

    void step() {
        switch (random_() % 12) {
            case 0:
                return reopen();
            case 1:
                return prune();
            case 2:
                return read_somewhere();
            case 3:
                return crash();
            case 4:
                clock_.advance(std::chrono::hours(random_() % 10));
                return;
            default:
                return append(*log_, model_);
        }
    }

    void compare() {
        const auto got = [&] {
            std::map<std::uint64_t, std::string> out;
            REQUIRE(log_->read({1}, UINT64_MAX, [&](const RecordView& record) {
                out[record.header.offset.value] = to_string(record.stored);
                return true;
            }));
            return out;
        }();
        // Pruning works in whole segments: the log may hold more than it must, never less.
        REQUIRE(got.size() >= model_.records.size());
        for (const auto& [offset, text] : model_.records) {
            const auto at = got.find(offset);
            REQUIRE(at != got.end());
            REQUIRE(at->second == text);
        }
        for (const auto& [key, value] : model_.states)
            REQUIRE(log_->state(key).value() == value);
        REQUIRE(log_->states("").value().size() == model_.states.size());
        for (const auto& [name, offset] : model_.cursors)
            REQUIRE(log_->cursor(name).value() == WalOffset{offset});
        const auto head = log_->tree_head();
        REQUIRE(head);
        REQUIRE(head->size == model_.last);
        REQUIRE(head->root == model_.tree.root());
        REQUIRE(log_->damages().empty());
    }

  private:
    void reopen() {
        log_.reset();
        auto log = Log::open(folder_.path(), options_);
        REQUIRE(log);
        log_ = std::move(*log);
        compare();
    }

    void append(Log& log, Model& model) {
        Group group;
        std::vector<std::string> texts;
        const std::size_t count = random_() % 20;
        for (std::size_t i = 0; i < count; ++i)
            texts.push_back(text_of(random_(), random_() % (i % 7 == 0 ? 9000 : 700)));
        for (const auto& text : texts)
            group.records.push_back(audit(text));
        const std::string key = "state " + std::to_string(random_() % 9);
        group.states = {{key, std::to_string(random_())}};
        group.cursors = {{"cursor " + std::to_string(random_() % 3), {random_()}}};
        const auto appended = log.append(group);
        REQUIRE(appended);
        REQUIRE(appended->first.value == model.last + 1);
        REQUIRE(appended->last.value == model.last + count);
        for (const auto& text : texts)
            model.records[++model.last] = text;
        model.states[key] = group.states[0].value;
        model.cursors[group.cursors[0].first] = group.cursors[0].second.value;
        for (std::uint64_t offset = appended->first.value; offset <= model.last; ++offset)
            model.tree.append(log.leaf_hash({offset}).value().value());
    }

    void prune() {
        const std::uint64_t before = model_.last == 0 ? 1 : random_() % (model_.last + 2);
        REQUIRE(log_->prune({before}));
        model_.records.erase(model_.records.begin(), model_.records.lower_bound(before));
        if (options_.trim_records && !model_.records.empty() && log_->stats().segments == 1)
            REQUIRE(log_->stats().oldest.value == model_.records.begin()->first);
    }

    void read_somewhere() {
        if (model_.records.empty())
            return;
        const std::uint64_t from =
            model_.records.begin()->first + random_() % model_.records.size();
        const std::uint64_t wanted = 1 + random_() % 50;
        auto expected = model_.records.lower_bound(from);
        std::uint64_t seen = 0;
        const auto next = log_->read({from}, wanted, [&](const RecordView& record) {
            REQUIRE(expected != model_.records.end());
            REQUIRE(record.header.offset.value == expected->first);
            REQUIRE(as_text(record.stored) == expected->second);
            ++expected;
            ++seen;
            return true;
        });
        REQUIRE(next);
        REQUIRE(seen == std::min(wanted, model_.last + 1 - from));
        REQUIRE(next->value == from + seen);
    }

    // Another process takes the folder over, writes, and dies without closing anything.
    void crash() {
        log_.reset();
        const std::string text = text_of(random_(), 400);
        REQUIRE(in_child([&] {
                    auto log = Log::open(folder_.path(), options_);
                    if (!log || !append_texts(**log, {text}))
                        return 1;
                    const std::string lost = text_of(1, 50000);
                    Group never_committed;
                    never_committed.records = {audit(lost)};
                    ::_exit(0);
                }) == 0);
        auto log = Log::open(folder_.path(), options_);
        REQUIRE(log);
        log_ = std::move(*log);
        model_.records[++model_.last] = text;
        model_.tree.append(log_->leaf_hash({model_.last}).value().value());
        compare();
    }

    std::mt19937 random_;
    TemporaryFolder folder_;
    FakeClock clock_{1'700'000'000'000'000'000};
    Options options_;
    std::unique_ptr<Log> log_;
    Model model_;
};

}  // namespace

TEST_CASE("random operations leave the log as the model says") {
    const unsigned seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
    const bool trim = seed % 2 == 0;
    INFO("seed " << seed << " trim " << trim);
    Machine machine(seed, trim);
    for (int step = 0; step < 120; ++step)
        machine.step();
    machine.compare();
}
