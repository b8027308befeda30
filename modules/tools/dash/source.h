// What the API reads: the only way from a route to the data. Routes are functions over this
// interface, so that tests answer them without a log. Called on the query threads.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "core/wire/event.h"

namespace amoskys::modules::dash {

// A row of a record: rows are told apart by the record's offset and their place in it.
struct Position {
    std::uint64_t offset = UINT64_MAX, index = UINT64_MAX;
    auto operator<=>(const Position&) const = default;
};
std::string position_text(Position position);  // "4711.3"
Result<Position> parse_position(std::string_view text);

struct EventQuery {
    wire::EventFilter filter;
    Position before;  // newest first, from here down
    std::size_t limit = 100;
};

struct SeriesQuery {
    std::string device, metric, index;  // index "" = each of them, at most 16
    UnixNanos since_ns = 0, until_ns = 0, step_ns = 0;
    std::string aggregation;  // auto mean min max last rate count
};

// The event noun with `what`, the event in one line.
Json event_row(const wire::Event& event);

class DataSource {
  public:
    virtual ~DataSource() = default;
    // What `amoskys MODULE VERB ARGUMENTS -o json` prints: an object, or an array of rows. An
    // answer may be some seconds old.
    virtual Result<Json> ask(std::string_view module, std::string_view verb,
                             const std::vector<std::string>& arguments) = 0;
    // The same of a verb that changes something: never from memory, and said in the log of this
    // process with who asked for it.
    virtual Result<Json> change(std::string_view who, std::string_view module,
                                std::string_view verb,
                                const std::vector<std::string>& arguments) = 0;
    // {"events": [...], "next": position or null, "complete": false where time ran out}
    virtual Result<Json> events(const EventQuery& query) = 0;
    virtual Result<Json> series(const SeriesQuery& query) = 0;
    // A record with its signature and its inclusion in the log's tree checked now.
    virtual Result<Json> envelope(std::uint64_t offset) = 0;
    // Rows of the scores that `up` and `score run --out` leave, newest first.
    virtual Result<Json> scores(std::string_view device, std::size_t limit) = 0;
    // From the follower's memory, without reading the log.
    virtual Result<Json> overview() = 0;
    virtual Result<Json> devices(const std::string& text, const std::string& status,
                                 const std::string& after, std::size_t limit) = 0;
    virtual Result<Json> device(std::string_view name) = 0;  // no_input where there is none
};

}  // namespace amoskys::modules::dash
