#include "modules/tools/dash/log_source.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/crypto/pki.h"
#include "core/log/log.h"
#include "core/module/run.h"
#include "core/wal/shared.h"
#include "core/wire/envelope.h"

namespace amoskys::modules::dash {
namespace {

constexpr auto keep_for = std::chrono::seconds(5);
constexpr std::size_t kept_max = 64, score_rows_max = 20'000;
constexpr std::uint64_t scores_bytes_max = 64ULL << 20;

Result<Json> value(Json json) {
    return {boost::system::in_place_value, std::move(json)};
}

// One of the rows of a score file without what a reader of the page does not see.
bool is_score(const Json& row) {
    return row.is_object() && row.contains("device") && row.contains("score");
}

}  // namespace

std::string position_text(Position position) {
    return std::to_string(position.offset) + "." + std::to_string(position.index);
}

Result<Position> parse_position(std::string_view text) {
    Position out;
    const char* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, out.offset);
    const bool dotted = first.ec == std::errc() && first.ptr != end && *first.ptr == '.';
    const auto second = dotted ? std::from_chars(first.ptr + 1, end, out.index) : first;
    if (!dotted || second.ec != std::errc() || second.ptr != end)
        return make_error(ErrorKind::usage, "bad_cursor",
                          "cursor '" + excerpt(text) + "' is none that this API gave");
    return out;
}

Json event_row(const wire::Event& event) {
    Json out = wire::event_json(event);
    out["what"] = printable(wire::event_text(out));
    return out;
}

Json signature_of(const wal::RecordView& record, const crypto::TrustMap* trust) {
    Json out = {{"status", "unsigned"}, {"agent", nullptr},    {"lane", nullptr},
                {"epoch", nullptr},     {"sequence", nullptr}, {"key_id", nullptr},
                {"algorithm", nullptr}};
    const auto cut = wire::cut_envelope(record.stored, nullptr, nullptr, wal::stored_bytes_max);
    if (!cut || cut->signature.empty())
        return out;
    const Digest digest = wire::canonical_digest(*cut);
    out["agent"] = printable(cut->agent_id);
    out["lane"] = printable(cut->lane);
    out["epoch"] = json::digits(cut->epoch.value);
    out["sequence"] = json::digits(cut->sequence.value);
    out["key_id"] = printable(cut->key_id);
    out["algorithm"] = printable(cut->algorithm);
    if (digest != record.header.digest) {
        out["status"] = "altered";
        return out;
    }
    out["status"] = "unknown_key";
    const auto* agent = trust == nullptr ? nullptr : trust->find(cut->agent_id);
    if (agent == nullptr)
        return out;
    for (const crypto::TrustedKey& key : agent->keys) {
        if (!cut->key_id.empty() && key.id != cut->key_id)
            continue;
        const bool fits =
            cut->algorithm == crypto::algorithm_name(key.algorithm) &&
            (key.algorithm == crypto::Algorithm::ed25519
                 ? crypto::verify_bytes(key.key, as_bytes(wire::canonical_bytes(*cut)),
                                        cut->signature)
                 : crypto::verify_digest(key.key, crypto::envelope_tag, digest, cut->signature));
        out["status"] = fits ? "ok" : "wrong";
        out["key_id"] = key.id;
        if (fits)
            break;
    }
    return out;
}

LogSource::LogSource(std::filesystem::path state_dir, const config::Loaded& loaded,
                     const Clock& clock)
    : state_dir_(std::move(state_dir)), loaded_(loaded), clock_(clock) {}

Result<std::shared_ptr<wal::Log>> LogSource::log() {
    const std::filesystem::path folder = state_dir_ / "wal";
    std::error_code ec;
    if (!std::filesystem::is_directory(folder, ec))
        return make_error(ErrorKind::no_input, "wal_missing", "no log at " + folder.string(),
                          "a bus makes it; --state-dir says where it is");
    AMOSKYS_TRY(opened, wal::open_reader(folder));
    const std::lock_guard hold(mutex_);
    if (log_ == nullptr && !wal::is_announced(folder))
        log_ = opened;  // opened once; a bus of this process wants its own one back
    return opened;
}

Result<Json> LogSource::run(std::string_view module_name, std::string_view verb,
                            const std::vector<std::string>& arguments) {
    StringSink sink;
    OutputOptions output;
    output.format = OutputFormat::json;
    const module::ToolContext caller{.config = nullptr,
                                     .verb = {},
                                     .state_dir = state_dir_,
                                     .loaded = loaded_,
                                     .output = output,
                                     .out = sink,
                                     .quiet = true,
                                     .command = "dash"};
    const Result<> done = module::run_verb(module_name, verb, arguments, caller, output, sink);
    // A finding, and a part that could not be read, come with what was found.
    const bool has_data = !sink.text.empty() && (done || done.error().kind == ErrorKind::finding ||
                                                 done.error().kind == ErrorKind::partial);
    if (!has_data && !done)
        return done.error();
    return json::parse(sink.text, verb);
}

Result<Json> LogSource::ask(std::string_view module_name, std::string_view verb,
                            const std::vector<std::string>& arguments) {
    std::string key = std::string(module_name) + "\n" + std::string(verb);
    for (const std::string& word : arguments)
        key += "\n" + word;
    const auto now = clock_.steady();
    {
        const std::lock_guard hold(mutex_);
        if (const auto at = kept_.find(key); at != kept_.end() && now - at->second.at < keep_for)
            return value(at->second.value);
    }
    AMOSKYS_TRY(held, log());  // the verb gets the same one
    AMOSKYS_TRY(answer, run(module_name, verb, arguments));
    const std::lock_guard hold(mutex_);
    if (kept_.size() >= kept_max)
        kept_.clear();
    kept_[key] = {answer, clock_.steady()};
    return value(std::move(answer));
}

