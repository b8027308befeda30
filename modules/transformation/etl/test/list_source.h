// A log that is a list of events, for tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "modules/transformation/etl/etl.h"

namespace amoskys::etl::test {

class ListSource final : public EventSource {
  public:
    Result<> read_after(std::uint64_t position, const Visit& visit) override {
        for (std::uint64_t i = position; i < events.size(); ++i, ++read_events)
            visit(events[i], UINT64_MAX);
        return fails ? Result<>(make_error(ErrorKind::io, "broken", "the log broke")) : Result<>();
    }
    Result<> follow(const Watch& visit) override {
        for (const wire::Event& event : events) {
            ++visited;
            if (!visit(event, UINT64_MAX))
                break;
        }
        return {};
    }
    std::uint64_t end() const override { return events.size(); }
    bool look_again(Duration) override { return more && more(); }
    std::string mark(std::uint64_t position) override {
        return position == 0 || position > events.size()
                   ? ""
                   : log_name + std::to_string(events[position - 1].time_ns);
    }
    Json description() const override { return {{"kind", "list"}}; }

    std::vector<wire::Event> events;
    bool fails = false;
    std::size_t visited = 0;      // by follow()
    std::size_t read_events = 0;  // by read() and read_after()
    std::string log_name = "list";
    std::function<bool()> more;  // makes more for look_again()
};

}  // namespace amoskys::etl::test
