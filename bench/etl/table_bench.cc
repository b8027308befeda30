// Writing a table of features, 35,950 windows of 596 columns, as CSV and as Parquet: CPU seconds of
// core/table, against DuckDB on the same table (read_parquet.mjs's installation of it) and against
// what is wanted. The table is made here: windows of six samples of series like those of hosts.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "core/table/writer.h"

namespace {

using namespace amoskys;
using namespace amoskys::bench;

constexpr std::size_t devices = 50, windows = 719, metrics = 29, samples = 6;
constexpr std::size_t features = 20, extra = 14;  // per metric; pairs and thresholds
constexpr std::size_t batch_rows = 128;
constexpr double csv_wanted_s = 1.5, parquet_wanted_s = 0.8;

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

table::Schema schema() {
    table::Schema out;
    out.fields.push_back({.name = "device_id", .type = table::Type::text, .nullable = false});
    out.fields.push_back(
        {.name = "window_start", .type = table::Type::timestamp, .nullable = false});
    for (std::size_t i = 0; i < metrics * features + extra; ++i)
        out.fields.push_back({.name = "feature_" + std::to_string(i), .unit = "%"});
    return out;
}

// A metric's samples: a level, a slow wave, noise that remembers; some are counts.
class Series {
  public:
    Series(std::size_t metric, std::mt19937_64& random)
        : random_(random),
          level_(std::pow(10.0, static_cast<double>(metric % 7))),
          whole_(metric % 3 == 0) {}
    double next() {
        noise_ = 0.9 * noise_ + normal_(random_) * 0.1;
        const double value = level_ * std::exp(noise_);
        return whole_ ? std::round(value) : value;
    }

