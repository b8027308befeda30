// The pandas anchor: the generated telemetry's first device, missing samples filled with the median
// of the device as the anchor does, against the first 200 windows that pandas wrote. The anchor
// takes what is relative to the device from the whole series; so does the baseline here.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "modules/transformation/window_stats/statistics.h"

using namespace amoskys;
namespace fs = std::filesystem;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

struct Table {
    std::vector<std::string> names;
    std::vector<std::vector<double>> columns;  // device_id is NaN

    const std::vector<double>& column(const std::string& name) const {
        const auto found = std::find(names.begin(), names.end(), name);
        REQUIRE(found != names.end());
        return columns[static_cast<std::size_t>(found - names.begin())];
    }
};

double number(const std::string& cell) {
    double value = missing;
    std::from_chars(cell.data(), cell.data() + cell.size(), value);
    return value;
}

Table read_table(const fs::path& path) {
    Table table;
    std::ifstream in(path);
    std::string line, cell;
    std::getline(in, line);
    for (std::istringstream cells(line); std::getline(cells, cell, ',');)
        table.names.push_back(cell);
    table.columns.resize(table.names.size());
    while (std::getline(in, line)) {
        line += ',';
        std::istringstream cells(line);
        for (auto& column : table.columns) {
            std::getline(cells, cell, ',');
            column.push_back(number(cell));
        }
    }
    return table;
}

void fill_with_median(std::vector<double>& column) {
    std::vector<double> present;
    std::copy_if(column.begin(), column.end(), std::back_inserter(present),
                 [](double value) { return !std::isnan(value); });
    std::sort(present.begin(), present.end());
    const std::size_t n = present.size();
    const double median = (present[(n - 1) / 2] + present[n / 2]) / 2;
    std::replace_if(
        column.begin(), column.end(), [](double value) { return std::isnan(value); }, median);
}

std::pair<double, double> mean_and_std(const std::vector<double>& values) {
    double mean = 0, squares = 0;
    for (const double value : values)
        mean += value;
    mean /= static_cast<double>(values.size());
    for (const double value : values)
        squares += (value - mean) * (value - mean);
    return {mean, std::sqrt(squares / static_cast<double>(values.size() - 1))};
}

module::Baseline baseline_of(const std::vector<double>& values) {
    std::vector<double> steps;
    for (std::size_t i = 0; i + 1 < values.size(); ++i)
        steps.push_back(values[i + 1] - values[i]);
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    const auto [mean, std] = mean_and_std(values);
    return {.count = values.size(),
            .min = *least,
            .max = *most,
            .mean = mean,
            .std = *least == *most ? 0 : std,
            .step_std = mean_and_std(steps).second,
            .interval_s = 10};
}

}  // namespace

TEST_CASE("window statistics equal the pandas golden file") {
    const fs::path data = fs::path(AMOSKYS_SHARED_DATA) / "etl";
    const fs::path golden_file = data / "raw_first200.csv";
    const fs::path input_file =
        fs::temp_directory_path() / ("window_stats_golden_" + std::to_string(getpid()) + ".csv");
    const std::string generate = "/usr/bin/python3 " + (data / "gen.py").string() + " " +
                                 input_file.string() + " 1 6 > /dev/null 2>&1";
    if (!fs::exists(golden_file) || std::system(generate.c_str()) != 0) {
        WARN("skipped: no " << golden_file << ", or its generator did not run");
        return;
    }
    Table input = read_table(input_file);
    fs::remove(input_file);
    const Table golden = read_table(golden_file);
    REQUIRE(input.columns[0].size() == 2160);
    REQUIRE(golden.columns[0].size() == 200);

    std::size_t compared = 0, different = 0;
    window_stats::Calculator calculator;
    for (std::size_t m = 2; m < input.names.size(); ++m) {
        std::vector<double>& column = input.columns[m];
        fill_with_median(column);
        const module::Baseline baseline = baseline_of(column);
        for (std::size_t window = 0; window < 200; ++window) {
            std::vector<UnixNanos> times;
            for (std::size_t i = 0; i < 6; ++i)
                times.push_back((1'730'000'000 + window * 30 + i * 10) * 1'000'000'000);
            const auto values = std::span<const double>(column).subspan(window * 3, 6);
            std::array<double, window_stats::feature_count> out;
            calculator.calculate({0, input.names[m], "", times, values, values, &baseline}, 60,
                                 out.data());
            // count and missing share are ours alone.
            for (std::size_t f = 0; f + 2 < out.size(); ++f) {
                const std::string suffix(window_stats::catalogue[f].name.substr(6));
                const double expected = golden.column(input.names[m] + suffix)[window];
                ++compared;
                if (!(std::abs(out[f] - expected) <= 1e-9 * std::abs(expected) + 1e-12)) {
                    ++different;
                    UNSCOPED_INFO(input.names[m] << suffix << " window " << window << ": " << out[f]
                                                 << " instead of " << expected);
                }
            }
        }
    }
    CHECK(compared == 29 * 20 * 200);
    CHECK(different == 0);
}
