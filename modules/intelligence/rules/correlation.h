// Correlations over the rules that matched: how often, with how many values, together, in order.
// Windows are of event time and sliding; events may come late and out of order. Memory is bounded:
// at most max_groups groups of values and max_kept matches, the oldest go first and are counted.
// Sans-io, no clock, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "modules/intelligence/rules/rule.h"

namespace amoskys::rules {

// A match, as correlations and alerts keep it.
struct Occurrence {
    UnixNanos time_ns = 0;
    std::uint64_t offset = 0;  // of the record in the log
    std::string device;
    std::uint32_t part = 0;  // which of the correlation's rules
    std::string value;       // value_count
};

struct Fired {
    std::size_t rule = 0;
    std::vector<Occurrence> evidence;                         // in order of time
    std::vector<std::pair<std::string, std::string>> values;  // group-by: name, text
};

class Correlator {
  public:
    static constexpr std::size_t max_groups = 20'000, max_kept = 200'000;
    // Matches of one group: more than any count that is asked for is of no use.
    static constexpr std::size_t max_of_group = 10'000;

    // Rules by number, as the engine has them; those without a correlation are only referred to.
    explicit Correlator(std::vector<const Rule*> rules);

    using TextOf = std::function<std::string(std::string_view field)>;
    // What fires because of this match; each is fed back by itself, so that correlations of
    // correlations fire too. A match without one of the group-by fields counts for no group.
    std::vector<Fired> add(std::size_t rule, const Occurrence& match, const TextOf& text_of);

    // Whether a correlation wants the rule, and says that it gives no alerts of its own.
    bool is_part(std::size_t rule) const { return parts_of_.contains(rule); }
    bool silenced(std::size_t rule) const;

    std::uint64_t dropped() const { return dropped_; }
    std::size_t groups() const { return groups_.size(); }

    // What is kept between two runs. load() takes what fits the rules that are there now.
    Json save() const;
    void load(const Json& saved);

  private:
    struct Group {
        std::vector<Occurrence> kept;  // in order of time
    };
    struct Part {
        std::size_t correlation;
        std::uint32_t number;
    };
    using Key = std::pair<std::size_t, std::vector<std::string>>;

    bool fires(const Rule& rule, const std::vector<Occurrence>& kept, std::size_t added,
               std::vector<Occurrence>& evidence) const;
    void forget(Group& group, Duration timespan);
    void make_room();

    std::vector<const Rule*> rules_;
    std::map<std::size_t, std::vector<Part>> parts_of_;
    std::map<Key, Group> groups_;
    std::size_t kept_ = 0;
    UnixNanos newest_ns_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace amoskys::rules
