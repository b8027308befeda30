// A program of its own beside the benchmark: a bus, a nats-server, a publisher. Ended by its own
// process id, also when the benchmark fails. One thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace amoskys::bench {

class Child {
  public:
    // Starts argv[0] (searched in PATH) with its standard output on a pipe and its standard error
    // where `quiet` says: here, or away.
    enum class Errors { shown, dropped };
    Child(const std::vector<std::string>& argv, Errors errors);
    ~Child();  // SIGTERM, then SIGKILL after 5 s
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    // The next line of its output; ends the benchmark where there is none.
    std::string line();
    pid_t pid() const { return pid_; }
    double rss_anon_mb() const;

  private:
    std::string name_, rest_;
    pid_t pid_ = -1;
    int out_ = -1;
};

}  // namespace amoskys::bench
