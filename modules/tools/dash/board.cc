#include "modules/tools/dash/board.h"

#include <algorithm>

#include "core/wire/envelope.h"
#include "modules/tools/dash/source.h"

namespace amoskys::modules::dash {
namespace {

constexpr std::size_t devices_max = 200'000, values_max = 200'000, device_values_max = 512;
constexpr std::size_t feed_max = 512, feed_of_record = 8, sources_max = 32, text_max = 128;
constexpr std::uint64_t second_ns = 1'000'000'000, minute_ns = 60 * second_ns;
constexpr std::uint64_t slot_ns = 15 * minute_ns;
constexpr std::uint64_t minutes_kept = 60;
// As the earlier system told its agents apart.
constexpr std::uint64_t late_after_ns = 300 * second_ns, silent_after_ns = 600 * second_ns;

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return out;
}

Json value_of(const wire::Event& event) {
    if (const auto* number = std::get_if<double>(&event.value))
        return *number;
    if (const auto* whole = std::get_if<std::uint64_t>(&event.value))
        return *whole < (1ULL << 53U) ? Json(*whole) : json::digits(*whole);
    if (const auto* flag = std::get_if<bool>(&event.value))
        return *flag;
    if (const auto* text = std::get_if<std::string_view>(&event.value))
        return std::string(text->substr(0, text_max));
    return {};
}

bool is_serious(std::string_view severity) {
    return severity == "WARN" || severity == "ERROR" || severity == "CRITICAL";
}

}  // namespace

Board::Board() = default;

std::string_view Board::status_of(UnixNanos last_ns, UnixNanos now_ns) {
    if (last_ns + late_after_ns > now_ns)
        return "active";
    return last_ns + silent_after_ns > now_ns ? "late" : "silent";
}

std::uint32_t Board::source_bit(std::string_view source) {
    auto at = std::ranges::find(sources_, source);
    if (at == sources_.end()) {
        if (sources_.size() == sources_max)
            return 0;
        at = sources_.emplace(sources_.end(), source);
    }
    return 1U << static_cast<unsigned>(at - sources_.begin());
}

Board::Minute& Board::minute_of(UnixNanos time_ns) {
    const std::uint64_t minute = time_ns / minute_ns;
    if (minutes_.empty() || minutes_.back().minute < minute)
        minutes_.push_back({minute});
    while (minutes_.front().minute + minutes_kept < minutes_.back().minute)
        minutes_.pop_front();
    return minutes_.back();
}

void Board::note_value(Device& device, const wire::Event& event) {
    const auto key = std::pair(std::string(event.metric), std::string(event.index));
    auto at = device.values.find(key);
    if (at == device.values.end()) {
        if (device.values.size() >= device_values_max || values_ >= values_max) {
            ++omitted_values_;
            return;
        }
        at = device.values.emplace(key, Value()).first;
        ++values_;
    }
    if (event.time_ns < at->second.time_ns)
        return;
    at->second = {value_of(event), std::string(event.type), std::string(event.unit), event.time_ns};
}

void Board::add_event(const wire::Event& event, Minute& minute) {
    ++events_;
    ++minute.events[std::string(event.source)];
    const bool serious = is_serious(event.severity);
    // Metrics are shown where they matter; the rest of a busy record is counted only.
    if ((event.kind != wire::EventKind::metric || serious) && record_rows_ < feed_of_record) {
        ++record_rows_;
        feed_.push_back({++feed_id_, json::dump(event_row(event))});
        if (feed_.size() > feed_max)
            feed_.pop_front();
    }
    if (event.kind == wire::EventKind::audit || event.kind == wire::EventKind::gap)
        return;
    auto at = devices_.find(event.device);
    if (at == devices_.end()) {
        if (devices_.size() >= devices_max) {
            ++omitted_devices_;
            return;
        }
        at = devices_.emplace(std::string(event.device), Device()).first;
        at->second.first_ns = event.time_ns;
    }
    Device& device = at->second;
    device.first_ns = std::min(device.first_ns, event.time_ns);
    device.last_ns = std::max(device.last_ns, event.time_ns);
    ++device.events;
    device.warnings += serious ? 1 : 0;
    device.alarms += event.kind == wire::EventKind::alarm ? 1 : 0;
    device.sources |= source_bit(event.source);
    device.kinds |= 1U << static_cast<unsigned>(event.kind);
    const std::uint64_t slot = event.time_ns / slot_ns;
    if (slot > device.newest_slot) {
        const std::uint64_t fresh = std::min<std::uint64_t>(slot - device.newest_slot, slots);
        for (std::uint64_t i = 0; i < fresh; ++i)
            device.heat.at((slot - i) % slots) = 0;
        device.newest_slot = slot;
    }
    if (slot + slots > device.newest_slot) {
        std::uint8_t& heat = device.heat.at(slot % slots);
        heat = static_cast<std::uint8_t>(std::min(heat + 1, 255));
    }
    if (event.kind == wire::EventKind::metric)
        note_value(device, event);
}

