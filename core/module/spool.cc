#include "core/module/spool.h"

#include <boost/asio/post.hpp>
#include <future>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/json/json.h"
#include "core/log/log.h"
#include "core/wire/envelope.h"

namespace amoskys::module {

namespace {

constexpr std::uint64_t queue_limit_bytes = 8 << 20;  // signed, not yet on disk
constexpr std::string_view component = "spool";

std::string padded(std::uint64_t number) {
    std::string digits = std::to_string(number);
    return std::string(20 - digits.size(), '0') + digits;
}

Error state_error(const std::filesystem::path& folder) {
    return make_error(ErrorKind::bad_data, "spool_state",
                      "spool " + folder.string() + ": its state record cannot be read",
                      "move the folder away; the lane goes on in a new epoch");
}

Error cancelled_error() {
    return make_error(ErrorKind::interrupted, "interrupted", "stopped while waiting for the spool");
}

Bytes bytes_of_hex(const Json& value) {
    Bytes out;
    if (!value.is_string() || !from_hex(value.get<std::string>(), out))
        out.clear();
    return out;
}

}  // namespace

Spool::Spool(io::asio::io_context& io, SpoolOptions options, std::unique_ptr<wal::Log> log)
    : io_(io), options_(std::move(options)), log_(std::move(log)), more_(io), change_(io) {
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
    AMOSKYS_TRY(log, wal::Log::open(options.folder, settings));
    std::unique_ptr<Spool> spool(new Spool(io, std::move(options), std::move(log)));
    AMOSKYS_TRY_VOID(spool->load());
    return spool;
}

Result<> Spool::load() {
    newest_offset_ = log_->stats().newest.value;
    AMOSKYS_TRY(writer, log_->state("writer"));
    if (!writer)
        return start_lane({}, {});
    AMOSKYS_TRY(state, json::parse(*writer, "spool state"));
    wire::WriterState builder_state;
    try {
        builder_state.epoch.value = state.at("epoch").get<std::uint64_t>();
        builder_state.last_sequence.value = state.at("last").get<std::uint64_t>();
        builder_state.last_signature = bytes_of_hex(state.at("signature"));
        epoch_prev_signature_ = bytes_of_hex(state.at("epoch_prev"));
        for (const Json& piece : state.at("pieces"))
            pieces_.push_back({piece.at(0).get<std::uint64_t>(), piece.at(1).get<std::int64_t>()});
        if (pieces_.empty())
            return state_error(options_.folder);
        AMOSKYS_TRY(acked, log_->state("acked"));
        if (acked) {
            AMOSKYS_TRY(saved, json::parse(*acked, "spool state"));
            if (saved.at("epoch").get<std::uint64_t>() == builder_state.epoch.value) {
                acked_.value = saved.at("sequence").get<std::uint64_t>();
                acked_signature_ = bytes_of_hex(saved.at("signature"));
            }
        }
        AMOSKYS_TRY(gaps, log_->states("gap/"));
        for (const wal::StateUpdate& entry : gaps) {
            if (entry.value.empty())
                continue;
            AMOSKYS_TRY(saved, json::parse(entry.value, "spool state"));
            Gap gap;
            gap.marker = {.first = {saved.at("first").get<std::uint64_t>()},
                          .last = {saved.at("last").get<std::uint64_t>()},
                          .envelopes = saved.at("envelopes").get<std::uint64_t>(),
                          .events = saved.at("events").get<std::uint64_t>(),
                          .reason = saved.at("reason").get<std::string>(),
                          .prev_signature = bytes_of_hex(saved.at("prev")),
                          .last_signature = bytes_of_hex(saved.at("last_sig")),
                          .from_ns = saved.at("from_ns").get<std::uint64_t>(),
                          .to_ns = saved.at("to_ns").get<std::uint64_t>()};
            gap.head_events = saved.at("head_events").get<std::vector<std::uint32_t>>();
            gap.ts_ns = saved.at("ts_ns").get<std::uint64_t>();
            gap.envelope = as_text(bytes_of_hex(saved.at("envelope")));
            gaps_[gap.marker.first.value] = std::move(gap);
        }
    } catch (const Json::exception&) {
        return state_error(options_.folder);
    }
    durable_ = builder_state.last_sequence;
    sent_ = acked_;
    // The log of a drained spool is empty: its own statistics do not know where it goes on.
    const Piece& piece = pieces_.back();
    const std::uint64_t last = std::max(durable_.value, piece.first - 1);
    newest_offset_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(last) + piece.delta);
    builder_ = std::make_unique<wire::EnvelopeBuilder>(options_.agent_id, options_.lane,
                                                       options_.key, builder_state);
    if (durable_ == acked_)
        return {};
    const auto count = [this](const wal::RecordView& record) {
        const std::optional<SeqNo> sequence = sequence_at(record.header.offset);
        if (sequence && *sequence > acked_)
            sizes_[sequence->value] = record.stored.size();
        return true;
    };
    AMOSKYS_TRY(end, log_->read(offset_of({first_pending()}), UINT64_MAX, count));
    static_cast<void>(end);
    for (const auto& [sequence, bytes] : sizes_)
        stats_.pending_bytes += bytes;
    return {};
}

