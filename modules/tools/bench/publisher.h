// One publisher of `amoskys bench`: a thread with a connection and a lane of its own.
#pragma once

#include <atomic>
#include <optional>
#include <thread>

#include "modules/tools/bench/load_source.h"

namespace amoskys::modules::bench {

struct Job {
    link::ClientOptions client;  // without lane
    std::shared_ptr<const crypto::SigningKey> key;
    Load load;
    double envelopes_per_second = 0;  // of each publisher
    Duration duration{};
    const Clock* clock = nullptr;
};

struct Outcome {
    Sent sent;
    link::ClientStats client;
    double seconds = 0;  // from WELCOME to the last acknowledgement
    std::uint64_t unacknowledged = 0;
    std::optional<Error> error;
};

class Publisher {
  public:
    // `job` and `stop` outlive it. Publishes for job.duration from WELCOME on, less where `stop`
    // is set, then waits for what is not yet acknowledged.
    Publisher(const Job& job, std::string lane, const std::atomic<bool>& stop);
    ~Publisher();  // joins
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    bool ended() const { return ended_; }
    std::uint64_t acknowledged() const { return acknowledged_; }  // envelopes so far
    const Outcome& outcome();                                     // waits for the end

  private:
    void run();
    bool go_on(Duration since_begin);
    io::Task<Result<>> publish();

    const Job& job_;
    const std::atomic<bool>& stop_;
    io::asio::io_context io_{1};
    LoadSource source_;
    link::Client client_;
    Outcome outcome_;
    std::optional<SteadyTime> finished_at_;
    std::atomic<bool> ended_{false};
    std::atomic<std::uint64_t> acknowledged_{0};
    std::thread thread_;  // last: uses all of it
};

}  // namespace amoskys::modules::bench
