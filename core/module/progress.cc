#include "core/module/progress.h"

#include <cstdio>

namespace amoskys::module {

Progress::Progress(bool enabled, std::string label, std::string unit, std::uint64_t total)
    : enabled_(enabled),
      label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

Progress::~Progress() {
    if (drawn_)
        std::fputs("\r\x1b[K", stderr);
}

void Progress::update(std::uint64_t done) {
    done_ = done;
    if (!enabled_)
        return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(100))
        return;
    last_ = now;
    draw(now);
}

void Progress::draw(std::chrono::steady_clock::time_point now) {
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = static_cast<double>(done_) / seconds;
    std::fprintf(stderr, "\r\x1b[K%s: %llu", label_.c_str(),
                 static_cast<unsigned long long>(done_));
    if (total_ > 0)
        std::fprintf(stderr, " of %llu %s (%.0f%%)", static_cast<unsigned long long>(total_),
                     unit_.c_str(),
                     100.0 * static_cast<double>(done_) / static_cast<double>(total_));
    else
        std::fprintf(stderr, " %s", unit_.c_str());
    std::fprintf(stderr, ", %.0f/s", rate);
    if (total_ > done_ && rate > 0)
        std::fprintf(stderr, ", %.0f s left", static_cast<double>(total_ - done_) / rate);
    std::fflush(stderr);
    drawn_ = true;
}

}  // namespace amoskys::module
