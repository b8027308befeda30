#include "modules/collectors/replay/collector.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/log/log.h"

namespace amoskys::replay {
namespace {

enum Index { records, events, bytes, rows, skipped, errors };

constexpr metrics::MetricInfo table[] = {
    {"amoskys_replay_records_total", metrics::Kind::counter, "records", "records emitted"},
    {"amoskys_replay_events_total", metrics::Kind::counter, "events", "metric values emitted"},
    {"amoskys_replay_bytes_total", metrics::Kind::counter, "bytes",
     "serialized size of what was emitted"},
    {"amoskys_replay_rows_total", metrics::Kind::counter, "rows", "rows read for publishing"},
    {"amoskys_replay_skipped_rows_total", metrics::Kind::counter, "rows",
     "events that are no metrics"},
    {"amoskys_replay_errors_total", metrics::Kind::counter, "errors", "files refused", "reason"},
};

constexpr std::uint64_t records_per_turn = 16;

// Fills the decoder with the next piece of the file.
Result<bool> feed(Source& source, FileDecoder& decoder) {
    const auto [room, size] = decoder.room();
    AMOSKYS_TRY(got, source.read(room, size));
    AMOSKYS_TRY_VOID(decoder.take(got));
    return got > 0;
}

}  // namespace

const std::span<const metrics::MetricInfo> replay_metrics = table;

bool RecordBuilder::must_take_before(const Row& row) const {
    return !empty() &&
           (record_.timestamp_ns() != row.time_ns || record_.device_id() != row.device ||
            record_.events_size() >= max_record_values || bytes_ >= max_record_bytes);
}

void RecordBuilder::add(const Row& row) {
    if (empty()) {
        record_.set_device_id(std::string(row.device));
        record_.set_device_type(device_type_);
        record_.set_protocol("REPLAY");
        record_.set_collection_agent("replay");
        record_.set_timestamp_ns(row.time_ns);
    }
    for (const auto& value : row.values)
        add(value);
}

void RecordBuilder::add(const Value& value) {
    auto& event = *record_.add_events();
    event.set_event_type("METRIC");
    auto& data = *event.mutable_metric_data();
    data.set_metric_name(value.metric.data(), value.metric.size());
    const std::string_view type = value.type == "TEXT" ? "GAUGE" : value.type;
    data.set_metric_type(type.data(), type.size());
    if (!value.unit.empty())
        data.set_unit(value.unit.data(), value.unit.size());
    if (!value.index.empty())
        data.set_index(value.index.data(), value.index.size());
    for (const auto& [key, label] : value.labels)
        (*data.mutable_labels())[key] = label;
    bytes_ += 40 + value.metric.size() + value.unit.size() + value.index.size() +
              value.labels.size() * 32;
    if (const auto* number = std::get_if<double>(&value.value)) {
        data.set_numeric_value(*number);
        data.set_value_kind(messaging::MetricData::NUMERIC);
    } else if (const auto* whole = std::get_if<std::uint64_t>(&value.value)) {
        data.set_numeric_value(static_cast<double>(*whole));
        data.set_counter_value(*whole);
        data.set_value_kind(messaging::MetricData::NUMERIC);
    } else if (const auto* text = std::get_if<std::string_view>(&value.value)) {
        data.set_string_value(text->data(), text->size());
        data.set_value_kind(messaging::MetricData::TEXT);
        bytes_ += text->size();
    } else {
        data.set_boolean_value(std::get<bool>(value.value));
        data.set_value_kind(messaging::MetricData::BOOLEAN);
    }
}

messaging::DeviceTelemetry RecordBuilder::take() {
    messaging::DeviceTelemetry out;
    record_.set_batch_size(static_cast<std::uint32_t>(record_.events_size()));
    out.Swap(&record_);
    bytes_ = 0;
    return out;
}

Result<std::unique_ptr<module::Collector>> ReplayCollector::make(
    const module::CollectorContext& context) {
    const auto& config = *std::static_pointer_cast<const ReplayConfig>(context.config);
    if (config.files.empty())
        return make_error(ErrorKind::usage, "replay_no_file",
                          "agent replay: name at least one file; - is stdin");
    if (std::count(config.files.begin(), config.files.end(), "-") > 1)
        return make_error(ErrorKind::usage, "replay_stdin_twice",
                          "agent replay: - (stdin) can be read only once");
    for (const auto& file : config.files)
        if (file != "-")
            AMOSKYS_TRY_VOID(Source::open(file));  // before anything is made for it
    return std::unique_ptr<module::Collector>(new ReplayCollector(context));
}

ReplayCollector::ReplayCollector(const module::CollectorContext& context)
    : context_(context),
      config_(std::static_pointer_cast<const ReplayConfig>(context.config)),
      builder_(config_->device_type) {
    if (config_->format != "auto")
        format_ = config_->format == "csv" ? Format::csv : Format::ndjson;
    constexpr std::string_view units[] = {"auto", "s", "ms", "us", "ns"};
    time_unit_ = static_cast<TimeUnit>(std::ranges::find(units, config_->time_unit) - units);
}

io::Task<Result<>> ReplayCollector::run(module::Emitter& emitter) {
    std::vector<Source> sources;
    for (const auto& file : config_->files) {
        AMOSKYS_CO_TRY(source, Source::open(file));
        sources.push_back(std::move(source));
    }
    for (auto& source : sources) {
        auto result = co_await validate(source);
        if (!result) {
            context_.metrics.counter(table[errors], result.error().code).add();
            co_return result;
        }
    }
    if (valid_rows_ == 0) {
        context_.metrics.counter(table[errors], "replay_no_rows").add();
        co_return no_rows();
    }
    const auto began = context_.clock.steady();
    for (auto& source : sources) {
        AMOSKYS_CO_TRY_VOID(co_await publish(source, emitter));
        ++totals_.files;
    }
    AMOSKYS_CO_TRY_VOID(co_await emitter.flush());
    report(context_.clock.steady() - began);
    co_return Result<>();
}

Error ReplayCollector::no_rows() const {
    std::string names;
    for (const std::string& file : config_->files)
        names += (names.empty() ? "" : ", ") + file;
    return make_error(ErrorKind::bad_data, "replay_no_rows",
                      names + ": no row with a value, nothing to publish" +
                          (valid_skipped_ == 0
                               ? ""
                               : "; " + std::to_string(valid_skipped_) + " events are no metrics"));
}

io::Task<Result<>> ReplayCollector::validate(Source& source) {
    FileDecoder decoder(source.name(), format_, time_unit_);
    Row row;
    bool more = true;
    std::uint64_t rows_here = 0;
    while (more) {
        AMOSKYS_CO_TRY(got, feed(source, decoder));
        more = got;
        while (true) {
            AMOSKYS_CO_TRY(found, decoder.next(row));
            if (!found)
                break;
            ++rows_here;
        }
        // The rest of the process gets its turn between two pieces.
        co_await io::asio::post(context_.io, io::asio::use_awaitable);
    }
    if (rows_here == 0 && config_->files.size() > 1)
        log::warning("replay", "no_rows", source.name() + " has no row with a value");
    valid_rows_ += rows_here;
    valid_skipped_ += decoder.skipped();
    co_return source.rewind();
}

io::Task<Result<>> ReplayCollector::publish(Source& source, module::Emitter& emitter) {
    FileDecoder decoder(source.name(), format_, time_unit_);
    Row row;
    bool more = true;
    while (more && !stopped_) {
        AMOSKYS_CO_TRY(got, feed(source, decoder));
        more = got;
        while (!stopped_) {
            AMOSKYS_CO_TRY(found, decoder.next(row));
            if (!found)
                break;
            if (builder_.must_take_before(row))
                AMOSKYS_CO_TRY_VOID(co_await send(emitter));
            if (config_->pace == "recorded" && builder_.empty())
                stopped_ = !co_await wait_for(row.time_ns);
            builder_.add(row);
            ++totals_.rows;
            totals_.values += row.values.size();
        }
    }
    if (!builder_.empty() && !stopped_)
        AMOSKYS_CO_TRY_VOID(co_await send(emitter));
    totals_.skipped += decoder.skipped();
    context_.metrics.counter(table[skipped]).add(decoder.skipped());
    co_return source.rewind();
}

io::Task<Result<>> ReplayCollector::send(module::Emitter& emitter) {
    auto record = builder_.take();
    ++totals_.records;
    context_.metrics.counter(table[records]).add();
    context_.metrics.counter(table[events]).add(static_cast<std::uint64_t>(record.events_size()));
    context_.metrics.counter(table[bytes]).add(record.ByteSizeLong());
    auto sending = emitter.emit(std::move(record));
    AMOSKYS_CO_TRY_VOID(co_await std::move(sending));
    // The rest of the process, the client above all, gets its turn: emit() need not wait.
    if (totals_.records % records_per_turn == 0)
        stopped_ = !co_await io::sleep_for(Duration::zero());
    co_return Result<>();
}

// Until as much time has passed here as between the first row and this one; false where it was
// cancelled.
io::Task<bool> ReplayCollector::wait_for(UnixNanos time_ns) {
    const auto now = context_.clock.steady();
    if (!pace_)
        pace_ = Pace{time_ns, now};
    if (time_ns <= pace_->first_ns)
        co_return true;
    const auto due = pace_->began + Duration(time_ns - pace_->first_ns);
    if (due <= now)
        co_return true;
    co_return co_await io::sleep_for(due - now);
}

void ReplayCollector::report(Duration took) const {
    const double seconds = std::chrono::duration<double>(took).count();
    const auto per_second = [seconds](std::uint64_t count) {
        return seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(count) / seconds)
                           : count;
    };
    context_.metrics.counter(table[rows]).add(totals_.rows);
    log::info("replay", "finished", stopped_ ? "stopped before the end" : "all files published",
              {{"files", totals_.files},
               {"rows", totals_.rows},
               {"records", totals_.records},
               {"values", totals_.values},
               {"skipped", totals_.skipped},
               {"seconds", seconds},
               {"records_per_s", per_second(totals_.records)},
               {"values_per_s", per_second(totals_.values)}});
}

}  // namespace amoskys::replay