Result<> Spool::start_lane(const Bytes& prev_signature, Epoch at_least) {
    const Epoch epoch{std::max(options_.clock->now_ns() / 1'000'000, at_least.value)};
    builder_ =
        std::make_unique<wire::EnvelopeBuilder>(options_.agent_id, options_.lane, options_.key,
                                                wire::WriterState{epoch, {0}, prev_signature});
    epoch_prev_signature_ = prev_signature;
    pieces_ = {{1, static_cast<std::int64_t>(newest_offset_)}};
    acked_ = durable_ = sent_ = {0};
    acked_signature_.clear();
    ++stats_.epochs_started;
    return {};
}

std::string Spool::writer_state() const {
    const wire::WriterState& state = builder_->state();
    Json pieces = Json::array();
    for (const Piece& piece : pieces_)
        pieces.push_back({piece.first, piece.delta});
    const Json object = {{"epoch", state.epoch.value},
                         {"last", state.last_sequence.value},
                         {"signature", to_hex(state.last_signature)},
                         {"epoch_prev", to_hex(epoch_prev_signature_)},
                         {"pieces", pieces}};
    return json::dump(object);
}

wal::StateUpdate Spool::acked_state() const {
    const Json object = {{"epoch", builder_->state().epoch.value},
                         {"sequence", acked_.value},
                         {"signature", to_hex(acked_signature_)}};
    return {"acked", json::dump(object)};
}

wal::StateUpdate Spool::gap_state(const Gap& gap) {
    const Json object = {{"first", gap.marker.first.value},
                         {"last", gap.marker.last.value},
                         {"envelopes", gap.marker.envelopes},
                         {"events", gap.marker.events},
                         {"reason", gap.marker.reason},
                         {"prev", to_hex(gap.marker.prev_signature)},
                         {"last_sig", to_hex(gap.marker.last_signature)},
                         {"from_ns", gap.marker.from_ns},
                         {"to_ns", gap.marker.to_ns},
                         {"head_events", gap.head_events},
                         {"ts_ns", gap.ts_ns},
                         {"envelope", to_hex(as_bytes(gap.envelope))}};
    return {"gap/" + padded(gap.marker.first.value), json::dump(object)};
}

void Spool::use_key(std::shared_ptr<const crypto::SigningKey> key) {
    options_.key = std::move(key);
    builder_->use_key(options_.key);
}

void Spool::wake() {
    more_.notify();
    change_.notify();
}

void Spool::submit(wal::WriteRequest request) {
    auto on_io = [this, alive = alive_,
                  inner = std::move(request.done)](Result<wal::Appended> result) {
        if (!*alive)
            return;
        if (!result && !failed_) {
            failed_ = result.error();
            log::error(component, "write_failed", result.error().message,
                       {{"lane", options_.lane}});
        }
        if (inner)
            inner(result);
        wake();
    };
    request.done = [this, alive = alive_, on_io](const Result<wal::Appended>& result) {
        io::asio::post(io_, [on_io, result] { on_io(result); });
    };
    if (!writer_->submit(std::move(request)) && !failed_)
        failed_ = make_error(ErrorKind::io, "spool_stopped", "the spool's writer has stopped");
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
    if (!result)
        return result.error();
    return {};
}

Result<SeqNo> Spool::append(const Payload& payload) {
    if (failed_)
        return *failed_;
    AMOSKYS_TRY_VOID(make_room(payload.bytes.size() + wire::envelope_overhead_bytes));
    AMOSKYS_TRY(envelope, builder_->build({.kind = payload.kind,
                                           .payload = as_bytes(payload.bytes),
                                           .ts_ns = options_.clock->now_ns(),
                                           .idempotency_key = {},
                                           .priority = payload.priority}));
    AMOSKYS_TRY(cut, wire::cut_envelope(as_bytes(envelope)));
    const SeqNo sequence = builder_->state().last_sequence;
    const std::uint64_t bytes = envelope.size();
    wal::WriteRequest request;
    wal::OwnedAppend record;
    record.digest = wire::canonical_digest(cut);
    record.signature = to_string(cut.signature);
    record.source_hash = wal::source_hash(options_.agent_id, options_.lane, options_.key->id());
    record.first_event_ns = payload.first_event_ns;
    record.last_event_ns = payload.last_event_ns;
    record.stored = std::move(envelope);
    request.records.push_back(std::move(record));
    request.states.push_back({"writer", writer_state()});
    ++newest_offset_;
    queued_bytes_ += bytes;
    sizes_[sequence.value] = bytes;
    stats_.pending_bytes += bytes;
    const Epoch epoch = builder_->state().epoch;
    request.done = [this, sequence, bytes, epoch](const Result<wal::Appended>& result) {
        queued_bytes_ -= bytes;
        if (result && builder_->state().epoch == epoch)
            durable_ = std::max(durable_, sequence);
    };
    submit(std::move(request));
    return sequence;
}

io::Task<> Spool::wait_for_more() {
    const bool waited = co_await more_.wait();
    static_cast<void>(waited);  // cancelled: the client ends by itself
}

io::Task<Result<>> Spool::wait_room() {
    while (!failed_) {
        const bool disk_behind = queued_bytes_ > queue_limit_bytes;
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
    wal::WriteRequest request;
    request.states.push_back(acked_state());
    AMOSKYS_TRY_VOID(write_now(std::move(request)));
    writer_->stop();
    return {};
}

link::Source::Position Spool::position() const {
    return {builder_->state().epoch, acked_, acked_signature_, durable_};
}

SpoolStats Spool::stats() const {
    SpoolStats stats = stats_;
    stats.pending_envelopes = builder_->state().last_sequence.value - acked_.value;
    return stats;
}

}  // namespace amoskys::module
