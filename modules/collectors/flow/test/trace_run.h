// Runs an engine over a capture file or over frames made here, and keeps the records as events.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "modules/collectors/flow/engine.h"
#include "modules/collectors/flow/event.h"

namespace amoskys::flow {

class KeepingSink final : public FlowSink {
  public:
    explicit KeepingSink(EventOptions options = {}) : options_(std::move(options)) {}
    void record(const Flow& flow, EndReason reason) override {
        events.push_back(to_event(flow, reason, options_));
    }
    std::vector<messaging::FlowEvent> events;

  private:
    EventOptions options_;
};

inline std::vector<std::uint8_t> file_bytes(const std::filesystem::path& path) {
    auto text = read_file(path, 64U << 20U);
    REQUIRE(text.has_value());
    return {text->begin(), text->end()};
}

struct TraceResult {
    std::vector<messaging::FlowEvent> events;
    EngineStats stats;
};

// `wanted` decides about each frame, in order.
inline TraceResult run_trace(const std::filesystem::path& path, const EngineOptions& options,
                             const std::function<bool(const Frame&)>& wanted = {},
                             PayloadReader* reader = nullptr) {
    const auto bytes = file_bytes(path);
    KeepingSink sink;
    Engine engine(options, sink, reader);
    TraceParser parser;
    ByteView rest(bytes);
    Frame frame;
    while (true) {
        const auto step = parser.next(rest, frame);
        INFO(path.string());
        REQUIRE(step.has_value());
        if (*step == TraceParser::Step::need_more)
            break;
        if (!wanted || wanted(frame))
            engine.frames({&frame, 1});
    }
    engine.finish(SIZE_MAX);
    return {std::move(sink.events), engine.stats()};
}

inline bool have_traces(const std::filesystem::path& folder) {
    if (std::filesystem::exists(folder))
        return true;
    WARN("skipped: no external traces at " << folder.string());
    return false;
}

}  // namespace amoskys::flow
