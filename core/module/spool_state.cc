// The spool's states in its log: written with what they describe, read at open.
#include <algorithm>

#include "core/module/spool.h"
#include "core/wire/envelope.h"

namespace amoskys::module {

namespace {

Error state_error(const std::filesystem::path& folder) {
    return make_error(ErrorKind::bad_data, "spool_state",
                      "spool " + folder.string() + ": its state record cannot be read",
                      "move the folder away; the lane goes on in a new epoch");
}

std::string padded(std::uint64_t number) {
    std::string digits = std::to_string(number);
    return std::string(20 - digits.size(), '0') + digits;
}

Bytes bytes_of_hex(const Json& value) {
    Bytes out;
    if (!value.is_string() || !from_hex(value.get<std::string>(), out))
        out.clear();
    return out;
}

}  // namespace

std::string Spool::writer_state(const wire::WriterState& state, const Bytes& epoch_prev,
                                const std::string& reason, const std::vector<Piece>& pieces) {
    Json map = Json::array();
    for (const Piece& piece : pieces)
        map.push_back({piece.first, piece.delta});
    const Json object = {
        {"epoch", state.epoch.value},        {"reason", reason},
        {"last", state.last_sequence.value}, {"signature", to_hex(state.last_signature)},
        {"epoch_prev", to_hex(epoch_prev)},  {"pieces", map}};
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
                         {"epoch_reason", gap.marker.epoch_reason},
                         {"prev", to_hex(gap.marker.prev_signature)},
                         {"last_sig", to_hex(gap.marker.last_signature)},
                         {"from_ns", gap.marker.from_ns},
                         {"to_ns", gap.marker.to_ns},
                         {"head_events", gap.head_events},
                         {"ts_ns", gap.ts_ns},
                         {"envelope", to_hex(as_bytes(gap.envelope))}};
    return {"gap/" + padded(gap.marker.first.value), json::dump(object)};
}

bool Spool::load_writer(const Json& state) {
    wire::WriterState writer;
    writer.epoch.value = state.at("epoch").get<std::uint64_t>();
    writer.last_sequence.value = state.at("last").get<std::uint64_t>();
    writer.last_signature = bytes_of_hex(state.at("signature"));
    epoch_prev_signature_ = bytes_of_hex(state.at("epoch_prev"));
    epoch_reason_ = state.value("reason", std::string());
    for (const Json& piece : state.at("pieces"))
        pieces_.push_back({piece.at(0).get<std::uint64_t>(), piece.at(1).get<std::int64_t>()});
    durable_ = writer.last_sequence;
    if (writer.epoch.value == 0 || pieces_.empty())
        return false;
    builder_ = std::make_unique<wire::EnvelopeBuilder>(options_.agent_id, options_.lane,
                                                       options_.key, std::move(writer));
    return true;
}

Result<> Spool::load_gaps() {
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
                      .to_ns = saved.at("to_ns").get<std::uint64_t>(),
                      .epoch_reason = saved.value("epoch_reason", std::string())};
        gap.head_events = saved.at("head_events").get<std::vector<std::uint32_t>>();
        gap.ts_ns = saved.at("ts_ns").get<std::uint64_t>();
        gap.envelope = as_text(bytes_of_hex(saved.at("envelope")));
        gaps_[gap.marker.first.value] = std::move(gap);
    }
    return {};
}

// What is there of the epoch, acknowledged or not.
Result<> Spool::load_records() {
    const auto count = [this](const wal::RecordView& record) {
        const std::optional<SeqNo> sequence = sequence_at(record.header.offset);
        if (!sequence || *sequence > durable_)
            return true;
        (*sequence > acked_ ? sizes_ : kept_)[sequence->value] = record.stored.size();
        if (*sequence == durable_)
            durable_digest_ = record.header.digest;
        return true;
    };
    if (const wal::LogStats stats = log_->stats(); stats.records > 0) {
        AMOSKYS_TRY(end, log_->read(stats.oldest, UINT64_MAX, count));
        static_cast<void>(end);
    }
    for (const auto& [first, gap] : gaps_)
        for (std::uint64_t at = first; at <= gap.marker.last.value; ++at)
            sizes_.erase(at);
    for (const auto& [sequence, bytes] : sizes_)
        stats_.pending_bytes += bytes;
    // Without a hole, up to the last acknowledged one.
    std::uint64_t expected = acked_.value;
    for (auto at = kept_.rbegin(); at != kept_.rend() && at->first == expected; ++at)
        --expected;
    kept_.erase(kept_.begin(), kept_.upper_bound(expected));
    for (const auto& [sequence, bytes] : kept_)
        stats_.kept_bytes += bytes;
    for (const auto& [first, gap] : gaps_)
        if (gap.marker.last == durable_)
            if (const auto cut = wire::cut_envelope(as_bytes(gap.envelope)))
                durable_digest_ = wire::canonical_digest(*cut);
    return {};
}

Result<> Spool::load() {
    newest_offset_ = log_->stats().newest.value;
    AMOSKYS_TRY_VOID(buses_.load(*log_));
    AMOSKYS_TRY(writer, log_->state("writer"));
    if (!writer) {
        start_lane();
        return {};
    }
    try {
        AMOSKYS_TRY(state, json::parse(*writer, "spool state"));
        if (!load_writer(state))
            return state_error(options_.folder);
        AMOSKYS_TRY(acked, log_->state("acked"));
        if (acked) {
            AMOSKYS_TRY(saved, json::parse(*acked, "spool state"));
            if (saved.at("epoch").get<std::uint64_t>() == builder_->state().epoch.value) {
                acked_.value = std::min(durable_.value, saved.at("sequence").get<std::uint64_t>());
                acked_signature_ = bytes_of_hex(saved.at("signature"));
            }
        }
        AMOSKYS_TRY_VOID(load_gaps());
    } catch (const Json::exception&) {
        return state_error(options_.folder);
    }
    sent_ = acked_;
    // The log of a drained spool is empty: its own statistics do not know where it goes on. Records
    // behind the last one are those of an epoch that was begun and not finished.
    const Piece& piece = pieces_.back();
    const std::uint64_t last = std::max(durable_.value, piece.first - 1);
    const auto mapped = static_cast<std::uint64_t>(static_cast<std::int64_t>(last) + piece.delta);
    if (newest_offset_ > mapped)
        pieces_.push_back({last + 1, static_cast<std::int64_t>(newest_offset_) -
                                         static_cast<std::int64_t>(last)});
    newest_offset_ = std::max(newest_offset_, mapped);
    return load_records();
}

}  // namespace amoskys::module
