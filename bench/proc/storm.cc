// Short programs at a given rate, one after the other, for `agent proc` to follow. vfork, so that
// the generator costs as little as it can beside the agent.
//   bench_storm COUNT PER_SECOND PROGRAM     prints how many a second it reached
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>

namespace {

bool number(std::string_view text, unsigned& out) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && out > 0;
}

// Starts the program and waits for its end.
bool run_one(char* program) {
    char* const arguments[] = {program, nullptr};
    char* const environment[] = {nullptr};
    const pid_t child = ::vfork();
    if (child == 0) {
        ::execve(program, arguments, environment);
        ::_exit(127);
    }
    int status = 0;
    return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
    unsigned count = 0, per_second = 0;
    if (argc != 4 || !number(argv[1], count) || !number(argv[2], per_second)) {
        std::fputs("usage: bench_storm COUNT PER_SECOND PROGRAM\n", stderr);
        return 64;
    }
    const auto began = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < count; ++i) {
        std::this_thread::sleep_until(began +
                                      std::chrono::nanoseconds(1'000'000'000) * i / per_second);
        if (!run_one(argv[3])) {
            std::fprintf(stderr, "bench_storm: %s, the %u. time: %s\n", argv[3], i + 1,
                         std::strerror(errno));
            return 1;
        }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::printf("%.1f\n", count / took.count());
    return 0;
}