void Board::add(const wal::RecordView& record) {
    const std::lock_guard hold(mutex_);
    ++records_;
    record_rows_ = 0;
    Minute& minute = minute_of(record.header.received_ns);
    ++minute.records;
    minute.bytes += record.stored.size();
    if (record.header.kind == RecordKind::gap)
        if (const auto cut =
                wire::cut_envelope(record.stored, nullptr, nullptr, wal::stored_bytes_max)) {
            minute.lost += cut->gap.events;
            lost_ += cut->gap.events;
        }
    decoder_.decode_record(record.header.kind, record.stored, record.header.digest,
                           record.header.offset.value, [&](const wire::Event& event) {
                               add_event(event, minute);
                               return true;
                           });
}

std::uint64_t Board::records() const {
    const std::lock_guard hold(mutex_);
    return records_;
}

Json Board::overview(UnixNanos now_ns) const {
    const std::lock_guard hold(mutex_);
    Json out = Json::object();
    std::map<std::string_view, std::uint64_t> status{{"active", 0}, {"late", 0}, {"silent", 0}};
    for (const auto& [name, device] : devices_)
        ++status[status_of(device.last_ns, now_ns)];
    out["devices"] = {{"total", devices_.size()},
                      {"active", status["active"]},
                      {"late", status["late"]},
                      {"silent", status["silent"]},
                      {"omitted", omitted_devices_}};
    out["records"] = records_;
    out["events"] = events_;
    out["lost_events"] = lost_;
    Json minutes = Json::array();
    for (const Minute& each : minutes_) {
        Json events = Json::object();
        for (const auto& [source, count] : each.events)
            events[source] = count;
        minutes.push_back({{"time", json::time(each.minute * minute_ns)},
                           {"records", each.records},
                           {"bytes", each.bytes},
                           {"lost", each.lost},
                           {"events", std::move(events)}});
    }
    out["minutes"] = std::move(minutes);
    return out;
}

Json Board::row(const std::string& name, const Device& device, UnixNanos now_ns) const {
    Json sources = Json::array(), kinds = Json::array(), heat = Json::array();
    for (std::size_t i = 0; i < sources_.size(); ++i)
        if ((device.sources >> i & 1U) != 0)
            sources.push_back(sources_[i]);
    for (unsigned i = 0; i <= static_cast<unsigned>(wire::EventKind::gap); ++i)
        if ((device.kinds >> i & 1U) != 0)
            kinds.push_back(wire::event_kind_name(static_cast<wire::EventKind>(i)));
    // Oldest first, ending with the present quarter; null = nothing came, which is not 0 of
    // something.
    const std::uint64_t end = now_ns / slot_ns;
    for (std::uint64_t slot = end - slots + 1; slot <= end; ++slot) {
        const bool kept = slot <= device.newest_slot && slot + slots > device.newest_slot;
        const std::uint8_t count = kept ? device.heat.at(slot % slots) : std::uint8_t{0};
        heat.push_back(count == 0 ? Json() : Json(count));
    }
    return {{"device", name},
            {"status", status_of(device.last_ns, now_ns)},
            {"first_seen", json::time(device.first_ns)},
            {"last_seen", json::time(device.last_ns)},
            {"events", device.events},
            {"warnings", device.warnings},
            {"alarms", device.alarms},
            {"sources", std::move(sources)},
            {"kinds", std::move(kinds)},
            {"values", device.values.size()},
            {"heat", std::move(heat)}};
}

Json Board::devices(const DeviceQuery& query, UnixNanos now_ns) const {
    const std::lock_guard hold(mutex_);
    Json list = Json::array();
    Json next;
    std::uint64_t total = 0;
    const std::string wanted = upper(query.text);
    for (const auto& [name, device] : devices_) {
        if (!wanted.empty() && upper(name).find(wanted) == std::string::npos)
            continue;
        if (!query.status.empty() && status_of(device.last_ns, now_ns) != query.status)
            continue;
        ++total;
        if (!query.after.empty() && name <= query.after)
            continue;
        if (list.size() < query.limit)
            list.push_back(row(name, device, now_ns));
        else if (next.is_null())
            next = list.back()["device"];
    }
    return {{"devices", std::move(list)}, {"next", std::move(next)}, {"total", total}};
}

std::optional<Json> Board::device(std::string_view name, UnixNanos now_ns) const {
    const std::lock_guard hold(mutex_);
    const auto at = devices_.find(name);
    if (at == devices_.end())
        return std::nullopt;
    Json out = row(at->first, at->second, now_ns);
    Json values = Json::array();
    for (const auto& [key, value] : at->second.values)
        values.push_back({{"metric", key.first},
                          {"index", key.second},
                          {"value", value.value},
                          {"type", value.type},
                          {"unit", value.unit},
                          {"time", json::time(value.time_ns)}});
    out["values"] = std::move(values);
    return out;
}

Board::Feed Board::feed_after(std::uint64_t id) const {
    const std::lock_guard hold(mutex_);
    Feed out;
    out.newest = feed_id_;
    if (id > feed_id_)  // of an earlier process
        id = 0;
    const std::uint64_t oldest = feed_.empty() ? feed_id_ + 1 : feed_.front().id;
    out.lost = id + 1 < oldest ? oldest - id - 1 : 0;
    for (const FeedEntry& entry : feed_)
        if (entry.id > id)
            out.entries.push_back(entry);
    return out;
}

}  // namespace amoskys::modules::dash
