#include "modules/tools/bench/publisher.h"

namespace amoskys::modules::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto ack_interval = 5ms;
constexpr auto connect_patience = 10s;  // to the first WELCOME
constexpr auto last_patience = 10s;     // for what is on the way at the end

link::ClientOptions with_lane(link::ClientOptions options, const std::string& lane) {
    options.lane = lane;
    return options;
}

}  // namespace

Publisher::Publisher(const Job& job, std::string lane, const std::atomic<bool>& stop)
    : job_(job),
      stop_(stop),
      source_(io_,
              {job.client.agent_id, lane, job.key, &job.load, job.envelopes_per_second, job.clock}),
      client_(io_, with_lane(job.client, lane), source_),
      thread_([this] { run(); }) {}

Publisher::~Publisher() {
    if (thread_.joinable())
        thread_.join();
}

const Outcome& Publisher::outcome() {
    if (thread_.joinable())
        thread_.join();
    return outcome_;
}

io::Task<Result<>> Publisher::publish() {
    auto running = client_.run();
    auto done = co_await std::move(running);
    if (!done)
        outcome_.error = done.error();
    co_return done;
}

bool Publisher::go_on(Duration since_begin) {
    if (outcome_.error)
        return false;
    if (!source_.started()) {
        if (since_begin < connect_patience && !stop_)
            return true;
        outcome_.error = make_error(ErrorKind::unavailable, "bench_no_bus",
                                    "no bus answered: " + client_.stats().last_error);
        return false;
    }
    const auto now = job_.clock->steady();
    if (!finished_at_ && (stop_ || source_.since_start() >= job_.duration)) {
        source_.finish();
        finished_at_ = now;
    }
    return !finished_at_ || (!source_.idle() && now - *finished_at_ < last_patience);
}

void Publisher::run() {
    io::TaskGroup group(io_);
    group.spawn("bench client", publish());
    group.spawn("bench pace", source_.pace());
    const auto begun = job_.clock->steady();
    while (go_on(job_.clock->steady() - begun)) {
        io_.run_one_for(ack_interval);
        acknowledged_ = source_.sent().envelopes;
    }
    if (source_.started())
        outcome_.seconds = std::chrono::duration<double>(source_.since_start()).count();
    group.cancel();
    while (group.size() > 0)
        io_.run_one_for(ack_interval);
    outcome_.sent = source_.sent();
    outcome_.client = client_.stats();
    const auto position = source_.position();
    outcome_.unacknowledged = position.last.value - position.acked.value;
    ended_ = true;
}

}  // namespace amoskys::modules::bench
