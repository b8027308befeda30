// Traps and informs of versions 1, 2c and 3: octets in, the notification and the octets of the
// answer out. No sockets, no clock. One receiver, one thread.
//
// Version 3: a trap is authenticated by the keys of its sender's engine, an inform by those of
// ours, which its sender discovers by a report. Our engine's boots are the time of our start, so
// that they grow from one run to the next without being stored.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/base/clock.h"
#include "modules/collectors/snmp/dialog.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::snmp {

enum class TrapDrop : std::uint8_t {
    none,
    malformed,
    wrong_community,
    not_authentic,
    not_in_time,  // version 3: older than what this sender has sent already, so perhaps recorded
    not_a_trap
};
std::string_view trap_drop_name(TrapDrop drop);

struct Notification {
    Version version = Version::v2c;
    bool inform = false;
    Oid oid;  // snmpTrapOID; of a version 1 trap by RFC 3584 section 3.1
    std::uint64_t uptime_ticks = 0;
    std::vector<Varbind> varbinds;  // without the two above
};

struct ReceivedTrap {
    TrapDrop drop = TrapDrop::none;  // none and no notification: a discovery, see reply
    std::optional<Notification> notification;
    Bytes reply;  // to send back; may be empty
};

class TrapDecoder {
  public:
    static constexpr std::size_t max_engines = 10'000;

    // `credentials`: the community (versions 1 and 2c) and the user (version 3) that are taken; a
    // user without name takes no version 3. started_s: Unix time.
    TrapDecoder(std::shared_ptr<const Credentials> credentials, std::string_view host_name,
                std::int64_t started_s);
    ReceivedTrap take(ByteView datagram, std::int64_t now_s);
    const Engine& own_engine() const { return own_; }

  private:
    ReceivedTrap take_v3(ByteView datagram, std::int64_t now_s);
    Bytes report(const V3Header& to, std::uint32_t counter, bool authenticated, std::int64_t now_s);
    boost::system::result<V3Message, V3Fault> open_v3(ByteView datagram, const V3Header& header);
    bool sent_in_time(const V3Message& message, std::int64_t now_s);

    std::shared_ptr<const Credentials> credentials_;
    Engine own_;
    std::map<Bytes, Engine> engines_;  // of senders whose keys have fitted, and their clocks
    std::uint64_t salt_ = 0;
};

// At most `per_second` of each source on average, twice that at once. Sources beyond max_sources
// share one allowance.
class SourceLimit {
  public:
    static constexpr std::size_t max_sources = 10'000;
    explicit SourceLimit(double per_second) : per_second_(per_second) {}
    bool allow(const std::string& source, double now_s);

  private:
    struct Bucket {
        double tokens, at_s;
    };
    double per_second_;
    std::unordered_map<std::string, Bucket> buckets_;
};

// LogData of every notification; an alarm too where it is linkDown or linkUp.
messaging::DeviceTelemetry trap_record(const Notification& trap, const std::string& device_id,
                                       const std::string& address, UnixNanos time_ns);

}  // namespace amoskys::snmp
