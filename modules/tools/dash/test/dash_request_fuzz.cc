// A connection's bytes, in pieces whose size the first byte chooses: read, refused or answered over
// a source that knows nothing, and written.
#include "core/base/check.h"
#include "modules/tools/dash/assets.h"
#include "modules/tools/dash/routes.h"
#include "modules/tools/dash/stream.h"
#include "modules/tools/dash/test/fake_source.h"
#include "modules/tools/dash/test/no_modules.h"

using namespace amoskys;
using namespace amoskys::modules::dash;

namespace {

void respond(Access& access, Request request) {
    const Steady now{};
    test::FakeSource source;
    Response out;
    const Match match = find_route(request.method, request.segments);
    auto refused = access.refuse(request, now);
    const Caller caller = access.who(request, now);
    if (refused)
        out = std::move(*refused);
    else if (const EmbeddedFile* asset = find_asset(request.path))
        out = asset_response(request, *asset);
    else if (match.route != nullptr && match.route->answer != nullptr)
        out =
            answer(*match.route, {request, caller, match.path, source, 1'764'547'200'000'000'000});
    else
        out = access.login(request, now);
    const std::string wire = to_wire(request, std::move(out), true);
    const std::size_t end = wire.find("\r\n\r\n");
    check(end != std::string::npos, "an answer has an end of headers");
    // Nothing that was asked ends up as a header of its own.
    for (std::size_t at = 0; at < end; ++at)
        if (wire[at] == '\n')
            check(at > 0 && wire[at - 1] == '\r', "lines end with CRLF");
    check(wire.find("Injected:") > end, "no header is injected");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    Access::Options options;
    options.hosts = {"localhost"};
    Access access(options);
    access.set_tokens({{"a", Role::admin, {}}});
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t piece = 1 + data[0];
    RequestReader reader;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        auto state = reader.feed(input.substr(at, piece));
        while (state == RequestReader::State::whole) {
            Request request = reader.take();
            for (const std::string& segment : request.segments)
                check(segment != "..", "no way up");
            static_cast<void>(parse_feed_position(request.last_event_id, "boot"));
            respond(access, std::move(request));
            state = reader.feed({});
        }
        if (state == RequestReader::State::refused) {
            check(reader.refusal().status >= 400, "a refusal has its status");
            return 0;
        }
    }
    return 0;
}
