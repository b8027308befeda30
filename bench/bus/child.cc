#include "bench/bus/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <thread>

#include "bench/measure.h"

extern char** environ;

namespace amoskys::bench {

namespace {
constexpr auto end_limit = std::chrono::seconds(5);
constexpr auto end_interval = std::chrono::milliseconds(5);
}  // namespace

Child::Child(const std::vector<std::string>& argv, Errors errors) : name_(argv.front()) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail(errno_error("bench_pipe", "pipe", errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (errors == Errors::dropped)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::vector<std::string> owned = argv;
    std::vector<char*> arguments;
    for (std::string& argument : owned)
        arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    const int rc = posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    out_ = ends[0];
    if (rc != 0)
        fail(errno_error("bench_spawn", "start " + name_, rc));
}

Child::~Child() {
    close(out_);
    kill(pid_, SIGTERM);
    const auto limit = std::chrono::steady_clock::now() + end_limit;
    while (waitpid(pid_, nullptr, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > limit)
            kill(pid_, SIGKILL);
        std::this_thread::sleep_for(end_interval);
    }
}

std::string Child::line() {
    while (true) {
        if (const auto end = rest_.find('\n'); end != std::string::npos) {
            std::string out = rest_.substr(0, end);
            rest_.erase(0, end + 1);
            return out;
        }
        char buffer[512];
        const ssize_t size = read(out_, buffer, sizeof buffer);
        if (size <= 0)
            fail(make_error(ErrorKind::unavailable, "bench_child", name_ + " ended early"));
        rest_.append(buffer, static_cast<std::size_t>(size));
    }
}

double Child::rss_anon_mb() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:"))
            return std::stod(line.substr(8)) * 1024 / 1e6;
    return 0;
}

}  // namespace amoskys::bench
