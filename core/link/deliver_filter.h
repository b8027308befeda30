// What a subscriber is given: the FILTER of its SUBSCRIBE, and the devices that the trust map lets
// it see. Made on the io thread, then used by one reader thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/wal/log.h"
#include "core/wire/event.h"
#include "proto/bus.pb.h"

namespace amoskys::link {

// Limits of a FILTER.
inline constexpr int max_filter_entries = 100;
inline constexpr std::size_t max_filter_text_bytes = 256;

class DeliverFilter {
  public:
    // `devices`: globs of the trust map, empty = all. usage "bad_filter": the entry that cannot be,
    // and what is allowed.
    static Result<std::shared_ptr<DeliverFilter>> make(const amoskys::bus::Filter& wanted,
                                                       std::vector<std::string> devices);

    // One event matches; where devices are limited, every event is of an allowed one.
    bool lets_through(const wal::RecordView& record);
    const wal::Log::Skip& skip() const { return skip_; }

  private:
    DeliverFilter() = default;

    wire::EventFilter filter_;
    std::vector<RecordKind> kinds_;
    std::vector<std::string> allowed_devices_;
    bool looks_inside_ = false;
    wal::Log::Skip skip_;
    wire::EventDecoder decoder_;
};

}  // namespace amoskys::link
