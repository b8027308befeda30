// `inspect events --bus` and `inspect tail --bus`: the log of a bus through SUBSCRIBE.
#include <algorithm>
#include <cctype>

#include "core/crypto/hash.h"
#include "core/link/subscriber.h"
#include "core/module/pipeline.h"
#include "core/wire/stored_form.h"
#include "modules/tools/inspect/bus_identity.h"
#include "modules/tools/inspect/follow.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

std::string upper(std::string text) {
    for (char& c : text)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

// What the bus can decide; metrics, sources and times are looked at here.
amoskys::bus::Filter bus_filter(const EventsOptions& options) {
    amoskys::bus::Filter out;
    for (const auto& device : options.device)
        out.add_device_ids(device);
    for (const auto& kind : options.kind)
        out.add_event_types(upper(kind));
    for (const auto& severity : options.severity)
        out.add_severities(upper(severity));
    return out;
}

io::Task<Result<>> run(link::Subscriber* subscriber, Result<>* out) {
    auto task = subscriber->run();
    *out = co_await std::move(task);
    co_return Result<>();
}

}  // namespace

wal::RecordView delivered_record(const wire::DeliverView& given) {
    wal::RecordView out;
    out.header.kind = given.kind;
    out.header.offset = given.offset;
    out.header.received_ns = given.received_ns;
    out.header.stored_bytes = static_cast<std::uint32_t>(given.envelope.size());
    out.stored = given.envelope;
    const bool whole = given.kind == RecordKind::legacy || given.kind == RecordKind::audit;
    const auto parts = whole ? std::nullopt : wire::universal_parts(given.envelope);
    out.header.digest = parts ? parts->digest : crypto::sha256(given.envelope);
    return out;
}

Result<link::SubscriberStats> subscribe(link::SubscriberOptions options,
                                        const link::DeliverHandler& handle) {
    io::asio::io_context loop;
    link::Subscriber subscriber(loop, std::move(options), handle);
    io::TaskGroup group(loop);
    Result<> outcome;
    group.spawn("subscriber", run(&subscriber, &outcome));
    loop.run();
    if (!outcome)
        return outcome.error();
    return subscriber.stats();
}

Result<> read_from_bus(module::ToolContext& context, const EventsOptions& options, WalOffset from) {
    wal::Log::Skip span;
    AMOSKYS_TRY(filter, make_filter(options, span));
    AMOSKYS_TRY(printer, Printer::open(context, options));
    AMOSKYS_TRY(identity, bus_identity(context, options.bus, options.agent));
    link::SubscriberOptions wanted;
    wanted.bus = identity.bus;
    wanted.agent_id = identity.agent_id;
    wanted.tls = identity.tls;
    wanted.from_time_ns = span.since_ns;
    if (wanted.from_time_ns == 0 && (options.cursor.empty() || options.offset != 0))
        wanted.from = from;
    wanted.cursor = options.cursor;
    wanted.filter = bus_filter(options);
    wanted.stop_at_end = !options.follow;
    wanted.reconnect = options.follow ? link::Reconnect::after_success : link::Reconnect::never;

    Rows rows(options, std::move(filter));
    const std::uint64_t limit = options.limit == 0 ? UINT64_MAX : options.limit;
    std::uint64_t printed = 0;
    std::deque<Json> pending;
    const auto handle = [&](const wire::DeliverView& given) -> Result<bool> {
        rows.add(delivered_record(given), pending, limit - printed);
        for (const Json& row : pending)
            if (!printer.print(row))
                return false;
        printed += pending.size();
        pending.clear();
        return printed < limit && (!options.follow || printer.flush());
    };
    const Result<link::SubscriberStats> outcome = subscribe(std::move(wanted), handle);
    if (!outcome && printed == 0)
        return outcome.error();
    AMOSKYS_TRY_VOID(printer.finish());
    if (!outcome)
        return outcome.error();
    if (!outcome->note.empty())
        return make_error(ErrorKind::partial, "records_pruned", "the bus says: " + outcome->note);
    return {};
}

}  // namespace amoskys::modules::inspect