  private:
    std::mt19937_64& random_;
    std::normal_distribution<double> normal_{0, 1};
    double level_, noise_ = 0;
    bool whole_;
};

// Twenty numbers of six samples, of the kinds that window features are of.
void features_of(const std::array<double, samples>& x, double* out) {
    std::array<double, samples> s = x;
    std::sort(s.begin(), s.end());
    double sum = 0, squares = 0, slope = 0, change = 0;
    for (const double value : x)
        sum += value;
    const double mean = sum / samples;
    for (std::size_t i = 0; i < samples; ++i) {
        squares += (x[i] - mean) * (x[i] - mean);
        slope += (static_cast<double>(i) - 2.5) * x[i] / 175;
        change += i == 0 ? 0 : std::abs(x[i] - x[i - 1]) / 50;
    }
    const double sd = std::sqrt(squares / (samples - 1));
    const double median = (s[2] + s[3]) / 2;
    const std::array<double, features> all = {
        mean,
        sd,
        s[0],
        s[5],
        median,
        s[1] * 0.75 + s[2] * 0.25,
        median,
        s[3] * 0.25 + s[4] * 0.75,
        s[4] * 0.25 + s[5] * 0.75,
        s[4] * 0.05 + s[5] * 0.95,
        (x[5] - x[0]) / 50,
        change,
        (x[5] - x[4] - x[1] + x[0]) / 400,
        slope,
        sd / mean,
        sd > 0 ? (x[5] - mean) / sd : 0,
        (mean - s[0]) / (s[5] - s[0] + 1),
        std::log2(1 + static_cast<double>(static_cast<int>(s[5]) % 6)),
        s[5] > 2 * s[0] ? 1.0 : 0.0,
        s[4] > 1.5 * mean ? 2.0 : 0.0};
    std::copy(all.begin(), all.end(), out);
}

std::vector<table::Batch> make_table() {
    std::mt19937_64 random(42);
    const table::Schema shape = schema();
    std::vector<table::Batch> out;
    std::array<double, features> values{};
    std::size_t rows = 0;
    for (std::size_t device = 0; device < devices; ++device) {
        std::vector<Series> series;
        std::vector<std::array<double, samples>> held(metrics);
        for (std::size_t m = 0; m < metrics; ++m)
            series.emplace_back(m, random);
        for (std::size_t window = 0; window < windows; ++window, ++rows) {
            if (rows % batch_rows == 0)
                out.emplace_back(shape);
            table::Batch& batch = out.back();
            batch.text(0).add("device_" + std::to_string(device));
            batch.int64(1).push_back(1'730'000'000'000'000'000 +
                                     static_cast<std::int64_t>(window) * 30'000'000'000);
            for (std::size_t m = 0; m < metrics; ++m) {
                std::rotate(held[m].begin(), held[m].begin() + 3, held[m].end());
                for (std::size_t i = window == 0 ? 0 : 3; i < samples; ++i)
                    held[m][i] = series[m].next();
                features_of(held[m], values.data());
                for (std::size_t f = 0; f < features; ++f)
                    batch.float64(2 + f * metrics + m).push_back(values[f]);
            }
            for (std::size_t i = 0; i < extra; ++i)
                batch.float64(2 + metrics * features + i)
                    .push_back(i < 10 ? std::sin(values[i]) : values[18]);
        }
    }
    return out;
}

double write(const std::vector<table::Batch>& table, std::unique_ptr<table::Writer> writer) {
    const double begun = cpu_seconds();
    for (const table::Batch& batch : table)
        need(writer->write(batch));
    need(writer->finish());
    return cpu_seconds() - begun;
}

// CPU seconds of DuckDB for the same table: {"csv": s, "snappy": s, "zstd": s}; 0 where it is not.
std::array<double, 3> duckdb(const std::filesystem::path& folder) {
    std::array<double, 3> out{};
    const std::string source = AMOSKYS_SOURCE_DIR;
    const std::string command =
        "readers=$('" + source + "/packaging/npm_install' parquet_readers --where) && node '" +
        source + "/bench/etl/duckdb_write.mjs' \"$readers\" '" + folder.string() + "'";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr || std::fscanf(pipe, "%lf %lf %lf", &out[0], &out[1], &out[2]) != 3)
        out = {};
    if (pipe != nullptr)
        ::pclose(pipe);
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    const Form form = form_of(argc, argv);
    const ScratchFolder scratch;
    const std::vector<table::Batch> table = make_table();
    std::array<std::vector<double>, 3> times;
    const auto parquet = [&](table::Compression compression, const char* name) {
        return write(table, need(table::open_parquet(scratch.path() / name, schema(),
                                                     {.compression = compression})));
    };
    for (int round = 0; round < 5; ++round) {
        times[0].push_back(write(table, need(table::open_csv(scratch.path() / "t.csv", schema()))));
        times[1].push_back(parquet(table::Compression::snappy, "snappy.parquet"));
        times[2].push_back(parquet(table::Compression::zstd, "zstd.parquet"));
    }
    const std::array<double, 3> peer = duckdb(scratch.path());
    const auto megabytes = [&](const char* name) {
        return std::to_string(std::filesystem::file_size(scratch.path() / name) / 1'000'000) +
               " MB";
    };
    const double csv = median(times[0]), snappy = median(times[1]), zstd = median(times[2]);
    const double cells =
        static_cast<double>(devices * windows) * static_cast<double>(schema().fields.size());
    std::vector<Row> rows = {
        {"table as CSV, 9 digits", "CPU s", csv, csv_wanted_s, "wanted at most"},
        {"the same, per cell", "ns", csv / cells * 1e9, 70, "wanted at most"},
        {"table as Parquet, snappy", "CPU s", snappy, parquet_wanted_s, "wanted at most"}};
    std::vector<std::string> notes = {"35,950 rows of 596 columns. CSV " + megabytes("t.csv") +
                                      ", snappy " + megabytes("snappy.parquet") + ", zstd " +
                                      megabytes("zstd.parquet") + "."};
    if (peer[0] > 0) {
        rows.push_back({"table as CSV", "CPU s", csv, peer[0], "DuckDB, one thread, 17 digits"});
        rows.push_back(
            {"table as Parquet, snappy", "CPU s", snappy, peer[1], "DuckDB, one thread"});
        rows.push_back({"table as Parquet, zstd", "CPU s", zstd, peer[2], "DuckDB, one thread"});
    } else {
        notes.push_back("DuckDB is not installed (packaging/setup --test): no peer.");
    }
    print(rows, notes, form);
}
