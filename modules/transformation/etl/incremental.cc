#include "modules/transformation/etl/incremental.h"

#include <charconv>
#include <optional>

#include "core/base/file.h"
#include "modules/transformation/etl/baseline_file.h"
#include "modules/transformation/etl/engine.h"

namespace amoskys::etl {
namespace {

constexpr std::string_view manifest_schema = "amoskys.etl_manifest/1";
constexpr std::string_view rows_folder = "canonical_telemetry_full";
constexpr std::string_view day_prefix = "date=";
constexpr std::uint64_t manifest_bytes_max = 1ULL << 30;
constexpr std::size_t day_gather_bytes = 1 << 20;  // of each day's rows
constexpr unsigned open_mode = 0755, manifest_mode = 0644;

std::string part_name(std::uint64_t run) {
    std::string number = std::to_string(run);
    return "part-" + std::string(number.size() < 6 ? 6 - number.size() : 0, '0') + number;
}

// Of "part-000007.csv", also under its temporary name; nothing for other files.
std::optional<std::uint64_t> run_of(std::string_view name) {
    constexpr std::string_view before = "part-", temporary = ".partial";
    if (name.starts_with('.') && name.ends_with(temporary))
        name = name.substr(1, name.size() - 1 - temporary.size());
    if (!name.starts_with(before))
        return std::nullopt;
    std::uint64_t run = 0;
    const char* end = name.data() + name.size();
    const auto [at, fault] = std::from_chars(name.data() + before.size(), end, run);
    const std::string_view rest(at, static_cast<std::size_t>(end - at));
    return fault == std::errc() && (rest == ".csv" || rest == ".parquet") ? std::optional(run)
                                                                          : std::nullopt;
}

// What a run that was killed left: parts of later runs, in the folders of days and nowhere else.
Result<> remove_leftovers(const fs::path& folder, std::uint64_t last_run) {
    std::error_code failed;
    std::vector<fs::path> leftovers;
    for (const auto& day : fs::directory_iterator(folder / rows_folder, failed)) {
        if (!day.path().filename().string().starts_with(day_prefix))
            continue;
        for (const auto& file : fs::directory_iterator(day.path(), failed))
            if (const auto run = run_of(file.path().filename().string()); run && *run > last_run)
                leftovers.push_back(file.path());
    }
    for (const fs::path& leftover : leftovers) {
        fs::remove(leftover, failed);
        if (failed)
            return make_error(ErrorKind::cannot_create, "features_folder",
                              "cannot remove " + leftover.string() + ": " + failed.message());
    }
    return {};
}

Result<Manifest> load_manifest(const fs::path& file) {
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        return Manifest{};
    AMOSKYS_TRY(text, read_file(file, manifest_bytes_max));
    AMOSKYS_TRY(saved, json::parse(text, file.string()));
    return manifest_from_json(saved, file.string());
}

Json settings_of(const EngineOptions& options) {
    Json thresholds = Json::object();
    for (const auto& [metric, limit] : options.settings.thresholds)
        thresholds[metric] = limit;
    Json out = window_json(options);
    out["key_metrics"] = options.settings.key_metrics;
    out["thresholds"] = std::move(thresholds);
    out["time_zone"] = options.settings.time_zone.name();
    return out;
}

// Learned from all that is there; the split is that of a whole run.
Result<Baselines> learn(EventSource& source, const RunRequest& request) {
    AMOSKYS_TRY(batch, Batch::open(request.folder, {}, request.batch));
    AMOSKYS_TRY_VOID(source.read([&](const wire::Event& event, UnixNanos received_ns) {
        if (request.filter.matches(event))
            batch->observe(event, received_ns);
    }));
    AMOSKYS_TRY_VOID(batch->learn());
    return batch->baselines();
}

// The rows of a run by day.
class DayTables {
  public:
    explicit DayTables(fs::path folder) : folder_(std::move(folder)) {}

    Result<> add(const module::Window& window, const module::FeatureRow& row) {
        const std::string day = format_time(window.start_ns).substr(0, 10);
        auto found = tables_.find(day);
        if (found == tables_.end()) {
            AMOSKYS_TRY(table, FeatureStore::open(folder_, day_gather_bytes));
            found = tables_.emplace(day, std::move(table)).first;
        }
        ++rows_;
        return found->second->add(window, row);
    }

    // Writes them all; appends their names.
    Result<> write(const RunRequest& request, const module::ColumnTable& columns, std::uint64_t run,
                   Manifest& manifest, Json& names) {
        const Layout layout{columns.columns(), column_order(columns.columns())};
        ExportOptions files = request.files;
        files.parquet = !files.csv;  // one format, or who reads the folder reads rows twice
        for (auto& [day, table] : tables_) {
            AMOSKYS_TRY_VOID(table->seal());
            const std::string below =
                std::string(rows_folder) + "/" + std::string(day_prefix) + day;
            files.folder = folder_ / below;
            AMOSKYS_TRY_VOID(make_directories(files.folder, open_mode));
            const std::string part = part_name(run);
            AMOSKYS_TRY(count,
                        export_table(*table, layout, files, {.name = part}, request.writing));
            const std::string name = below + "/" + part + (files.csv ? ".csv" : ".parquet");
            manifest.files.emplace_back(name, count);
            names.push_back(name);
        }
        AMOSKYS_TRY_VOID(sync_directory(folder_));
        return {};
    }
    std::uint64_t rows() const { return rows_; }

