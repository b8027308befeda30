#include "modules/transformation/etl/etl.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "core/base/file.h"

namespace amoskys::etl {
namespace {

constexpr unsigned folder_mode = 0755;
constexpr unsigned file_mode = 0644;

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

Json key_column(const char* name, const char* dtype, const char* formula) {
    return {{"name", name}, {"dtype", dtype}, {"unit", ""}, {"stage", "key"}, {"formula", formula}};
}

Json metadata(const TableWriter& table, const TableWriter::Layout& layout,
              const RunRequest& request) {
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
            {"windows", window_json(request.engine)},
            {"fill", request.fill_with_median ? "device-median" : "none"},
            {"columns", std::move(columns)}};
}

Json summary(const Engine& engine, const TableWriter& table, const EventSource& source,
             const RunRequest& request) {
    const CanonicalCounts& counts = engine.counts();
    const double span_hours =
        counts.samples == 0 ? 0
                            : static_cast<double>(engine.last_ns() - engine.first_ns()) / 3.6e12;
    return {{"schema", "amoskys.pipeline_summary/1"},
            {"execution_date", json::time(request.now_ns)},
            {"status", "SUCCESS"},
            {"data_source", source.description()},
            {"rows", table.rows()},
            {"total_features", engine.columns().columns().size()},
            {"devices", engine.devices()},
            {"metrics", engine.metrics().size()},
            {"first_time", counts.samples == 0 ? Json() : json::time(engine.first_ns())},
            {"last_time", json::time(engine.last_ns())},
            {"time_span_hours", span_hours},
            {"windows", window_json(request.engine)},
            {"fill", request.fill_with_median ? "device-median" : "none"},
            {"samples",
             {{"used", counts.samples - counts.duplicates},
              {"filled", counts.filled},
              {"duplicates", counts.duplicates},
              {"texts", counts.texts},
              {"not_finite", counts.not_finite},
              {"late", counts.late},
              {"ahead_of_reception", counts.ahead},
              {"counter_starts", counts.counter_starts},
              {"counter_resets", counts.counter_resets},
              {"counter_wraps", counts.counter_wraps}}},
            {"output_files",
             {{"full_csv", (request.folder / table_name).string()},
              {"metadata_file", (request.folder / metadata_name).string()},
              {"summary_file", (request.folder / summary_name).string()}}}};
}

}  // namespace

Result<RunRequest> make_request(const EtlConfig& config, const RunConfig& run, UnixNanos now_ns) {
    RunRequest request;
    request.folder = run.out;
    request.now_ns = now_ns;
    WindowOptions& windows = request.engine.windows;
    windows.window = config.window;
    windows.step = config.step;
    windows.align = config.align == "first" ? Align::first : Align::epoch;
    if (windows.window / windows.step > 10'000)
        return make_error(ErrorKind::usage, "etl_window",
                          "etl.window " + format_duration(windows.window) + " holds more than " +
                              "10,000 steps of " + format_duration(windows.step));
    request.engine.lateness = config.lateness;
    request.engine.partial = config.partial == "keep";
    request.fill_with_median = config.fill == "device-median";
    request.digits = static_cast<int>(config.digits);
    if (!run.since.empty()) {
        AMOSKYS_TRY(since, parse_time(run.since, now_ns));
        request.engine.since_ns = request.filter.since_ns = since;
    }
    if (!run.until.empty()) {
        AMOSKYS_TRY(until, parse_time(run.until, now_ns));
        request.engine.until_ns = request.filter.until_ns = until;
    }
    if (request.filter.since_ns >= request.filter.until_ns)
        return make_error(ErrorKind::usage, "etl_range",
                          "--since " + run.since + " is not before --until " + run.until);
    request.filter.devices = run.device;
    request.filter.kinds = {"metric"};
    return request;
}

Result<Json> run(EventSource& source, const RunRequest& request) {
    AMOSKYS_TRY_VOID(make_directories(request.folder, folder_mode));
    AMOSKYS_TRY(lock, lock_folder(request.folder));
    AMOSKYS_TRY(table, TableWriter::open(request.folder));
    const auto each_metric = [&](auto&& take) {
        return source.read([&](const wire::Event& event, UnixNanos received_ns) {
            if (event.kind == wire::EventKind::metric && request.filter.matches(event))
                take(event, received_ns);
        });
    };
    Result<> written;  // the first failure of the table
    Engine engine(request.extractors, request.engine,
                  [&](const module::Window& window, const module::FeatureRow& row) {
                      if (written)
                          written = table.add(window, row);
                  });
    if (request.fill_with_median) {
        MedianFinder finder(request.engine);
        AMOSKYS_TRY_VOID(each_metric([&](const wire::Event& event, UnixNanos received_ns) {
            finder.observe(event, received_ns);
        }));
        engine.fill_with(finder.finish());
    }
    AMOSKYS_TRY_VOID(each_metric([&](const wire::Event& event, UnixNanos received_ns) {
        engine.observe(event, received_ns);
    }));
    engine.finish();
    AMOSKYS_TRY_VOID(written);
    const auto columns = engine.columns().columns();
    const TableWriter::Layout layout{columns, column_order(columns), request.digits};
    AMOSKYS_TRY_VOID(table.write_csv(request.folder / table_name, layout, request.writing));
    AMOSKYS_TRY_VOID(write_file_atomic(request.folder / metadata_name,
                                       json::dump_pretty(metadata(table, layout, request)) + "\n",
                                       file_mode));
    Json told = summary(engine, table, source, request);
    AMOSKYS_TRY_VOID(write_file_atomic(request.folder / summary_name,
                                       json::dump_pretty(told) + "\n", file_mode));
    return {boost::system::in_place_value, std::move(told)};
}

}  // namespace amoskys::etl
