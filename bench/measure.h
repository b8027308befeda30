// What every benchmark needs: rows of results, medians and percentiles, a folder that goes away.
// Used by the programs of bench/ only. One thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace amoskys::bench {

// One line of the table. ratio = ours / peer; for times and sizes too, so there smaller is better.
struct Row {
    std::string name, unit;
    double ours = 0, peer = 0;
    std::string peer_name;
};

// --json prints {"schema": "amoskys.bench/1", "rows": [...]}, else a table.
enum class Form { table, json };
Form form_of(int argc, char** argv);
void print(const std::vector<Row>& rows, const std::vector<std::string>& notes, Form form);

// Ends the program with the message where a step of the set-up failed.
[[noreturn]] void fail(const Error& error);
template <class T>
T need(Result<T> result) {
    if (!result)
        fail(result.error());
    return std::move(*result);
}
inline void need(const Result<>& result) {
    if (!result)
        fail(result.error());
}

double median(std::vector<double> values);  // 0 of nothing
// fraction in [0, 1]: 0.99 = p99, nearest rank.
double percentile(std::vector<double> values, double fraction);

class Stopwatch {
  public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    }

  private:
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

// In $AMOSKYS_BENCH_DIR, else /var/tmp: a real disk, where /tmp may be memory.
class ScratchFolder {
  public:
    ScratchFolder();
    ~ScratchFolder();
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace amoskys::bench
