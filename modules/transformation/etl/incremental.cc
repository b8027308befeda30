#include "modules/transformation/etl/incremental.h"

#include "core/crypto/hash.h"
#include "modules/transformation/etl/engine.h"
#include "modules/transformation/etl/interfaces.h"

namespace amoskys::etl {
namespace {

constexpr std::string_view state_prefix = "position-", state_suffix = ".state";
constexpr std::uint64_t state_bytes_max = 4ULL << 30;
constexpr unsigned open_mode = 0755, manifest_mode = 0644;

constexpr Column increment_columns[] = {
    {.name = "run"}, {.name = "rows"}, {.name = "files"}, {.name = "devices"}};
constexpr Noun increment_noun = {"increment", increment_columns};

Json settings_of(const RunRequest& request) {
    const EngineOptions& options = request.batch.engine;
    Json thresholds = Json::object();
    for (const auto& [metric, limit] : options.settings.thresholds)
        thresholds[metric] = limit;
    Json out = window_json(options);
    out["key_metrics"] = options.settings.key_metrics;
    out["thresholds"] = std::move(thresholds);
    out["time_zone"] = options.settings.time_zone.name();
    // Folders from before there was this have no such key.
    if (options.one_hot.any())
        out["one_hot"] = {{"device", options.one_hot.device},
                          {"protocol", options.one_hot.protocol}};
    if (request.top_interfaces > 0)
        out["top_interfaces"] = request.top_interfaces;
    return out;
}

// Learned from all that is there; the split is that of a whole run.
Result<Baselines> learn(EventSource& source, const RunRequest& request) {
    AMOSKYS_TRY(options, batch_options(source, request));
    AMOSKYS_TRY(batch, Batch::open(request.folder, {}, options));
    AMOSKYS_TRY_VOID(source.read([&](const wire::Event& event, UnixNanos received_ns) {
        if (request.filter.matches(event))
            batch->observe(event, received_ns);
    }));
    AMOSKYS_TRY_VOID(batch->learn());
    return batch->baselines();
}

// Which events a run reads, as text.
std::string filter_text(const wire::EventFilter& filter) {
    return json::dump({{"devices", filter.devices},
                       {"since", std::to_string(filter.since_ns)},
                       {"until", std::to_string(filter.until_ns)}});
}

// States that no manifest names any more, and files that were never whole.
void remove_other_states(const fs::path& folder, const std::string& kept) {
    std::error_code ignored;  // what cannot be removed is tried again by the next run
    std::vector<fs::path> others;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if ((name.starts_with(state_prefix) && name != kept &&
             name.find(state_suffix) != std::string::npos) ||
            name.starts_with(std::string(manifest_name) + ".tmp."))
            others.push_back(entry.path());
    }
    for (const fs::path& other : others)
        fs::remove(other, ignored);
}

class IncrementalRun {
  public:
    static Result<std::unique_ptr<IncrementalRun>> open(EventSource& source,
                                                        const RunRequest& request) {
        AMOSKYS_TRY_VOID(make_directories(request.folder, open_mode));
        AMOSKYS_TRY(lock, lock_folder(request.folder));
        AMOSKYS_TRY(manifest, load_manifest(request.folder / manifest_name));
        std::unique_ptr<IncrementalRun> run(
            new IncrementalRun(source, request, std::move(lock), std::move(manifest)));
        AMOSKYS_TRY_VOID(run->prepare());
        return run;
    }

    // Reads what the source has more, and commits what closed.
    Result<Json> advance() {
        if (manifest_.run == 0)
            AMOSKYS_TRY_VOID(begin());
        const bool moved = source_.end() > position_;
        AMOSKYS_TRY_VOID(
            source_.read_after(position_, [&](const wire::Event& event, UnixNanos received_ns) {
                if (request_.filter.matches(event))
                    engine_->observe(event, received_ns);
            }));
        AMOSKYS_TRY_VOID(failed_);
        position_ = std::max(position_, source_.end());
        Json names = Json::array();
        const std::uint64_t rows = rows_ == nullptr ? 0 : rows_->rows();
        if (rows > 0)
            AMOSKYS_TRY_VOID(write_rows(names));
        if (rows > 0 || (moved && manifest_.run > 0))
            AMOSKYS_TRY_VOID(commit());
        Json told = {{"run", manifest_.run},
                     {"rows", rows},
                     {"files", std::move(names)},
                     {"devices", manifest_.until.size()}};
        return {boost::system::in_place_value, std::move(told)};
    }

  private:
    IncrementalRun(EventSource& source, const RunRequest& request, FileDescriptor lock,
                   Manifest manifest)
        : source_(source),
          request_(request),
          lock_(std::move(lock)),
          manifest_(std::move(manifest)),
          until_(manifest_.until) {}

