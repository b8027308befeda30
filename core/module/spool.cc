#include "core/module/spool.h"

#include <boost/asio/post.hpp>
#include <future>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/log/log.h"
#include "core/wire/envelope.h"
#include "core/wire/statement.h"

namespace amoskys::module {

namespace {

constexpr std::uint64_t queue_limit_bytes = 8 << 20;  // signed, not yet on disk
constexpr auto retry_interval = std::chrono::seconds(1);

Error cancelled_error() {
    return make_error(ErrorKind::interrupted, "interrupted", "stopped while waiting for the spool");
}

}  // namespace

bool is_full_disk(const Error& error) {
    return error.code == "wal_disk_low" || error.code == "wal_disk_full" ||
           error.code == "spool_disk_full";
}

Spool::Spool(io::asio::io_context& io, SpoolOptions options, std::unique_ptr<wal::Log> log)
    : io_(io),
      options_(std::move(options)),
      log_(std::move(log)),
      timer_(io),
      more_(io),
      change_(io) {
    writer_ = std::make_unique<wal::Writer>(*log_, 64 << 20);
}

Spool::~Spool() {
    *alive_ = false;
    writer_->stop();
}

Result<std::unique_ptr<Spool>> Spool::open(io::asio::io_context& io, SpoolOptions options) {
    if (options.clock == nullptr)
        options.clock = &system_clock();
    AMOSKYS_TRY_VOID(make_directories(options.folder, 0700));
    wal::Options settings;
    settings.segment_max_bytes = 16 << 20;
    settings.min_free_bytes = options.min_free_bytes;
    settings.clock = options.clock;
    settings.trim_records = true;
    settings.keep_leaf_hashes = false;
    AMOSKYS_TRY(log, wal::Log::open(options.folder, settings));
    std::unique_ptr<Spool> spool(new Spool(io, std::move(options), std::move(log)));
    AMOSKYS_TRY_VOID(spool->load());
    return spool;
}

void Spool::start_lane() {
    const Epoch epoch{options_.clock->now_ns() / 1'000'000};
    builder_ = std::make_unique<wire::EnvelopeBuilder>(
        options_.agent_id, options_.lane, options_.key, wire::WriterState{epoch, {0}, {}});
    pieces_ = {{1, static_cast<std::int64_t>(newest_offset_)}};
    epoch_reason_ = "new spool";
    ++stats_.epochs_started;
}

void Spool::use_key(std::shared_ptr<const crypto::SigningKey> key) {
    options_.key = std::move(key);
    builder_->use_key(options_.key);
}

void Spool::wake() {
    more_.notify();
    change_.notify();
}

wal::OwnedAppend Spool::record_of(std::string envelope, const wire::CutEnvelope& cut) const {
    wal::OwnedAppend record;
    record.digest = wire::canonical_digest(cut);
    record.signature = to_string(cut.signature);
    record.source_hash = wal::source_hash(options_.agent_id, options_.lane, options_.key->id());
    record.first_event_ns = cut.first_event_ns;
    record.last_event_ns = cut.last_event_ns;
    record.stored = std::move(envelope);
    return record;
}

Result<SeqNo> Spool::append(const Payload& payload) {
    if (failed_)
        return *failed_;
    AMOSKYS_TRY_VOID(make_room(payload.bytes.size() + wire::envelope_overhead_bytes));
    const bool first = builder_->state().last_sequence.value == 0;
    AMOSKYS_TRY(envelope, builder_->build({.kind = payload.kind,
                                           .payload = as_bytes(payload.bytes),
                                           .ts_ns = options_.clock->now_ns(),
                                           .idempotency_key = {},
                                           .priority = payload.priority,
                                           .epoch_reason = first ? std::string_view(epoch_reason_)
                                                                 : std::string_view()}));
    const std::string& view = envelope;
    AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(view)));
    const SeqNo sequence = builder_->state().last_sequence;
    const std::uint64_t bytes = envelope.size();
    wal::OwnedAppend record = record_of({}, cut);
    record.first_event_ns = payload.first_event_ns;
    record.last_event_ns = payload.last_event_ns;
    record.stored = std::move(envelope);
    forming_.digest = record.digest;
    forming_.last = sequence;
    forming_.bytes += bytes;
    forming_.records.push_back(std::move(record));
    ++newest_offset_;
    queued_bytes_ += bytes;
    sizes_[sequence.value] = bytes;
    stats_.pending_bytes += bytes;
    if (options_.sync_interval == Duration() || forming_.bytes >= options_.sync_bytes)
        write_group();
    else if (!timer_armed_)
        arm_timer(options_.sync_interval);
    return sequence;
}