std::string LogSource::alerts_stamp() const {
    return file_stamp(state_dir_ / "alerts" / "alerts.json");
}

void LogSource::forget() {
    const std::lock_guard hold(mutex_);
    kept_.clear();
}

Result<Json> LogSource::change(std::string_view who, std::string_view module_name,
                               std::string_view verb, const std::vector<std::string>& arguments) {
    auto answer = run(module_name, verb, arguments);
    forget();
    log::info("dash", "changed", answer ? "done" : "not done",
              {{"who", std::string(who)},
               {"what", std::string(module_name) + " " + std::string(verb)},
               {"on", arguments.empty() ? std::string() : arguments.front()}});
    return answer;
}

Result<Json> LogSource::envelope(std::uint64_t offset) {
    AMOSKYS_TRY(log, this->log());
    const std::filesystem::path trust_file = crypto::PkiPaths{state_dir_ / "pki"}.trust_map();
    std::error_code ec;
    std::shared_ptr<const crypto::TrustMap> trust;
    if (std::filesystem::exists(trust_file, ec)) {
        AMOSKYS_TRY(loaded, crypto::TrustMap::load(trust_file));
        trust = std::move(loaded);
    }
    Json signature;
    std::string kind;
    AMOSKYS_TRY_VOID(log->read({offset}, 1, [&](const wal::RecordView& record) {
        if (record.header.offset.value == offset)
            signature = signature_of(record, trust.get());
        return false;
    }));
    if (signature.is_null())
        return make_error(ErrorKind::no_input, "no_record",
                          "record " + std::to_string(offset) + " is not in the log",
                          "`amoskys inspect gaps` says what is missing");
    const std::string number = std::to_string(offset);
    AMOSKYS_TRY(shown, run("inspect", "events", {"--full", "--offset", number, "--limit", "1"}));
    const bool has_text = shown.is_array() && !shown.empty() && shown[0]["offset"] == offset;
    AMOSKYS_TRY(proof, run("inspect", "prove", {number}));
    Json out = {{"schema", "amoskys.checked_envelope/1"},
                {"offset", offset},
                {"signature", std::move(signature)},
                {"inclusion", std::move(proof)},
                {"envelope", has_text ? std::move(shown[0]) : Json()}};
    return value(std::move(out));
}

Result<std::shared_ptr<const std::vector<Json>>> LogSource::score_rows() {
    const std::filesystem::path file = state_dir_ / "scores.ndjson";
    const std::string stamp = file_stamp(file);
    const std::lock_guard hold(mutex_);
    if (scores_ != nullptr && stamp == scores_stamp_)
        return scores_;
    auto rows = std::make_shared<std::vector<Json>>();
    if (!stamp.empty()) {
        AMOSKYS_TRY(text, read_file(file, scores_bytes_max));
        for (const std::string_view line : split(text, '\n')) {
            auto row = json::parse(line.empty() ? "null" : line, "score");
            if (row && is_score(*row))
                rows->push_back(std::move(*row));
        }
        if (rows->size() > score_rows_max)
            rows->erase(rows->begin(), rows->end() - score_rows_max);
    }
    scores_stamp_ = stamp;
    scores_ = std::move(rows);
    return scores_;
}

Result<Json> LogSource::scores(std::string_view device, std::size_t limit) {
    AMOSKYS_TRY(rows, score_rows());
    Json list = Json::array();
    for (auto row = rows->rbegin(); row != rows->rend() && list.size() < limit; ++row)
        if (device.empty() || row->value("device", "") == device)
            list.push_back(*row);
    return value(std::move(list));
}

Result<Json> LogSource::overview() {
    const UnixNanos now = clock_.now_ns();
    Json out = {{"schema", "amoskys.overview/1"}, {"time", json::time(now)}};
    const auto log = this->log();
    if (log) {
        const wal::LogStats stats = (*log)->stats();
        struct statvfs disk {};
        const bool known = ::statvfs((state_dir_ / "wal").c_str(), &disk) == 0;
        out["log"] = {{"records", stats.records},
                      {"oldest_offset", stats.oldest.value},
                      {"newest_offset", stats.newest.value},
                      {"oldest_received", json::time(stats.oldest_received_ns)},
                      {"newest_received", json::time(stats.newest_received_ns)},
                      {"stored_bytes", stats.stored_bytes},
                      {"file_bytes", stats.file_bytes},
                      {"segments", stats.segments},
                      {"damaged_segments", stats.damaged_segments},
                      {"disk_free_bytes", known ? Json(disk.f_bavail * disk.f_frsize) : Json()},
                      {"disk_bytes", known ? Json(disk.f_blocks * disk.f_frsize) : Json()}};
        out["trouble"] = nullptr;
    } else {
        out["log"] = nullptr;
        out["trouble"] = log.error().message;
    }
    Json board = board_.overview(now);
    for (auto& [key, each] : board.items())
        out[key] = std::move(each);
    return value(std::move(out));
}

Result<Json> LogSource::devices(const std::string& text, const std::string& status,
                                const std::string& after, std::size_t limit) {
    Json out = board_.devices({text, status, after, limit}, clock_.now_ns());
    return value(std::move(out));
}

Result<Json> LogSource::device(std::string_view name) {
    auto found = board_.device(name, clock_.now_ns());
    if (!found)
        return make_error(ErrorKind::no_input, "no_device",
                          "no device '" + excerpt(name) + "' was heard of in dash.look_back");
    return value(std::move(*found));
}

}  // namespace amoskys::modules::dash
