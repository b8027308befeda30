// What the page shows without reading the log again: devices, their newest values and when they
// were heard of, rates, the newest events. Fed with the records of the log in order by the follower
// (follower.h), asked by the API.
//
// Bounds: 200,000 devices, 200,000 newest values, 512 of one device, 512 events; what does not fit
// is counted (`omitted`). About 330 bytes a device. Thread-safe.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/json/json.h"
#include "core/wal/record.h"
#include "core/wire/event.h"

namespace amoskys::modules::dash {

struct DeviceQuery {
    std::string text;    // part of the name, in any case
    std::string status;  // "" = any
    std::string after;   // the name before the first one wanted
    std::size_t limit = 100;
};

struct FeedEntry {
    std::uint64_t id = 0;  // ascending by one
    std::string json;      // an event row
};

class Board {
  public:
    Board();
    void add(const wal::RecordView& record);

    // Rates, devices by status, minutes. `now_ns` decides who is late.
    Json overview(UnixNanos now_ns) const;
    // {"devices": [...], "next": name or null, "total": matching}
    Json devices(const DeviceQuery& query, UnixNanos now_ns) const;
    std::optional<Json> device(std::string_view name, UnixNanos now_ns) const;
    // The entries after `id`, oldest first, and the id of the newest; `lost` says that some are
    // gone.
    struct Feed {
        std::vector<FeedEntry> entries;
        std::uint64_t newest = 0, lost = 0;
    };
    Feed feed_after(std::uint64_t id) const;
    std::uint64_t records() const;

    static constexpr std::size_t slots = 96;  // quarters of an hour of a day
    static std::string_view status_of(UnixNanos last_ns, UnixNanos now_ns);

  private:
    struct Value {
        Json value;
        std::string type, unit;
        UnixNanos time_ns = 0;
    };
    struct Device {
        UnixNanos first_ns = 0, last_ns = 0;
        std::uint64_t events = 0, warnings = 0, alarms = 0;
        std::uint32_t sources = 0, kinds = 0;    // bits
        std::uint64_t newest_slot = 0;           // since 1970
        std::array<std::uint8_t, slots> heat{};  // events of a slot, at most 255
        std::map<std::pair<std::string, std::string>, Value> values;  // by metric and index
    };
    struct Minute {
        std::uint64_t minute = 0, records = 0, bytes = 0, lost = 0;
        std::map<std::string, std::uint64_t> events;  // by source
    };
    void add_event(const wire::Event& event, Minute& minute);
    void note_value(Device& device, const wire::Event& event);
    std::uint32_t source_bit(std::string_view source);
    Json row(const std::string& name, const Device& device, UnixNanos now_ns) const;
    Minute& minute_of(UnixNanos time_ns);

    mutable std::mutex mutex_;
    wire::EventDecoder decoder_;
    std::map<std::string, Device, std::less<>> devices_;
    std::vector<std::string> sources_;
    std::deque<Minute> minutes_;  // of the last hour, by when they were received
    std::deque<FeedEntry> feed_;
    std::uint64_t feed_id_ = 0, records_ = 0, events_ = 0, lost_ = 0;
    std::uint64_t omitted_devices_ = 0, omitted_values_ = 0;
    std::size_t values_ = 0;
    std::size_t record_rows_ = 0;  // rows of the feed that the record at hand made
};

}  // namespace amoskys::modules::dash
