#include "modules/transformation/process_stats/process_stats.h"

#include <catch2/catch.hpp>

#include "core/module/statistics.h"
#include "core/module/test/feature_values.h"

using namespace amoskys;
using Sample = module::ProcessSample;

namespace {

constexpr UnixNanos second = 1'000'000'000;

module::test::Values row_of(const std::vector<Sample>& samples) {
    module::Window window{.device = "d", .start_ns = 0, .end_ns = 60 * second};
    window.processes = samples;
    return module::test::values_of(process_stats::make_extractor, window);
}

Sample sample(std::uint64_t process, Sample::Kind kind, UnixNanos time_s = 1,
              std::uint64_t name = 0) {
    Sample out;
    out.time_ns = time_s * second;
    out.process = process;
    out.kind = kind;
    out.name = name;
    return out;
}

}  // namespace

TEST_CASE("processes count once and their births and ends are told") {
    auto ended = sample(3, Sample::Kind::ended, 40);
    ended.lifetime_s = 9.5;
    auto old = sample(4, Sample::Kind::ended, 41);
    old.lifetime_s = 5000;
    const auto row =
        row_of({sample(1, Sample::Kind::seen, 1), sample(2, Sample::Kind::seen, 1),
                sample(1, Sample::Kind::seen, 31), sample(3, Sample::Kind::started, 32),
                sample(3, Sample::Kind::executed, 33), ended, old,
                sample(0, Sample::Kind::suspicious, 50)});
    CHECK(row.at("proc_count") == 4);
    CHECK(row.at("proc_new") == 1);
    CHECK(row.at("proc_terminated") == 2);
    CHECK(row.at("proc_churn") == 3);
    CHECK(row.at("proc_short_lived") == 1);
    CHECK(row.at("proc_executed") == 1);
    CHECK(row.at("proc_suspicious") == 1);
    CHECK(row.count("proc_cpu_top5_sum") == 0);
    CHECK(row.count("proc_entropy") == 0);
    CHECK(row.count("proc_high_mem") == 0);
}

TEST_CASE("resources are the last ones measured, the five largest are summed") {
    std::vector<Sample> samples;
    for (std::uint64_t process = 1; process <= 7; ++process) {
        auto before = sample(process, Sample::Kind::seen, 1);
        before.cpu_percent = 1000;
        before.threads = 3;
        samples.push_back(before);
        auto after = sample(process, Sample::Kind::seen, 31);
        after.cpu_percent = static_cast<double>(process * 10);
        after.rss_bytes = static_cast<double>(process) * 3e8;
        samples.push_back(after);
    }
    const auto row = row_of(samples);
    CHECK(row.at("proc_cpu_top5_sum") == 250);
    CHECK(row.at("proc_mem_top5_sum") == 75e8);
    CHECK(row.at("proc_high_cpu") == 2);
    CHECK(row.at("proc_high_mem") == 4);
    CHECK(row.at("proc_threads_total") == 21);
    CHECK(row.at("proc_threads_per_process") == 3);
    CHECK(row.count("proc_files_open_total") == 0);
}

TEST_CASE("names have an entropy and a diversity") {
    const auto row =
        row_of({sample(1, Sample::Kind::seen, 1, 7), sample(2, Sample::Kind::seen, 1, 7),
                sample(3, Sample::Kind::seen, 1, 8), sample(4, Sample::Kind::seen, 1, 9),
                sample(5, Sample::Kind::seen, 1, 0)});
    CHECK(row.at("proc_unique_names") == 3);
    CHECK(row.at("proc_name_diversity") == 0.75);
    CHECK(row.at("proc_entropy") == 1.5);
    std::vector<std::uint64_t> same(9, 4);
    CHECK(module::diversity_of(same).entropy_bits == 0);
}

TEST_CASE("a window without processes has no columns, and observations alone say only that") {
    CHECK(row_of({}).empty());
    const auto row = row_of({sample(0, Sample::Kind::suspicious)});
    CHECK(row.size() == 1);
    CHECK(row.at("proc_suspicious") == 1);
}