    Result<> prepare() {
        AMOSKYS_TRY_VOID(remove_leftover_parts(request_.folder, manifest_.run));
        remove_other_states(request_.folder, manifest_.position ? manifest_.position->state : "");
        const Json settings = settings_of(request_);
        if (manifest_.run == 0)
            manifest_.settings = settings;
        else if (manifest_.settings != settings)
            return make_error(ErrorKind::bad_data, "etl_settings",
                              request_.folder.string() + " holds windows of other settings: " +
                                  json::dump(manifest_.settings) + ", now " + json::dump(settings),
                              "use the same ones, or another folder with --out");
        else if (!resume())
            start_anew();
        return {};
    }

    // As long as there are no rows, there are no baselines either.
    Result<> begin() {
        if (request_.baselines) {
            manifest_.baselines = *request_.baselines;
        } else {
            AMOSKYS_TRY(learned, learn(source_, request_));
            manifest_.baselines = std::move(learned);
        }
        start_anew();
        return {};
    }

    void start_anew() {
        position_ = 0;
        EngineOptions options = request_.batch.engine;
        options.interfaces.top = top_interfaces(manifest_.baselines, request_.top_interfaces);
        engine_ = std::make_unique<Engine>(
            request_.extractors, std::move(options),
            [this](std::uint32_t, const module::Window& window, const module::FeatureRow& row) {
                if (failed_)
                    failed_ = add(window, row);
            });
        engine_->compare_with(manifest_.baselines);
    }

    // True with the engine as it was at the manifest's position.
    bool resume() {
        const auto& position = manifest_.position;
        if (!position || position->filter != filter_text(request_.filter) ||
            position->record > source_.end() || source_.mark(position->record) != position->mark)
            return false;
        const auto state =
            read_file(request_.folder / fs::path(position->state).filename(), state_bytes_max);
        if (!state || to_hex(crypto::sha256(as_bytes(*state))) != position->sha256)
            return false;
        start_anew();
        if (!engine_->restore(*state))
            return false;
        position_ = position->record;
        return true;
    }

    Result<> add(const module::Window& window, const module::FeatureRow& row) {
        auto known = until_.find(window.device);
        if (known == until_.end())
            known = until_.emplace(std::string(window.device), 0).first;
        if (window.end_ns <= known->second)
            return {};
        if (rows_ == nullptr) {
            AMOSKYS_TRY(rows, FeatureStore::open(request_.folder));
            rows_ = std::move(rows);
        }
        known->second = window.end_ns;
        return rows_->add(window, row);
    }

    Result<> write_rows(Json& names) {
        AMOSKYS_TRY_VOID(rows_->seal());
        ++manifest_.run;
        manifest_.until = until_;
        const auto columns = engine_->columns().columns();
        AMOSKYS_TRY(parts, write_parts(*rows_, {columns, column_order(columns)}, request_.files,
                                       request_.partition, manifest_.run, request_.writing));
        for (auto& [name, rows] : parts) {
            names.push_back(name);
            manifest_.files.emplace_back(std::move(name), rows);
        }
        rows_.reset();
        return {};
    }

    Result<> commit() {
        const std::string state = engine_->save();
        const std::string mark = source_.mark(position_);
        manifest_.position.reset();
        if (!mark.empty()) {
            manifest_.position = Position{
                position_, mark, filter_text(request_.filter),
                std::string(state_prefix) + std::to_string(position_) + std::string(state_suffix),
                to_hex(crypto::sha256(as_bytes(state)))};
            AMOSKYS_TRY_VOID(write_file_atomic(request_.folder / manifest_.position->state, state,
                                               manifest_mode));
        }
        AMOSKYS_TRY_VOID(write_file_atomic(request_.folder / manifest_name,
                                           json::dump_pretty(to_json(manifest_)) + "\n",
                                           manifest_mode));
        remove_other_states(request_.folder, manifest_.position ? manifest_.position->state : "");
        return {};
    }

    EventSource& source_;
    const RunRequest& request_;
    FileDescriptor lock_;
    Manifest manifest_;
    std::map<std::string, UnixNanos, std::less<>> until_;  // manifest_.until and rows_
    std::unique_ptr<FeatureStore> rows_;                   // that closed since the last commit
    Result<> failed_;                                      // the first failure of rows_
    std::unique_ptr<Engine> engine_;
    std::uint64_t position_ = 0;  // the last record that engine_ has seen
};

}  // namespace

Result<Json> run_incremental(EventSource& source, const RunRequest& request) {
    AMOSKYS_TRY(run, IncrementalRun::open(source, request));
    return run->advance();
}

Result<> follow_incremental(EventSource& source, const RunRequest& request, Duration every,
                            ByteSink& out) {
    AMOSKYS_TRY(run, IncrementalRun::open(source, request));
    AMOSKYS_TRY(printed, RowOutput::open(out, {.format = OutputFormat::ndjson, .fields = {}},
                                         increment_noun));
    do {
        AMOSKYS_TRY(told, run->advance());
        if (told["rows"] != 0 && !printed->row(told))
            return {};
    } while (source.look_again(every));
    return printed->finish();
}

}  // namespace amoskys::etl
