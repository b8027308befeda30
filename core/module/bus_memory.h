// What a spool remembers of its buses, durably in its log's state: which log key each address
// showed, how far each bus has acknowledged the lane, and its last two receipts (PROTOCOL.md
// "Custody" rules 9 and 10). At most 32 buses; the one not met for the longest gives way.
//
// State:  "pin/<address>"  {"log_key": hex, "since": Unix ns}
//         "bus/<id>"       {"address", "log_key", "origin", "seen": Unix ns,
//                           "epoch", "sequence", "signature",      as last acknowledged
//                           "receipts": [hex, hex]}                newest first
// <id> is the log key's id ("none" where the bus shows none) @ the address.
//
// Used by Spool, and read-only by `inspect receipts` and `inspect verify --receipt`. No clock.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/types.h"
#include "core/wal/log.h"
#include "proto/bus.pb.h"

namespace amoskys::module {

struct KnownBus {
    std::string id, address, origin;
    Bytes log_key;  // 32 bytes, or empty
    UnixNanos seen_ns = 0;
    Epoch epoch;  // 0 = nothing acknowledged yet
    SeqNo sequence;
    Bytes signature;
    std::vector<amoskys::bus::Receipt> receipts;  // at most two
};

// How far a bus has said that its log goes, by acknowledgement or receipt.
struct Promise {
    Epoch epoch;
    SeqNo sequence;
    Bytes digest;  // of a receipt; empty: only acknowledged
    UnixNanos receipt_time_ns = 0;
};
std::optional<Promise> promise_of(const KnownBus& bus);

class BusMemory {
  public:
    Result<> load(wal::Log& log);  // bad_data "spool_state"

    struct Greeting {
        std::string address, origin;
        Bytes log_key;
        UnixNanos now_ns = 0;
    };
    // The bus that greets, remembered from now on. permission "bus_log_key": its log key is none of
    // `allowed` (where that is not empty), or not the one that this address showed before.
    Result<KnownBus*> meet(const Greeting& greeting, std::span<const PublicKey> allowed);
    static void keep(KnownBus& bus, const amoskys::bus::Receipt& receipt);

    // To be written by the caller: of one bus, or all that meet() has changed since the last call.
    static wal::StateUpdate state(const KnownBus& bus);
    std::vector<wal::StateUpdate> take_changes();
    const std::map<std::string, KnownBus>& buses() const { return buses_; }

  private:
    struct Pin {
        Bytes log_key;
        UnixNanos since_ns = 0;
    };
    void forget_oldest(const std::string& id, const std::string& address);

    std::map<std::string, KnownBus> buses_;  // by id
    std::map<std::string, Pin> pins_;        // by address
    std::vector<wal::StateUpdate> changes_;
};

}  // namespace amoskys::module