void Spool::arm_timer(Duration after) {
    timer_armed_ = true;
    timer_.expires_after(after);
    timer_.async_wait([this, alive = alive_](const boost::system::error_code& cancelled) {
        if (!*alive || cancelled)
            return;
        timer_armed_ = false;
        if (writing_ && writing_->handled)
            submit_group();  // again: it did not fit on the disk
        else
            write_group();
    });
}

// What forms is written now, or as soon as the group before it is on disk.
void Spool::write_group() {
    due_ = !forming_.records.empty();
    if (!due_ || writing_)
        return;
    due_ = false;
    writing_ = std::make_shared<Group>(std::move(forming_));
    writing_->state =
        writer_state(builder_->state(), epoch_prev_signature_, epoch_reason_, pieces_);
    forming_ = Group();
    submit_group();
}

// The records stay with the group until they are on disk.
void Spool::submit_group() {
    const std::shared_ptr<Group> group = writing_;
    group->handled = false;
    group->outcome.reset();
    wal::WriteRequest request;
    request.records = group->records;
    request.states.push_back({"writer", group->state});
    request.done = [this, alive = alive_, group](const Result<wal::Appended>& result) {
        group->outcome = result;
        io::asio::post(io_, [this, alive, group] {
            if (*alive && !group->handled)
                on_written(*group);
        });
    };
    if (!writer_->submit(std::move(request)) && !failed_)
        failed_ = make_error(ErrorKind::io, "spool_stopped", "the spool's writer has stopped");
}

void Spool::on_written(Group& group) {
    group.handled = true;
    const Result<wal::Appended>& result = *group.outcome;
    if (result) {
        if (!stats_.trouble.empty())
            log::info(Spool::log_component, "disk_has_space", "writing goes on",
                      {{"lane", options_.lane}});
        stats_.trouble.clear();
        ++stats_.commits;
        queued_bytes_ -= group.bytes;
        durable_ = group.last;
        durable_digest_ = group.digest;
        writing_.reset();
        if (due_)
            write_group();
        else if (!forming_.records.empty() && !timer_armed_)
            arm_timer(options_.sync_interval);
    } else if (is_full_disk(result.error())) {
        if (stats_.trouble.empty())
            log::error(Spool::log_component, "disk_full", result.error().message,
                       {{"lane", options_.lane}});
        stats_.trouble = result.error().message;
        arm_timer(retry_interval);
    } else if (!failed_) {
        failed_ = result.error();
        log::error(Spool::log_component, "write_failed", result.error().message,
                   {{"lane", options_.lane}});
    }
    wake();
}

// Blocks the io thread until all that was appended is on disk: before the rare changes that build
// on it (a new epoch), and at the end.
Result<> Spool::settle() {
    while (!failed_ && (writing_ || !forming_.records.empty())) {
        if (!writing_)
            write_group();
        else if (writing_->handled)
            submit_group();
        const std::shared_ptr<Group> group = writing_;
        const Result<> passed = write_now({});  // comes after it
        if (!group->outcome)
            return passed ? make_error(ErrorKind::internal, "spool_writer", "a write was lost")
                          : passed.error();
        if (!group->handled)
            on_written(*group);
        if (!*group->outcome)
            return make_error(ErrorKind::unavailable, "spool_disk_full",
                              group->outcome->error().message, group->outcome->error().hint);
    }
    if (failed_)
        return *failed_;
    return {};
}

