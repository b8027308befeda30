#include "core/link/device_registry.h"

#include "core/base/bytes.h"

namespace amoskys::link {
namespace {
constexpr std::string_view device_prefix = "device/";
constexpr char device_mark = 'D', device_format = 1;
constexpr std::size_t fixed_bytes = 12;
}  // namespace

std::string encode_device(const Device& device) {
    std::string out{device_mark, device_format, static_cast<char>(device.deregistered ? 1 : 0)};
    std::uint8_t time[8];
    store_be64(time, device.registered_ns);
    out += as_text(time);
    out += static_cast<char>(device.owner.size());
    out += device.owner;
    out += device.registration;
    return out;
}

Result<Device> decode_device(std::string_view bytes) {
    const auto owner_size =
        bytes.size() < fixed_bytes ? 0 : static_cast<std::size_t>(as_bytes(bytes)[fixed_bytes - 1]);
    if (bytes.size() < fixed_bytes + owner_size || bytes[0] != device_mark ||
        bytes[1] != device_format)
        return make_error(
            ErrorKind::bad_data, "device_state_damaged",
            "the state of a device is damaged (" + std::to_string(bytes.size()) + " bytes)");
    Device device;
    device.deregistered = bytes[2] != 0;
    device.registered_ns = load_be64(as_bytes(bytes).data() + 3);
    device.owner = bytes.substr(fixed_bytes, owner_size);
    device.registration = bytes.substr(fixed_bytes + owner_size);
    return device;
}

std::string device_state_key(std::string_view device_id) {
    return std::string(device_prefix) + std::string(device_id);
}

Result<> DeviceRegistry::load(wal::Log& log) {
    AMOSKYS_TRY(states, log.states(device_prefix));
    for (const auto& update : states) {
        AMOSKYS_TRY(device, decode_device(update.value));
        put(update.key.substr(device_prefix.size()), std::move(device));
    }
    return {};
}

const Device* DeviceRegistry::find(std::string_view device_id) const {
    const auto found = devices_.find(device_id);
    return found == devices_.end() ? nullptr : &found->second;
}

void DeviceRegistry::put(const std::string& device_id, Device device) {
    const auto found = devices_.find(device_id);
    if (found != devices_.end() && !found->second.deregistered)
        --active_;
    if (!device.deregistered)
        ++active_;
    devices_.insert_or_assign(device_id, std::move(device));
}

}  // namespace amoskys::link