  private:
    fs::path folder_;
    std::map<std::string, std::unique_ptr<FeatureStore>> tables_;
    std::uint64_t rows_ = 0;
};

}  // namespace

Json to_json(const Manifest& manifest) {
    Json devices = Json::object(), files = Json::array();
    for (const auto& [device, until_ns] : manifest.until)
        devices[device] = std::to_string(until_ns);
    for (const auto& [name, rows] : manifest.files)
        files.push_back({{"name", name}, {"rows", rows}});
    return {{"schema", manifest_schema},     {"run", manifest.run},
            {"settings", manifest.settings}, {"devices", std::move(devices)},
            {"files", std::move(files)},     {"baselines", to_json(manifest.baselines)}};
}

Result<Manifest> manifest_from_json(const Json& saved, const std::string& where) {
    const auto bad = [&where](const std::string& what) {
        return make_error(ErrorKind::bad_data, "etl_manifest", where + ": " + what,
                          "choose another folder with --out, or remove this one");
    };
    const auto is = [&saved](const char* key, auto&& test) {
        return saved.contains(key) && test(saved[key]);
    };
    const auto object = [](const Json& value) { return value.is_object(); };
    if (!saved.is_object() || !is("schema", [](const Json& v) { return v == manifest_schema; }) ||
        !is("run", [](const Json& v) { return v.is_number_unsigned(); }) ||
        !is("settings", object) || !is("devices", object) || !is("baselines", object) ||
        !is("files", [](const Json& v) { return v.is_array(); }))
        return bad("it is no manifest of etl --incremental");
    Manifest out;
    out.run = saved["run"].get<std::uint64_t>();
    out.settings = saved["settings"];
    for (const auto& [device, until] : saved["devices"].items()) {
        const std::string digits = until.is_string() ? until.get<std::string>() : "";
        const char* end = digits.data() + digits.size();
        const auto [at, fault] = std::from_chars(digits.data(), end, out.until[device]);
        if (digits.empty() || fault != std::errc() || at != end)
            return bad("the end of a device's windows is no number");
    }
    for (const Json& file : saved["files"]) {
        if (!file.is_object() || !file.contains("name") || !file["name"].is_string() ||
            !file.contains("rows") || !file["rows"].is_number_unsigned())
            return bad("a file is not named");
        out.files.emplace_back(file["name"].get<std::string>(), file["rows"].get<std::uint64_t>());
    }
    AMOSKYS_TRY(baselines, baselines_from_json(saved["baselines"], where));
    out.baselines = std::move(baselines);
    return out;
}

Result<Json> run_incremental(EventSource& source, const RunRequest& request) {
    AMOSKYS_TRY_VOID(make_directories(request.folder, open_mode));
    AMOSKYS_TRY(lock, lock_folder(request.folder));
    const fs::path file = request.folder / manifest_name;
    AMOSKYS_TRY(manifest, load_manifest(file));
    AMOSKYS_TRY_VOID(remove_leftovers(request.folder, manifest.run));
    const Json settings = settings_of(request.batch.engine);
    if (manifest.run == 0) {
        manifest.settings = settings;
        if (request.baselines) {
            manifest.baselines = *request.baselines;
        } else {
            AMOSKYS_TRY(learned, learn(source, request));
            manifest.baselines = std::move(learned);
        }
    } else if (manifest.settings != settings) {
        return make_error(ErrorKind::bad_data, "etl_settings",
                          request.folder.string() + " holds windows of other settings: " +
                              json::dump(manifest.settings) + ", now " + json::dump(settings),
                          "use the same ones, or another folder with --out");
    }

    DayTables tables(request.folder);
    Result<> written;
    std::map<std::string, UnixNanos, std::less<>> until = manifest.until;
    Engine engine(request.extractors, request.batch.engine,
                  [&](std::uint32_t, const module::Window& window, const module::FeatureRow& row) {
                      auto known = until.find(window.device);
                      if (known == until.end())
                          known = until.emplace(std::string(window.device), 0).first;
                      if (!written || window.end_ns <= known->second)
                          return;
                      written = tables.add(window, row);
                      known->second = window.end_ns;
                  });
    engine.compare_with(manifest.baselines);
    AMOSKYS_TRY_VOID(source.read([&](const wire::Event& event, UnixNanos received_ns) {
        if (request.filter.matches(event))
            engine.observe(event, received_ns);
    }));
    AMOSKYS_TRY_VOID(written);
    Json names = Json::array();
    if (tables.rows() > 0) {
        ++manifest.run;
        manifest.until = std::move(until);
        AMOSKYS_TRY_VOID(tables.write(request, engine.columns(), manifest.run, manifest, names));
        AMOSKYS_TRY_VOID(
            write_file_atomic(file, json::dump_pretty(to_json(manifest)) + "\n", manifest_mode));
    }
    Json told = {{"run", manifest.run},
                 {"rows", tables.rows()},
                 {"files", std::move(names)},
                 {"devices", manifest.until.size()}};
    return {boost::system::in_place_value, std::move(told)};
}

}  // namespace amoskys::etl
