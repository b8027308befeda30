// Progress of long work on a terminal: count, percentage, rate and time left, at most ten times a
// second, on one line of stderr that is cleared at the end. Nothing at all where it is not enabled.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace amoskys::module {

class Progress {
  public:
    // total 0 = unknown. unit: "records".
    Progress(bool enabled, std::string label, std::string unit, std::uint64_t total);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void update(std::uint64_t done);

  private:
    void draw(std::chrono::steady_clock::time_point now);

    bool enabled_;
    bool drawn_ = false;
    std::string label_, unit_;
    std::uint64_t total_, done_ = 0;
    std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace amoskys::module