// For the rare changes that must be on disk before going on (a new epoch, a gap): blocks the io
// thread for one commit.
Result<> Spool::write_now(wal::WriteRequest request) {
    std::promise<Result<wal::Appended>> promise;
    std::future<Result<wal::Appended>> done = promise.get_future();
    request.done = [&promise](const Result<wal::Appended>& result) { promise.set_value(result); };
    if (!writer_->submit(std::move(request)))
        return make_error(ErrorKind::io, "spool_stopped", "the spool's writer has stopped");
    const Result<wal::Appended> result = done.get();
    if (result)
        return {};
    const Error& error = result.error();
    return is_full_disk(error)
               ? make_error(ErrorKind::unavailable, "spool_disk_full", error.message, error.hint)
               : error;
}

// Cursors and receipts: they may be lost by a crash, never lead.
void Spool::submit_states(std::vector<wal::StateUpdate> states) {
    wal::WriteRequest request;
    request.states = std::move(states);
    request.done = [lane = options_.lane](const Result<wal::Appended>& result) {
        if (!result && log::allow("spool state " + lane))
            log::warning(Spool::log_component, "state_not_written", result.error().message,
                         {{"lane", lane}});
    };
    if (!writer_->submit(std::move(request)) && !failed_)
        failed_ = make_error(ErrorKind::io, "spool_stopped", "the spool's writer has stopped");
}

io::Task<> Spool::wait_for_more() {
    const bool waited = co_await more_.wait();
    static_cast<void>(waited);  // cancelled: the client ends by itself
}

io::Task<Result<>> Spool::wait_room() {
    while (!failed_) {
        const bool disk_behind = queued_bytes_ > queue_limit_bytes || !stats_.trouble.empty();
        const bool full = options_.when_full == WhenFull::stop &&
                          stats_.pending_bytes + wire::max_envelope_bytes > options_.max_bytes;
        if (!disk_behind && !full)
            co_return Result<>();
        const bool waited = co_await change_.wait();
        if (!waited)
            co_return cancelled_error();
    }
    co_return *failed_;
}

io::Task<Result<>> Spool::wait_durable() {
    const SeqNo wanted = builder_->state().last_sequence;
    const Epoch epoch = builder_->state().epoch;
    write_group();
    while (!failed_ && builder_->state().epoch == epoch && durable_ < wanted) {
        const bool waited = co_await change_.wait();
        if (!waited)
            co_return cancelled_error();
    }
    if (failed_)
        co_return *failed_;
    co_return Result<>();
}

io::Task<bool> Spool::wait_acked_all(Duration patience) {
    write_group();
    SeqNo seen = acked_;
    auto deadline = options_.clock->steady() + patience;
    while (!failed_ && acked_ < builder_->state().last_sequence) {
        const auto now = options_.clock->steady();
        if (acked_ != seen) {
            seen = acked_;
            deadline = now + patience;
        }
        if (now >= deadline)
            break;
        const bool waited = co_await change_.wait_for(deadline - now);
        if (!waited)
            break;
    }
    co_return acked_ >= builder_->state().last_sequence;
}

Result<> Spool::close() {
    const Result<> settled = settle();
    wal::WriteRequest request;
    request.states.push_back(acked_state());
    if (bus_ != nullptr)
        request.states.push_back(BusMemory::state(*bus_));
    const Result<> written = write_now(std::move(request));
    writer_->stop();
    return settled ? written : settled;
}

link::Source::Position Spool::position() const {
    return {builder_->state().epoch, acked_, acked_signature_, durable_};
}

std::optional<amoskys::bus::Head> Spool::signed_head(Duration interval) {
    amoskys::bus::Head head;
    head.set_key_id(options_.key->id());
    head.set_agent_id(options_.agent_id);
    head.set_lane(options_.lane);
    head.set_epoch(builder_->state().epoch.value);
    head.set_last_sequence(durable_.value);
    if (durable_.value != 0)
        head.set_head_digest(to_string(durable_digest_));
    head.set_time_ns(options_.clock->now_ns());
    head.set_interval_ms(static_cast<std::uint32_t>(interval.count() / 1'000'000));
    wire::sign(head, *options_.key);
    return head;
}

SpoolStats Spool::stats() const {
    SpoolStats stats = stats_;
    stats.pending_envelopes = builder_->state().last_sequence.value - acked_.value;
    return stats;
}

}  // namespace amoskys::module
