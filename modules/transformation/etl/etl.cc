#include "modules/transformation/etl/etl.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>

#include "core/base/file.h"
#include "modules/transformation/etl/baseline_file.h"
#include "modules/transformation/etl/interfaces.h"
#include "modules/transformation/etl/preprocess.h"

namespace amoskys::etl {
namespace {

constexpr unsigned folder_mode = 0755;

// From the training rows of each column.
std::vector<ColumnScale> fit_scales(const FeatureStore& store,
                                    std::span<const module::FeatureColumn> columns,
                                    std::span<const std::string> log_metrics) {
    std::vector<ColumnScale> scales;
    std::vector<double> training;
    for (std::size_t id = 0; id < columns.size(); ++id) {
        store.gather(static_cast<module::ColumnId>(id), Part::train, training);
        scales.push_back(fit_scale(columns[id], log_metrics, training));
    }
    return scales;
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
            {"partial", options.windows.partial ? "keep" : "drop"},
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

Result<> check_one_hot(std::string_view text) {
    if (text == "device" || text == "protocol")
        return {};
    return make_error(ErrorKind::usage, "etl_one_hot",
                      "\"" + std::string(text) + "\" is not device or protocol");
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
    windows.partial = config.partial == "keep";
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
    for (const std::string& what : config.one_hot)
        (what == "device" ? engine.one_hot.device : engine.one_hot.protocol) = true;
    request.top_interfaces = config.top_interfaces;
    request.batch.validation = config.validation;
    request.batch.fill_with_median = config.fill == "device-median";
    request.scaled = config.scale == "robust";
    request.log_metrics = config.log_metrics;
    request.files.folder = run.out;
    request.partition = {run.partition != "device", run.partition != "date"};
    request.files.digits = static_cast<int>(config.digits);
    request.files.csv = config.format != "parquet";
    request.files.parquet = config.format != "csv";
    request.files.compression = config.compression == "none"   ? table::Compression::none
                                : config.compression == "zstd" ? table::Compression::zstd
                                                               : table::Compression::snappy;
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

Result<BatchOptions> batch_options(EventSource& source, const RunRequest& request) {
    BatchOptions out = request.batch;
    if (request.top_interfaces == 0)
        return out;
    if (!request.baselines) {
        BatchOptions measuring = request.batch;
        measuring.engine.interfaces.measure = true;
        AMOSKYS_TRY(batch, Batch::open(request.folder, {}, measuring));
        AMOSKYS_TRY_VOID(source.read([&](const wire::Event& event, UnixNanos received_ns) {
            if (request.filter.matches(event))
                batch->observe(event, received_ns);
        }));
        AMOSKYS_TRY_VOID(batch->learn());
        out.traffic = most_traffic(batch->baselines(), request.top_interfaces);
    }
    out.engine.interfaces.top = top_interfaces(request.baselines ? *request.baselines : out.traffic,
                                               request.top_interfaces);
    return out;
}

Result<Json> run(EventSource& source, const RunRequest& request) {
    AMOSKYS_TRY_VOID(make_directories(request.folder, folder_mode));
    AMOSKYS_TRY(lock, lock_folder(request.folder));
    AMOSKYS_TRY(store, FeatureStore::open(request.folder));
    AMOSKYS_TRY(options, batch_options(source, request));
    AMOSKYS_TRY(batch, Batch::open(request.folder, request.extractors, options));
    if (request.baselines)
        batch->use(*request.baselines);
    AMOSKYS_TRY_VOID(source.read([&](const wire::Event& event, UnixNanos received_ns) {
        if (request.filter.matches(event))
            batch->observe(event, received_ns);
    }));
    AMOSKYS_TRY_VOID(batch->learn());
    Result<> written;  // the first failure of the table
    AMOSKYS_TRY_VOID(
        batch->cut([&](const module::Window& window, const module::FeatureRow& row, Part part) {
            if (written)
                written = store->add(window, row, part);
        }));
    AMOSKYS_TRY_VOID(written);
    AMOSKYS_TRY_VOID(store->seal());
    const auto columns = batch->columns().columns();
    const std::vector<ColumnScale> scales = fit_scales(*store, columns, request.log_metrics);
    const Intake& intake = batch->intake();
    OutputRequest outputs{.files = request.files, .progress = request.writing};
    outputs.facts = {
        .now_ns = request.now_ns,
        .source = source.description(),
        .counts = intake.counts(),
        .filled = batch->filled(),
        .devices = intake.devices(),
        .metrics = batch->metrics().size(),
        .first_ns = intake.first_ns(),
        .last_ns = intake.last_ns(),
        .windows = window_json(request.batch.engine),
        .step = request.batch.engine.windows.step,
        .fill = request.batch.fill_with_median ? "device-median" : "none",
        .baselines = to_json(batch->baselines()),
        .preprocessing = {{"scaled", request.scaled}, {"columns", to_json(columns, scales)}}};
    if (request.scaled)
        outputs.scale = [&scales](module::ColumnId id, std::span<double> values) {
            scales[id].apply(values);
        };
    return write_outputs(*store, columns, outputs);
}

}  // namespace amoskys::etl
