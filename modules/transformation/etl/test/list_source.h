// A log that is a list of events, for tests.
#pragma once

#include <vector>

#include "modules/transformation/etl/etl.h"

namespace amoskys::etl::test {

class ListSource final : public EventSource {
  public:
    Result<> read(const Visit& visit) override {
        for (const wire::Event& event : events)
            visit(event, UINT64_MAX);
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
    Json description() const override { return {{"kind", "list"}}; }

    std::vector<wire::Event> events;
    bool fails = false;
    std::size_t visited = 0;  // by follow()
};

}  // namespace amoskys::etl::test
