// Alerts as rules and models raise them, and the file they are kept in:
// <state_dir>/alerts/alerts.json (0600), replaced as a whole, so that alerts and how far whoever
// raised them had come are never apart: after a kill nothing is raised twice and nothing is lost.
//
//   {"schema": "amoskys.alerts/1", "next": n, "dropped": n, "states": {NAME: what it keeps},
//    "alerts": [{alert}...]}
//
// An alert is raised once for its key (rule, device, values of the group): what follows within its
// `suppress` time joins it. At most 10,000 alerts are kept: the oldest resolved ones go first, then
// the oldest acknowledged, then the oldest open; they are counted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/result.h"
#include "core/json/json.h"

namespace amoskys::module {

struct Alert {
    enum class State : std::uint8_t { open, acknowledged, resolved };

    std::uint64_t number = 0;  // id() is "A-000042"
    std::string source;        // who raised it: "rules"
    std::string rule, title;   // id of the rule, and what happened in words
    std::string pattern;       // name of an attack pattern; may be empty
    std::string level;         // informational low medium high critical
    double score = 0;          // 0..1
    std::vector<std::string> devices, techniques, responses;
    std::vector<std::pair<std::string, std::string>> values;  // what it is grouped by
    UnixNanos first_ns = 0, last_ns = 0;                      // event time
    std::uint64_t count = 0;                                  // how often it was raised
    std::vector<std::uint64_t> evidence;  // sequence numbers of records in the log, rising
    std::uint64_t evidence_left_out = 0;
    std::uint64_t incident = 0;  // number of the first alert of those that belong together
    State state = State::open;
    UnixNanos state_ns = 0;  // when a person set it
    std::string label;       // normal suspicious critical; what a person says it was
    std::string note;

    std::string id() const;
};
std::string_view state_text(Alert::State state);
std::optional<Alert::State> parse_state(std::string_view text);

// Also the noun `alert` of the command line.
Json to_json(const Alert& alert);

// "A-000042", "a-42", "42".
std::optional<std::uint64_t> parse_alert_id(std::string_view text);

class AlertStore {
  public:
    static constexpr std::size_t max_alerts = 10'000, max_evidence = 64;
    // Alerts of one device belong together while no more than this lies between them.
    static constexpr Duration incident_gap = std::chrono::minutes(30);

    // With a lock that other processes wait for at most 10 s (unavailable "alerts_locked"); a store
    // that is only read takes none. A file that is damaged: bad_data, and it stays as it is.
    static Result<std::unique_ptr<AlertStore>> open(const std::filesystem::path& state_dir);
    static Result<std::unique_ptr<AlertStore>> open_to_read(const std::filesystem::path& state_dir);

    const std::vector<Alert>& alerts() const { return alerts_; }  // by number, rising
    Alert* find(std::uint64_t number);
    std::uint64_t dropped() const { return dropped_; }

    // Joins the alert with the same rule, devices and values within `suppress` of its last event,
    // or adds it. The number it has then, and whether it is new.
    struct Raised {
        std::uint64_t number = 0;
        bool is_new = false;
    };
    Raised raise(Alert alert, Duration suppress);

    // What a source keeps beside its alerts; null where it has nothing.
    const Json& state_of(std::string_view source) const;
    void set_state(std::string_view source, Json state);

    Result<> save();

  private:
    explicit AlertStore(std::filesystem::path file) : file_(std::move(file)) {}
    Result<> load();
    void make_room();
    void remember(const Alert& alert);

    std::filesystem::path file_;
    FileDescriptor lock_;
    std::vector<Alert> alerts_;
    std::uint64_t next_ = 1, dropped_ = 0;
    Json states_ = Json::object();
    // The newest alert of each key and of each device; it may be gone.
    std::map<std::string, std::uint64_t> newest_of_key_, newest_of_device_;
};

}  // namespace amoskys::module
