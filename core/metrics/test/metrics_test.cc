#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <thread>

#include "core/metrics/process.h"

using namespace amoskys::metrics;
using Catch::Matchers::Contains;

namespace {

constexpr double bounds[] = {0.1, 1, 10};
constexpr MetricInfo received{"amoskys_bus_received_envelopes_total", Kind::counter, "envelopes",
                              "Envelopes received."};
constexpr MetricInfo rejected{"amoskys_bus_rejected_envelopes_total", Kind::counter, "envelopes",
                              "Envelopes refused, by \\ reason\nand kind.", "reason,kind"};
constexpr MetricInfo depth{"amoskys_spool_size_bytes", Kind::gauge, "bytes", "Bytes in the spool.",
                           "lane"};
constexpr MetricInfo latency{"amoskys_bus_commit_seconds",
                             Kind::histogram,
                             "seconds",
                             "Time of a group commit.",
                             {},
                             bounds};
constexpr MetricInfo uptime{"amoskys_process_uptime_seconds", Kind::gauge, "seconds", "Uptime."};

double read_uptime(const void* context) {
    return *static_cast<const double*>(context);
}

void fill(Registry& registry, const double& uptime_seconds) {
    registry.counter(received).add(3);
    registry.counter(rejected, "bad\x1fx").add();
    registry.counter(rejected, "quote\"back\\line\n\x1fy").add(2);
    registry.gauge(depth, "snmp").set(1.5);
    for (const double value : {0.05, 0.5, 0.5, 100.0})
        registry.histogram(latency).observe(value);
    registry.gauge_callback(uptime, read_uptime, &uptime_seconds);
}

// Without what every text has of the process.
std::string own(const std::string& text) {
    const auto begin = text.find("# HELP process_");
    const auto end = text.find("# EOF");
    return text.substr(0, begin) + (end == std::string::npos ? "" : text.substr(end));
}

// The exit code of `promtool check metrics` with the text on its input, its messages in `said`.
int promtool(const std::string& text, std::string& said) {
    std::string path = "/tmp/amoskys-metrics-XXXXXX";
    const int fd = mkstemp(path.data());
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(fd);
    std::FILE* pipe = popen(("promtool check metrics < " + path + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
        said += static_cast<char>(c);
    const int status = pclose(pipe);
    unlink(path.c_str());
    return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("the Prometheus text has HELP, TYPE and escaped labels") {
    Registry registry;
    const double uptime_seconds = 12.25;
    fill(registry, uptime_seconds);
    CHECK(own(registry.prometheus_text()) ==
          "# HELP amoskys_bus_commit_seconds Time of a group commit.\n"
          "# TYPE amoskys_bus_commit_seconds histogram\n"
          "amoskys_bus_commit_seconds_bucket{le=\"0.1\"} 1\n"
          "amoskys_bus_commit_seconds_bucket{le=\"1.0\"} 3\n"
          "amoskys_bus_commit_seconds_bucket{le=\"10.0\"} 3\n"
          "amoskys_bus_commit_seconds_bucket{le=\"+Inf\"} 4\n"
          "amoskys_bus_commit_seconds_sum 101.05\n"
          "amoskys_bus_commit_seconds_count 4\n"
          "# HELP amoskys_bus_received_envelopes_total Envelopes received.\n"
          "# TYPE amoskys_bus_received_envelopes_total counter\n"
          "amoskys_bus_received_envelopes_total 3\n"
          "# HELP amoskys_bus_rejected_envelopes_total Envelopes refused, by \\\\ reason\\nand "
          "kind.\n"
          "# TYPE amoskys_bus_rejected_envelopes_total counter\n"
          "amoskys_bus_rejected_envelopes_total{reason=\"bad\",kind=\"x\"} 1\n"
          "amoskys_bus_rejected_envelopes_total{reason=\"quote\\\"back\\\\line\\n\",kind=\"y\"} 2\n"
          "# HELP amoskys_process_uptime_seconds Uptime.\n"
          "# TYPE amoskys_process_uptime_seconds gauge\n"
          "amoskys_process_uptime_seconds 12.25\n"
          "# HELP amoskys_spool_size_bytes Bytes in the spool.\n"
          "# TYPE amoskys_spool_size_bytes gauge\n"
          "amoskys_spool_size_bytes{lane=\"snmp\"} 1.5\n");
}

TEST_CASE("OpenMetrics names a counter's family without _total and ends with EOF") {
    Registry registry;
    const double uptime_seconds = 1;
    fill(registry, uptime_seconds);
    const auto text = registry.open_metrics_text();
    CHECK_THAT(text, Contains("# TYPE amoskys_bus_received_envelopes counter\n"
                              "# UNIT amoskys_bus_received_envelopes envelopes\n"
                              "amoskys_bus_received_envelopes_total 3\n"));
    CHECK_THAT(text, Catch::Matchers::EndsWith("# EOF\n"));
}

TEST_CASE("promtool finds nothing to complain about") {
    if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
        WARN("promtool is not installed: the text is not checked by it");
        return;
    }
    Registry registry;
    const double uptime_seconds = 1;
    fill(registry, uptime_seconds);
    std::string said;
    const int exit_code = promtool(registry.prometheus_text(), said);
    INFO(said);
    CHECK(exit_code == 0);
}

TEST_CASE("references stay valid while series are added, and one name is one series") {
    Registry registry;
    Gauge& first = registry.gauge(depth, "a");
    for (int i = 0; i < 500; ++i)
        registry.gauge(depth, "lane " + std::to_string(i));
    first.set(4);
    first.add(-1);
    CHECK(registry.gauge(depth, "a").value() == 3);
    CHECK(&registry.gauge(depth, "a") == &first);
}

TEST_CASE("beyond 1,000 values a label counts as other") {
    Registry registry;
    for (int i = 0; i < 1200; ++i)
        registry.counter(rejected, std::to_string(i) + "\x1fx").add();
    CHECK(registry.counter(rejected, "999\x1fx").value() == 1);
    CHECK(registry.counter(rejected, "5000\x1fx").value() == 200);
    CHECK_THAT(registry.prometheus_text(), Contains("{reason=\"other\",kind=\"other\"} 200\n"));
    CHECK(registry.samples().size() == 1001);
}

TEST_CASE("label values from outside cannot break the text") {
    Registry registry;
    registry
        .gauge(depth,
               "a\x1f"
               "b\xff")
        .set(1);
    registry.counter(rejected, "alone").add();
    registry
        .counter(rejected,
                 "a\x1f"
                 "b\x1f"
                 "c")
        .add();
    const auto text = registry.prometheus_text();
    CHECK_THAT(text, Contains("{reason=\"alone\",kind=\"\"} 1\n"));
    CHECK_THAT(text, Contains("reason=\"a\",kind=\"b\x1f"
                              "c\"} 1\n"));
    CHECK_THAT(text, Contains("\\\\xff"));
}

TEST_CASE("quantiles are linear inside a bucket") {
    Histogram histogram(bounds);
    CHECK(histogram.quantile(0.5) == 0);
    for (int i = 0; i < 10; ++i)
        histogram.observe(0.5);
    CHECK(histogram.quantile(0.5) == Approx(0.1 + 0.9 * 0.5));
    CHECK(histogram.quantile(1) == Approx(1));
    histogram.observe(1e9);
    CHECK(histogram.quantile(1) == 10);
    CHECK(histogram.cumulative() == std::vector<std::uint64_t>{0, 10, 10, 11});
    Histogram exact(bounds);
    exact.observe(1);
    CHECK(exact.cumulative() == std::vector<std::uint64_t>{0, 1, 1, 1});
}

TEST_CASE("updates of several threads are all counted") {
    Registry registry;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&registry] {
            for (int i = 0; i < 1000; ++i) {
                registry.counter(received).add();
                registry.gauge(depth, std::to_string(i % 7)).add(1);
                registry.histogram(latency).observe(0.5);
            }
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(registry.counter(received).value() == 4000);
    CHECK(registry.histogram(latency).cumulative().back() == 4000);
    CHECK(registry.histogram(latency).sum() == Approx(2000));
    double sum = 0;
    for (int i = 0; i < 7; ++i)
        sum += registry.gauge(depth, std::to_string(i)).value();
    CHECK(sum == 4000);
}

TEST_CASE("every text has CPU time, memory, open files and start of the process") {
    const Registry registry;
    for (const MetricInfo& info : process_metrics()) {
        INFO(info.name);
        CHECK_THAT(registry.prometheus_text(), Contains("\n" + std::string(info.name) + " "));
    }
    std::map<std::string_view, double> told;
    for (const MetricInfo& info : process_metrics())
        told[info.name] = process_value(info);
    CHECK(told["process_cpu_seconds_total"] > 0);
    CHECK(told["process_resident_memory_bytes"] > 100'000);
    CHECK(told["process_open_fds"] >= 3);
    const auto now = static_cast<double>(std::time(nullptr));
    CHECK(told["process_start_time_seconds"] < now + 1);
    CHECK(told["process_start_time_seconds"] > now - 86'400);
}
