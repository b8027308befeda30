// Packets per second of CPU time from a capture file: ours against softflowd, nfpcapd and tshark,
// each in a process of its own, in turn, medians.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "bench/flow/traffic.h"
#include "bench/measure.h"
#include "modules/collectors/flow/detector.h"
#include "modules/collectors/flow/event.h"
#include "modules/collectors/flow/source.h"

using namespace amoskys;
using namespace amoskys::bench;

namespace {

constexpr int rounds = 3;
// tshark alone would take minutes for the whole file.
constexpr std::uint64_t tshark_packets = 200'000;
constexpr double states_bar = 3'000'000, services_bar = 1'000'000, flow_bytes_bar = 512;

// CPU seconds of a child that runs `work`; what it returns is its exit code.
double cpu_seconds(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        const int quiet = ::open("/dev/null", O_RDWR);
        ::dup2(quiet, STDOUT_FILENO);
        ::dup2(quiet, STDERR_FILENO);
        ::_exit(work());
    }
    int status = 0;
    rusage used{};
    if (child < 0 || ::wait4(child, &status, 0, &used) != child)
        fail(errno_error("fork", "cannot run a child", errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return 0;
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

int run_program(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    return 127;
}

struct SerializingSink final : flow::FlowSink {
    void record(const flow::Flow& one, flow::EndReason reason) override {
        auto event = flow::to_event(one, reason, {});
        if (detector != nullptr)
            detector->describe(one, event);
        bytes += event.SerializeAsString().size();
        ++records;
    }
    flow::Detector* detector = nullptr;
    std::uint64_t bytes = 0, records = 0;
};

struct Peak {
    std::size_t flows = 0, bytes = 0;
};

// The agent's own path from the file to serialized events.
Peak ours(const std::string& file, bool services) {
    flow::Detector detector;
    SerializingSink sink;
    if (services)
        sink.detector = &detector;
    flow::EngineOptions options;
    options.max_flows = 1'000'000;
    flow::Engine engine(options, sink, services ? &detector : nullptr);
    const auto source = need(flow::open_files({file}, ""));
    Peak peak;
    for (bool more = true; more;) {
        more = need(source->pump(engine));
        if (engine.table().size() > peak.flows)
            peak = {engine.table().size(), engine.table().memory_bytes()};
    }
    engine.finish(SIZE_MAX);
    if (sink.records != engine.stats().records || sink.bytes == 0)
        std::abort();
    return peak;
}

std::filesystem::path traces() {
    const char* shared = std::getenv("AMOSKYS_SHARED_DATA");
    return std::filesystem::path(shared != nullptr ? shared : AMOSKYS_SHARED_DATA) /
           "pcap/zeek/traces";
}

// One capture file, and who reads it.
class Race {
  public:
    Race(std::string name, const std::filesystem::path& folder, const TrafficPace& pace)
        : name_(std::move(name)),
          file_(folder / (name_ + ".pcap")),
          traffic_(write_traffic(
              {{traces() / "wikipedia.pcap", 2500}, {traces() / "ssh/ssh.pcap", 1000}}, pace,
              file_)),
          peak_(ours(file_, false)) {  // also brings the file into memory
        add("ours", [file = file_] { return ours(file, false).flows > 0 ? 0 : 1; });
        add("ours, with services", [file = file_] { return ours(file, true).flows > 0 ? 0 : 1; });
        add("softflowd", [file = file_, folder] {
            return run_program({"softflowd", "-d", "-r", file, "-m", "1000000", "-p",
                                folder / "pid", "-c", "none"});
        });
        add("nfpcapd", [file = file_, out = folder / "nfpcapd"] {
            std::filesystem::create_directories(out);
            return run_program({"nfpcapd", "-r", file, "-w", out});
        });
    }
    void add_tshark() {
        add("tshark", [file = file_] {
            return run_program({"tshark", "-n", "-q", "-c", std::to_string(tshark_packets), "-z",
                                "conv,ip", "-r", file});
        });
        contenders_.back().packets = std::min(tshark_packets, traffic_.packets);
    }
    void round() {
        for (Contender& one : contenders_) {
            const double seconds = cpu_seconds(one.work);
            if (seconds > 0)
                one.packets_per_second.push_back(static_cast<double>(one.packets) / seconds);
        }
    }
    void report(std::vector<Row>& rows, std::vector<std::string>& notes) const {
        const double states = median(contenders_[0].packets_per_second);
        rows.push_back(
            {name_ + ", states, IDs, serialized", "packets/s", states, states_bar, "wanted"});
        rows.push_back({name_ + ", with payload detection", "packets/s",
                        median(contenders_[1].packets_per_second), services_bar, "wanted"});
        for (std::size_t i = 2; i < contenders_.size(); ++i) {
            const Contender& peer = contenders_[i];
            if (peer.packets_per_second.empty())
                notes.push_back(peer.name + " is not installed or failed: left out");
            else
                rows.push_back({name_ + ", states, IDs, serialized", "packets/s", states,
                                median(peer.packets_per_second), peer.name});
        }
        notes.push_back(name_ + ": " + std::to_string(traffic_.packets) + " packets, " +
                        std::to_string(traffic_.bytes >> 20U) + " MiB, up to " +
                        std::to_string(peak_.flows) + " flows at the same time.");
    }
    double flow_bytes() const {
        return static_cast<double>(peak_.bytes) / static_cast<double>(peak_.flows);
    }

  private:
    struct Contender {
        std::string name;
        std::function<int()> work;
        std::uint64_t packets = 0;
        std::vector<double> packets_per_second{};
    };
    void add(std::string name, std::function<int()> work) {
        contenders_.push_back({std::move(name), std::move(work), traffic_.packets});
    }

    std::string name_;
    std::filesystem::path file_;
    Traffic traffic_;
    Peak peak_;
    std::vector<Contender> contenders_;
};

}  // namespace

int main(int argc, char** argv) {
    const Form form = form_of(argc, argv);
    if (!std::filesystem::exists(traces()))
        fail(make_error(ErrorKind::no_input, "no_traces",
                        traces().string() + ": the recorded traces are not there",
                        "set AMOSKYS_SHARED_DATA"));
    const ScratchFolder folder;
    Race many("many flows", folder.path(), {});
    many.add_tshark();
    Race few("few flows", folder.path(), {.rounds = 100, .packet_us = 50});
    for (int round = 0; round < rounds; ++round) {
        many.round();
        few.round();
    }
    std::vector<Row> rows;
    std::vector<std::string> notes = {"Per second of CPU time; tshark reads the first " +
                                      std::to_string(tshark_packets) + " packets."};
    many.report(rows, notes);
    few.report(rows, notes);
    rows.push_back({"memory of a tracked flow, many flows", "bytes", many.flow_bytes(),
                    flow_bytes_bar, "wanted at most"});
    print(rows, notes, form);
    return 0;
}
