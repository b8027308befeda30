// Events as rules see them. What a rule calls Image or DestinationIp is looked up in a mapping
// (conf/rules/fields.yaml, embedded) from names of Sigma to what ProcessEvent, FlowEvent, LogData
// and SecurityEvent hold. Sans-io; one thread each.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/wire/event.h"
#include "modules/intelligence/rules/matcher.h"
#include "modules/intelligence/rules/rule.h"

namespace amoskys::rules {

// Collects the texts of one event, field by field.
class TextSink {
  public:
    void clear();
    void begin_field();
    void end();
    void add(std::string_view text) {  // empty: not there
        if (!text.empty())
            texts_.texts.push_back(text);
    }
    void add_number(std::uint64_t number);
    void add_made(std::string text);
    const EventTexts& texts() const { return texts_; }

  private:
    EventTexts texts_;
    std::deque<std::string> made_;  // reused from event to event
    std::size_t used_ = 0;
};

// One kind of events ("process", "flow", "dns"...) in the mapping.
struct EventClass {
    using Reader = void (*)(const wire::Event& event, TextSink& sink);
    struct Wanted {  // a field that the events must have: the value, or "$service"
        std::string field;
        std::vector<std::string> values;
    };
    struct Source {
        LogSource source;  // service "*": any, also none
        std::vector<Wanted> when;
    };
    std::string name;
    bool (*takes)(const wire::Event& event) = nullptr;
    std::vector<Source> sources;
    std::map<std::string, std::vector<Reader>, std::less<>> fields;
    bool open = false;  // other fields are those of LogData.fields and of the event's attributes

    // Where rules of the source are for this class: what else the events must have.
    const Source* find(const LogSource& source) const;
    bool knows(std::string_view field) const;
    // The texts of one field of a rule.
    void read(const wire::Event& event, std::string_view field, TextSink& sink) const;
};

// Errors: bad_data with FILE:LINE:COL.
Result<std::vector<EventClass>> parse_mapping(std::string_view yaml, std::string_view file);

}  // namespace amoskys::rules
