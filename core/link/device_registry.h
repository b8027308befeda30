// The devices that agents have registered, with their owners. Persisted in the log as states
// "device/<id>":
//
//   'D' 1 | flags 1 (1 = deregistered) | registered_ns 8 | owner length 1 | owner |
//   DeviceRegistration bytes
//
// A deregistered device keeps its entry, so that only its owner or an admin may register it again.
// At most max_devices. io thread only; no Asio, no clock.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/wal/log.h"

namespace amoskys::link {

inline constexpr std::size_t max_devices = 100000;
inline constexpr std::size_t max_device_id_bytes = 256;

struct Device {
    std::string owner;
    UnixNanos registered_ns = 0;
    bool deregistered = false;
    std::string registration;  // serialized messaging.DeviceRegistration
};

std::string encode_device(const Device& device);
Result<Device> decode_device(std::string_view bytes);
std::string device_state_key(std::string_view device_id);

class DeviceRegistry {
  public:
    Result<> load(wal::Log& log);
    const Device* find(std::string_view device_id) const;
    void put(const std::string& device_id, Device device);
    std::size_t size() const { return devices_.size(); }
    std::size_t active() const { return active_; }

  private:
    std::map<std::string, Device, std::less<>> devices_;
    std::size_t active_ = 0;
};

}  // namespace amoskys::link
