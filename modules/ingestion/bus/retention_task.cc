#include "modules/ingestion/bus/retention_task.h"

#include <boost/asio/post.hpp>

#include "core/link/audit.h"
#include "core/log/log.h"

namespace amoskys::ingestion {
namespace {

using namespace std::chrono_literals;
constexpr auto look_interval = 1s;

std::string limit_text(const wal::RetentionPolicy& policy, std::string_view why) {
    if (why == "age")
        return "bus.retention.max_age " + format_duration(policy.max_age);
    if (why == "size")
        return "bus.retention.max_bytes " + std::to_string(policy.max_bytes);
    return "bus.retention.max_records " + std::to_string(policy.max_records);
}

std::string range_text(const wal::RetentionPlan& plan) {
    return std::to_string(plan.first.value) + "-" + std::to_string(plan.last.value);
}

}  // namespace

RetentionTask::RetentionTask(io::asio::io_context& io, const Clock& clock, wal::Log& log,
                             wal::Writer& writer, link::Server& server)
    : io_(io),
      clock_(clock),
      log_(log),
      writer_(writer),
      server_(server),
      thread_(io, "retention", 1) {}

void RetentionTask::set(const wal::RetentionPolicy& policy) {
    policy_ = policy;
    server_.set_log_limit(policy.max_bytes);
}

io::Task<Result<>> RetentionTask::run() {
    while (true) {
        const bool slept = co_await io::sleep_for(look_interval);
        if (!slept)
            co_return Result<>();
        if (!policy_.limited())
            continue;
        const auto plan = wal::plan_retention(log_.segments(), policy_, clock_.now_ns(),
                                              server_.state().cursors.hold_floor());
        if (!plan)
            continue;
        auto pruning = prune(*plan);
        const auto pruned = co_await std::move(pruning);
        if (!pruned && log::allow("retention"))
            log::warning("bus", "prune_failed", pruned.error().message + "; it is tried again",
                         {{"records", range_text(*plan)}});
    }
}

io::Task<Result<>> RetentionTask::prune(wal::RetentionPlan plan) {
    const auto before = plan.last.next();
    server_.prune_begins(before);
    auto auditing = write_audit(plan);
    const auto audited = co_await std::move(auditing);
    if (!audited)
        co_return audited;
    auto removed = std::make_shared<std::uint64_t>(0);
    std::function<Result<>()> work = [log = &log_, before, removed]() -> Result<> {
        AMOSKYS_TRY(count, log->prune(before));
        *removed = count;
        return {};
    };
    auto working = thread_.run(std::move(work));
    const auto done = co_await std::move(working);
    server_.prune_ended(*removed);
    if (done)
        log::info("bus", "pruned", "retention removed segments of the log",
                  {{"records", range_text(plan)},
                   {"bytes", plan.bytes},
                   {"limit", limit_text(policy_, plan.why)}});
    co_return done;
}

// Durable before anything goes: a log that begins late says why.
io::Task<Result<>> RetentionTask::write_audit(wal::RetentionPlan plan) {
    struct Outcome {
        explicit Outcome(io::asio::io_context& io) : ready(io) {}
        io::Event ready;
        std::optional<Result<>> result;
    };
    auto outcome = std::make_shared<Outcome>(io_);
    wal::WriteRequest request;
    request.records.push_back(link::audit_record(
        {.category = "retention",
         .action = "pruned",
         .object_type = "records",
         .object_id = range_text(plan),
         .actor_id = "bus",
         .session_id = {},
         .before =
             std::to_string(plan.records) + " records, " + std::to_string(plan.bytes) + " bytes",
         .after = "begins with " + std::to_string(plan.last.value + 1),
         .reason = limit_text(policy_, plan.why)},
        clock_.now_ns()));
    request.done = [outcome, &io = io_](const Result<wal::Appended>& written) {
        io::asio::post(io, [outcome, result = written ? Result<>() : Result<>(written.error())] {
            outcome->result = result;
            outcome->ready.notify();
        });
    };
    if (!writer_.submit(std::move(request)))
        co_return make_error(ErrorKind::unavailable, "log_queue_full",
                             "the log's write queue is full");
    while (!outcome->result) {
        const bool going = co_await outcome->ready.wait_for(1s);
        if (!going)
            co_return make_error(ErrorKind::unavailable, "stopping", "the bus is stopping");
    }
    co_return *outcome->result;
}

}  // namespace amoskys::ingestion
