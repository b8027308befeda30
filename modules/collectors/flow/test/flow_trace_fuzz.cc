// A whole capture file through parser, decoder, fragments, flow table, TCP and service detection.
// What leaves must be valid text.
#include <cstdlib>

#include "core/base/text.h"
#include "modules/collectors/flow/detector.h"
#include "modules/collectors/flow/event.h"

using namespace amoskys;
using namespace amoskys::flow;

namespace {

struct CheckingSink final : FlowSink {
    explicit CheckingSink(const Detector& of) : detector(of) {}
    void record(const Flow& flow, EndReason reason) override {
        auto event = to_event(flow, reason, {});
        detector.describe(flow, event);
        std::string bytes;
        const std::string all = event.sni() + event.alpn() + event.host() + event.history() +
                                event.client_software() + event.server_software();
        if (!event.SerializeToString(&bytes) || !valid_utf8(all) || bytes.size() > 16384)
            std::abort();
        for (const char c : all)
            if (static_cast<unsigned char>(c) < 0x20)
                std::abort();
        for (const std::string& name : event.dns_names())
            if (!valid_utf8(name))
                std::abort();
        packets += event.packets_sent() + event.packets_recv();
    }
    const Detector& detector;
    std::uint64_t packets = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Detector detector;
    CheckingSink sink(detector);
    EngineOptions options;
    options.verify_checksums = false;
    options.max_flows = 64;
    Engine engine(options, sink, &detector);
    TraceParser parser;
    ByteView rest(data, size);
    Frame frame;
    while (true) {
        const auto step = parser.next(rest, frame);
        if (!step || *step == TraceParser::Step::need_more)
            break;
        engine.frames({&frame, 1});
    }
    engine.finish(SIZE_MAX);
    if (engine.table().size() != 0 || sink.packets != engine.stats().packets)
        std::abort();
    return 0;
}
