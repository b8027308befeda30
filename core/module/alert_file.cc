// Reading, locking and writing of alerts.json.
#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#include "core/module/alert.h"

namespace amoskys::module {
namespace {

constexpr std::uint64_t max_alert_file_bytes = 128U << 20U;
constexpr std::string_view alert_schema = "amoskys.alerts/1";
constexpr auto lock_wait = std::chrono::seconds(10);
constexpr auto lock_again = std::chrono::milliseconds(50);

// Reads one alert; a part of another type makes it bad.
class AlertReader {
  public:
    explicit AlertReader(const Json& object) : object_(object) {}

    std::string text(const char* name) {
        const auto found = object_.find(name);
        if (found == object_.end() || !found->is_string())
            return bad<std::string>();
        return found->get<std::string>();
    }
    std::uint64_t number(const char* name) {
        const auto found = object_.find(name);
        if (found == object_.end() || !found->is_number_unsigned())
            return bad<std::uint64_t>();
        return found->get<std::uint64_t>();
    }
    double real(const char* name) {
        const auto found = object_.find(name);
        if (found == object_.end() || !found->is_number())
            return bad<double>();
        return found->get<double>();
    }
    UnixNanos time(const char* name) {
        const auto found = object_.find(name);
        if (found != object_.end() && found->is_null())
            return 0;
        const auto parsed = parse_time(text(name), 0);
        return parsed ? *parsed : bad<UnixNanos>();
    }
    std::vector<std::string> texts(const char* name) {
        std::vector<std::string> out;
        for (const Json& each : list(name)) {
            if (!each.is_string())
                return bad<std::vector<std::string>>();
            out.push_back(each.get<std::string>());
        }
        return out;
    }
    std::vector<std::uint64_t> numbers(const char* name) {
        std::vector<std::uint64_t> out;
        for (const Json& each : list(name)) {
            if (!each.is_number_unsigned())
                return bad<std::vector<std::uint64_t>>();
            out.push_back(each.get<std::uint64_t>());
        }
        return out;
    }
    std::vector<std::pair<std::string, std::string>> pairs(const char* name) {
        std::vector<std::pair<std::string, std::string>> out;
        const auto found = object_.find(name);
        if (found == object_.end() || !found->is_object())
            return bad<decltype(out)>();
        for (const auto& [key, value] : found->items()) {
            if (!value.is_string())
                return bad<decltype(out)>();
            out.emplace_back(key, value.get<std::string>());
        }
        return out;
    }
    bool good() const { return good_; }
    template <class T>
    T bad() {
        good_ = false;
        return T{};
    }

  private:
    const Json& list(const char* name) {
        static const Json empty = Json::array();
        const auto found = object_.find(name);
        if (found == object_.end() || !found->is_array()) {
            good_ = false;
            return empty;
        }
        return *found;
    }

    const Json& object_;
    bool good_ = true;
};

std::optional<Alert> read_alert(const Json& object) {
    if (!object.is_object())
        return std::nullopt;
    AlertReader from(object);
    Alert out;
    const auto number = parse_alert_id(from.text("id"));
    const auto state = parse_state(from.text("state"));
    out.source = from.text("source");
    out.rule = from.text("rule");
    out.title = from.text("title");
    out.pattern = from.text("pattern");
    out.level = from.text("level");
    out.score = from.real("score");
    out.devices = from.texts("devices");
    out.values = from.pairs("values");
    out.techniques = from.texts("techniques");
    out.first_ns = from.time("first");
    out.last_ns = from.time("last");
    out.count = from.number("count");
    out.evidence = from.numbers("evidence");
    out.evidence_left_out = from.number("evidence_left_out");
    out.incident = from.number("incident");
    out.responses = from.texts("responses");
    out.label = from.text("label");
    out.note = from.text("note");
    out.state_ns = from.time("state_set");
    if (!number || !state || !from.good())
        return std::nullopt;
    out.number = *number;
    out.state = *state;
    return out;
}

}  // namespace

Result<std::unique_ptr<AlertStore>> AlertStore::open_to_read(
    const std::filesystem::path& state_dir) {
    std::unique_ptr<AlertStore> store(new AlertStore(state_dir / "alerts" / "alerts.json"));
    AMOSKYS_TRY_VOID(store->load());
    return store;
}

Result<std::unique_ptr<AlertStore>> AlertStore::open(const std::filesystem::path& state_dir) {
    std::unique_ptr<AlertStore> store(new AlertStore(state_dir / "alerts" / "alerts.json"));
    AMOSKYS_TRY_VOID(make_directories(state_dir / "alerts", 0700));
    const std::filesystem::path lock = state_dir / "alerts" / "lock";
    store->lock_ = FileDescriptor(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!store->lock_)
        return errno_error("alerts_lock", "cannot open " + lock.string(), errno);
    const auto until = std::chrono::steady_clock::now() + lock_wait;
    while (::flock(store->lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return errno_error("alerts_lock", "cannot lock " + lock.string(), errno);
        if (std::chrono::steady_clock::now() > until)
            return make_error(ErrorKind::unavailable, "alerts_locked",
                              lock.string() + " is held by another process",
                              "wait until it is done, or stop it");
        std::this_thread::sleep_for(lock_again);
    }
    AMOSKYS_TRY_VOID(store->load());
    return store;
}

Result<> AlertStore::load() {
    auto text = read_file(file_, max_alert_file_bytes);
    if (!text && text.error().kind == ErrorKind::no_input)
        return {};
    if (!text)
        return text.error();
    AMOSKYS_TRY(root, json::parse(*text, "alerts " + file_.string()));
    const auto damaged = [this](const std::string& what) {
        return make_error(ErrorKind::bad_data, "alerts_damaged", file_.string() + ": " + what,
                          "move the file away to begin anew; what was in the log is raised again");
    };
    if (!root.is_object() || !root.contains("schema") || root["schema"] != alert_schema)
        return damaged("not of the schema " + std::string(alert_schema));
    AlertReader from(root);
    next_ = from.number("next");
    dropped_ = from.number("dropped");
    if (!from.good() || !root.contains("states") || !root["states"].is_object() ||
        !root.contains("alerts") || !root["alerts"].is_array())
        return damaged("next, dropped, states or alerts is missing or of another kind");
    states_ = root["states"];
    for (const Json& object : root["alerts"]) {
        auto alert = read_alert(object);
        const std::uint64_t before = alerts_.empty() ? 0 : alerts_.back().number;
        if (!alert || alert->number <= before || alert->number >= next_)
            return damaged("alert " + std::to_string(alerts_.size() + 1) + " is no alert");
        alerts_.push_back(std::move(*alert));
        remember(alerts_.back());
    }
    return {};
}

Result<> AlertStore::save() {
    Json alerts = Json::array();
    for (const Alert& alert : alerts_)
        alerts.push_back(to_json(alert));
    const Json root = {{"schema", std::string(alert_schema)},
                       {"next", next_},
                       {"dropped", dropped_},
                       {"states", states_},
                       {"alerts", std::move(alerts)}};
    return write_file_atomic(file_, json::dump(root) + "\n", 0600);
}

}  // namespace amoskys::module
