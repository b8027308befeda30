// `inspect top`: rates, agents, lag, log and alerts, again and again.
#include <sys/ioctl.h>
#include <unistd.h>

#include <thread>

#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"
#include "modules/tools/inspect/top_source.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::string_view repaint = "\x1b[H", clear_below = "\x1b[J", clear_all = "\x1b[2J";
constexpr std::size_t fallback_width = 100, fallback_height = 40;

Result<std::unique_ptr<TopSource>> open_source(const module::ToolContext& context,
                                               const TopOptions& options) {
    if (options.bus.empty()) {
        AMOSKYS_TRY(log, open_for_reading(context, options.log));
        return top_of_log(std::move(log), log_folder(context, options.log).string());
    }
    if (!options.log.empty())
        return make_error(ErrorKind::usage, "log_and_bus",
                          "--log and --bus: a folder here, or a bus, not both");
    AMOSKYS_TRY(identity, bus_identity(context, options.bus, options.agent));
    return top_of_bus(std::move(identity));
}

// In place, without clearing first: nothing flickers, and Ctrl-C leaves a usable terminal.
std::string screen_of(const Json& top, bool first) {
    winsize size{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0;
    return std::string(first ? clear_all : "") + std::string(repaint) +
           top_screen(top, known ? size.ws_col : fallback_width,
                      known ? size.ws_row : fallback_height) +
           std::string(clear_below);
}

}  // namespace

Result<> top(module::ToolContext& context) {
    const auto& options = *static_cast<const TopOptions*>(context.config.get());
    AMOSKYS_TRY(source, open_source(context, options));
    const bool table = context.output.format == OutputFormat::table;
    const bool screen = table && ::isatty(STDOUT_FILENO) == 1;
    std::optional<TopSample> before;
    for (std::uint64_t round = 0; options.count == 0 || round < options.count; ++round) {
        if (round != 0)
            std::this_thread::sleep_for(options.every);
        AMOSKYS_TRY(now, source->sample());
        const Json top = top_json(before ? &*before : nullptr, now);
        StringSink text;
        if (!table)
            AMOSKYS_TRY_VOID(write_object(text, context.output, "top", top));
        else
            text.write(screen ? screen_of(top, round == 0) : top_line(top));
        AMOSKYS_TRY(reader_there, write_piece(context.out, text.text));
        if (!reader_there)
            return {};
        before = std::move(now);
    }
    return {};
}

}  // namespace amoskys::modules::inspect
