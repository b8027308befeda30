#include "modules/transformation/etl/etl.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>

#include "core/base/file.h"
#include "modules/transformation/etl/baseline_file.h"

namespace amoskys::etl {
namespace {

constexpr unsigned folder_mode = 0755;
constexpr unsigned file_mode = 0644;

Json key_column(const char* name, const char* dtype, const char* formula) {
    return {{"name", name}, {"dtype", dtype}, {"unit", ""}, {"stage", "key"}, {"formula", formula}};
}

Json metadata(const TableWriter& table, const TableWriter::Layout& layout,
              const Baselines& baselines, const RunRequest& request) {
    Json columns = Json::array();
    columns.push_back(key_column("device_id", "string", "the device"));
    columns.push_back(
        key_column("window_start", "timestamp[ns, UTC]", "start of the window, in it"));
    columns.push_back(
        key_column("window_end", "timestamp[ns, UTC]", "end of the window, not in it any more"));
    for (const module::ColumnId id : layout.order) {
        const module::FeatureColumn& column = layout.columns[id];
        Json statistics = {{"count", 0}, {"missing", table.rows()}};
        if (id < table.statistics().size() && table.statistics()[id].count > 0) {
            const ColumnStatistics& s = table.statistics()[id];
            statistics = {{"count", s.count}, {"missing", table.rows() - s.count},
                          {"mean", s.mean},   {"std", s.deviation()},
                          {"min", s.min},     {"max", s.max}};
        }
        columns.push_back({{"name", column.name},
                           {"dtype", "float64"},
                           {"unit", column.unit},
                           {"stage", column.stage},
                           {"metric", column.metric},
                           {"formula", column.formula},
                           {"statistics", std::move(statistics)}});
    }
    return {{"schema", "amoskys.feature_metadata/1"},
            {"table", table_name},
            {"rows", table.rows()},
            {"windows", window_json(request.batch.engine)},
            {"fill", request.batch.fill_with_median ? "device-median" : "none"},
            {"baselines", to_json(baselines)},
            {"columns", std::move(columns)}};
}

Json summary(const Batch& batch, const TableWriter& table, const EventSource& source,
             const RunRequest& request) {
    const Intake& intake = batch.intake();
    const CanonicalCounts& counts = intake.counts();
    const double span_hours =
        counts.samples == 0 ? 0
                            : static_cast<double>(intake.last_ns() - intake.first_ns()) / 3.6e12;
    return {{"schema", "amoskys.pipeline_summary/1"},
            {"execution_date", json::time(request.now_ns)},
            {"status", "SUCCESS"},
            {"data_source", source.description()},
            {"rows", table.rows()},
            {"total_features", batch.columns().columns().size()},
            {"devices", intake.devices()},
            {"metrics", batch.metrics().size()},
            {"first_time", counts.samples == 0 ? Json() : json::time(intake.first_ns())},
            {"last_time", json::time(intake.last_ns())},
            {"time_span_hours", span_hours},
            {"windows", window_json(request.batch.engine)},
            {"fill", request.batch.fill_with_median ? "device-median" : "none"},
            {"samples",
             {{"used", counts.samples - counts.duplicates},
              {"filled", batch.filled()},
              {"duplicates", counts.duplicates},
              {"texts", counts.texts},
              {"not_finite", counts.not_finite},
              {"late", counts.late},
              {"ahead_of_reception", counts.ahead},
              {"counter_starts", counts.counter_starts},
              {"counter_resets", counts.counter_resets},
              {"counter_wraps", counts.counter_wraps},
              {"processes", counts.processes},
              {"flows", counts.flows},
              {"legacy_heartbeats", counts.legacy}}},
            {"output_files",
             {{"full_csv", (request.folder / table_name).string()},
              {"metadata_file", (request.folder / metadata_name).string()},
              {"summary_file", (request.folder / summary_name).string()}}}};
}

}  // namespace

Result<FileDescriptor> lock_folder(const std::filesystem::path& folder) {
    FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return errno_error("features_folder", "cannot open " + folder.string(), errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (errno == EWOULDBLOCK)
        return make_error(ErrorKind::unavailable, "features_locked",
                          folder.string() + " is being written by another etl",
                          "wait for it, or choose another folder with --out");
    return errno_error("features_lock", "cannot lock " + folder.string(), errno);
}

Json window_json(const EngineOptions& options) {
    return {{"window", format_duration(options.windows.window)},
            {"step", format_duration(options.windows.step)},
            {"align", options.windows.align == Align::epoch ? "epoch" : "first"},
            {"partial", options.partial ? "keep" : "drop"},
            {"lateness", format_duration(options.lateness)}};
}

Result<std::pair<std::string, double>> parse_threshold(std::string_view text) {
    const std::size_t equals = text.rfind('=');
    double limit = 0;
    if (equals != std::string_view::npos && equals > 0) {
        const std::string_view number = text.substr(equals + 1);
        const auto [end, fault] =
            std::from_chars(number.data(), number.data() + number.size(), limit);
        if (fault == std::errc() && end == number.data() + number.size() && std::isfinite(limit))
            return {boost::system::in_place_value, text.substr(0, equals), limit};
    }
    return make_error(ErrorKind::usage, "etl_threshold",
                      "\"" + std::string(text) + "\" is not METRIC=NUMBER (cpu_avg_pct=80)");
}

Result<> check_threshold(std::string_view text) {
    AMOSKYS_TRY_VOID(parse_threshold(text));
    return {};
}

Result<RunRequest> make_request(const EtlConfig& config, const RunConfig& run, UnixNanos now_ns) {
    RunRequest request;
    request.folder = run.out;
    request.now_ns = now_ns;
    EngineOptions& engine = request.batch.engine;
    WindowOptions& windows = engine.windows;
    windows.window = config.window;
    windows.step = config.step;
    windows.align = config.align == "first" ? Align::first : Align::epoch;
    if (windows.window / windows.step > 10'000)
        return make_error(ErrorKind::usage, "etl_window",
                          "etl.window " + format_duration(windows.window) + " holds more than " +
                              "10,000 steps of " + format_duration(windows.step));
    engine.lateness = config.lateness;
    engine.partial = config.partial == "keep";
    auto& keys = engine.settings.key_metrics;
    for (const std::string& metric : config.key_metrics)
        if (std::find(keys.begin(), keys.end(), metric) == keys.end())
            keys.push_back(metric);
    for (const std::string& text : config.thresholds) {
        AMOSKYS_TRY(threshold, parse_threshold(text));
        engine.settings.thresholds.push_back(std::move(threshold));
    }
    AMOSKYS_TRY(zone, TimeZone::find(config.time_zone));
    engine.settings.time_zone = std::move(zone);
    request.batch.validation = config.validation;
    request.batch.fill_with_median = config.fill == "device-median";
    request.digits = static_cast<int>(config.digits);
    if (!run.since.empty()) {
        AMOSKYS_TRY(since, parse_time(run.since, now_ns));
        engine.since_ns = request.filter.since_ns = since;
    }
    if (!run.until.empty()) {
        AMOSKYS_TRY(until, parse_time(run.until, now_ns));
        engine.until_ns = request.filter.until_ns = until;
    }
    if (request.filter.since_ns >= request.filter.until_ns)
        return make_error(ErrorKind::usage, "etl_range",
                          "--since " + run.since + " is not before --until " + run.until);
    if (!run.baseline.empty()) {
        AMOSKYS_TRY(baselines, read_baselines(run.baseline));
        request.baselines = std::move(baselines);
    }
    request.filter.devices = run.device;
    request.filter.kinds = {"metric", "process", "security", "flow"};
    return request;
}

Result<Json> run(EventSource& source, const RunRequest& request) {
    AMOSKYS_TRY_VOID(make_directories(request.folder, folder_mode));
    AMOSKYS_TRY(lock, lock_folder(request.folder));
    AMOSKYS_TRY(table, TableWriter::open(request.folder));
    AMOSKYS_TRY(batch, Batch::open(request.folder, request.extractors, request.batch));
    if (request.baselines)
        batch->use(*request.baselines);
    AMOSKYS_TRY_VOID(source.read([&](const wire::Event& event, UnixNanos received_ns) {
        if (request.filter.matches(event))
            batch->observe(event, received_ns);
    }));
    AMOSKYS_TRY_VOID(batch->learn());
    Result<> written;  // the first failure of the table
    AMOSKYS_TRY_VOID(
        batch->cut([&](const module::Window& window, const module::FeatureRow& row, Part) {
            if (written)
                written = table.add(window, row);
        }));
    AMOSKYS_TRY_VOID(written);
    const auto columns = batch->columns().columns();
    const TableWriter::Layout layout{columns, column_order(columns), request.digits};
    AMOSKYS_TRY_VOID(table.write_csv(request.folder / table_name, layout, request.writing));
    AMOSKYS_TRY_VOID(write_file_atomic(
        request.folder / metadata_name,
        json::dump_pretty(metadata(table, layout, batch->baselines(), request)) + "\n", file_mode));
    Json told = summary(*batch, table, source, request);
    AMOSKYS_TRY_VOID(write_file_atomic(request.folder / summary_name,
                                       json::dump_pretty(told) + "\n", file_mode));
    return {boost::system::in_place_value, std::move(told)};
}

}  // namespace amoskys::etl
