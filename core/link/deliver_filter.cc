#include "core/link/deliver_filter.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/wal/zone.h"

namespace amoskys::link {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

// TelemetryEvent.event_type and the two payloads that are no TelemetryEvent, in the order of
// wire::EventKind.
constexpr std::array<std::string_view, 9> event_types{
    "METRIC", "LOG", "ALARM", "STATUS", "SECURITY", "AUDIT", "PROCESS", "FLOW", "GAP"};
constexpr std::array<std::string_view, 4> severities{"INFO", "WARN", "ERROR", "CRITICAL"};

Error bad_filter(std::string message) {
    return make_error(ErrorKind::usage, "bad_filter", std::move(message));
}

Result<> check_texts(std::string_view name, const Texts& texts) {
    if (texts.size() > max_filter_entries)
        return bad_filter("filter: " + std::to_string(texts.size()) + " " + std::string(name) +
                          "; at most " + std::to_string(max_filter_entries));
    for (const auto& text : texts)
        if (text.empty() || text.size() > max_filter_text_bytes)
            return bad_filter("filter: an entry of " + std::string(name) + " has " +
                              std::to_string(text.size()) + " bytes; allowed: 1 to " +
                              std::to_string(max_filter_text_bytes));
    return {};
}

Result<std::size_t> place_of(std::string_view name, const std::string& text,
                             std::span<const std::string_view> allowed) {
    const auto found = std::ranges::find(allowed, text);
    if (found != allowed.end())
        return static_cast<std::size_t>(found - allowed.begin());
    std::string list;
    for (const auto each : allowed)
        list += (list.empty() ? "" : ", ") + std::string(each);
    return bad_filter("filter: " + std::string(name) + " '" + excerpt(text) +
                      "'; allowed: " + list);
}

}  // namespace

Result<std::shared_ptr<DeliverFilter>> DeliverFilter::make(const amoskys::bus::Filter& wanted,
                                                           std::vector<std::string> devices) {
    AMOSKYS_TRY_VOID(check_texts("device_ids", wanted.device_ids()));
    AMOSKYS_TRY_VOID(check_texts("event_types", wanted.event_types()));
    AMOSKYS_TRY_VOID(check_texts("severities", wanted.severities()));
    std::shared_ptr<DeliverFilter> out(new DeliverFilter);
    auto& filter = out->filter_;
    filter.devices.assign(wanted.device_ids().begin(), wanted.device_ids().end());
    for (const auto& text : wanted.event_types()) {
        AMOSKYS_TRY(place, place_of("event_type", text, event_types));
        filter.kinds.emplace_back(wire::event_kind_name(static_cast<wire::EventKind>(place)));
    }
    for (const auto& text : wanted.severities()) {
        AMOSKYS_TRY_VOID(place_of("severity", text, severities));
        filter.severities.push_back(text);
    }
    for (const auto kind : wanted.kinds()) {
        if (kind < amoskys::bus::RECORD_KIND_UNIVERSAL || kind > amoskys::bus::RECORD_KIND_AUDIT)
            return bad_filter("filter: record kind " + std::to_string(kind) + "; allowed: 1 to 4");
        if (std::ranges::find(out->kinds_, static_cast<RecordKind>(kind)) == out->kinds_.end())
            out->kinds_.push_back(static_cast<RecordKind>(kind));
    }
    out->allowed_devices_ = std::move(devices);
    out->looks_inside_ = !filter.devices.empty() || !filter.kinds.empty() ||
                         !filter.severities.empty() || !out->allowed_devices_.empty();
    if (filter.devices.size() == 1 && filter.devices[0].find_first_of("*?") == std::string::npos)
        out->skip_.device_hash = wal::device_hash(filter.devices[0]);
    return out;
}

bool DeliverFilter::lets_through(const wal::RecordView& record) {
    if (!kinds_.empty() && std::ranges::find(kinds_, record.header.kind) == kinds_.end())
        return false;
    if (!looks_inside_)
        return true;
    bool wanted = false, allowed = true;
    const auto look = [&](const wire::Event& event) {
        wanted = wanted || filter_.matches(event);
        allowed = allowed_devices_.empty() ||
                  std::ranges::any_of(allowed_devices_, [&](const std::string& glob) {
                      return glob_match(glob, event.device);
                  });
        return allowed && !(wanted && allowed_devices_.empty());
    };
    decoder_.decode(record.header.kind, record.stored, record.header.offset.value, look);
    return wanted && allowed;
}

}  // namespace amoskys::link
