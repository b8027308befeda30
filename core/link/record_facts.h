// What the log keeps beside a stored record (wal::RecordFacts: signature, event times, devices),
// worked out from the record alone: by a salvage, and by `inspect verify`, which compares. The bus
// and `inspect import` take down the same when they append. Sans-io; no clock; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/wal/log.h"
#include "core/wire/envelope.h"
#include "core/wire/event.h"

namespace amoskys::link {

// The devices of one record as the log's zone map knows them. Of more than `devices_max` none is
// named, which stands for "any".
class DeviceNotes {
  public:
    static constexpr std::size_t devices_max = 256;

    void add(std::string_view device_id);
    // wire::DeviceVisitor with a DeviceNotes as context.
    static void visit(void* context, std::string_view device_id);
    // Ascending, each once; ready for the next record afterwards.
    std::vector<std::uint64_t> take();

  private:
    void compact();

    std::vector<std::uint64_t> hashes_;
    std::string last_;  // kept over records: they mostly name the one device
    std::uint64_t last_hash_ = 0;
    bool too_many_ = false;
};

// Of a published envelope that was cut with `devices` as its visitor.
wal::RecordFacts envelope_facts(const wire::CutEnvelope& cut, DeviceNotes& devices);
// Of an envelope of any form, as its events say. `counts`, where given: what was decoded.
wal::RecordFacts event_facts(RecordKind kind, ByteView stored,
                             wire::DecodeCounts* counts = nullptr);
// Of a record of any kind. What cannot be read may hold any device at any time.
wal::RecordFacts record_facts(const wal::RecordView& record);

}  // namespace amoskys::link
