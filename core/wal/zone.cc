#include "core/wal/zone.h"

#include <algorithm>
#include <bit>

#include "core/base/text.h"
#include "core/wal/little_endian.h"

namespace amoskys::wal {

namespace {

constexpr std::uint8_t any_device = 1;
constexpr std::size_t check_at = 20, check_bytes = 4;

// Against decay, not against a forger.
std::uint32_t check_of(ByteView bytes) {
    std::uint32_t sum = 2'166'136'261U;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        if (i < check_at || i >= check_at + check_bytes)
            sum = (sum ^ bytes[i]) * 16'777'619U;
    return std::max(sum, 1U);
}

// Four bit numbers of 10 bits each out of the hash.
std::array<std::size_t, 4> bits_of(std::uint64_t hash) {
    return {hash & 1023U, (hash >> 16) & 1023U, (hash >> 32) & 1023U, (hash >> 48) & 1023U};
}

}  // namespace

void Zone::add(RecordKind kind, UnixNanos first_event_ns, UnixNanos last_event_ns,
               std::span<const std::uint64_t> device_hashes) {
    const bool untimed = first_event_ns == 0 && last_event_ns == 0;
    first_event_ns_ = std::min(first_event_ns_, first_event_ns);
    last_event_ns_ = std::max(last_event_ns_, untimed ? UINT64_MAX : last_event_ns);
    kinds_ = static_cast<std::uint8_t>(kinds_ | (1U << static_cast<unsigned>(kind)));
    if (device_hashes.empty())
        flags_ |= any_device;
    for (const std::uint64_t hash : device_hashes)
        for (const std::size_t bit : bits_of(hash))
            devices_[bit / 8] = static_cast<std::uint8_t>(devices_[bit / 8] | (1U << (bit % 8)));
    ++records_;
}

void Zone::add(const RecordView& record, const Options& options) {
    const RecordFacts facts = options.facts_of ? options.facts_of(record) : RecordFacts();
    add(record.header.kind, facts.first_event_ns, facts.last_event_ns, facts.device_hashes);
}

bool Zone::covers(const Zone& other) const {
    const auto kinds = static_cast<std::uint8_t>(kinds_ | other.kinds_);
    const bool all_devices = (flags_ & any_device) != 0;
    bool devices = all_devices || (other.flags_ & any_device) == 0;
    for (std::size_t i = 0; i < devices_.size(); ++i)
        devices = devices && (all_devices || (devices_[i] | other.devices_[i]) == devices_[i]);
    return devices && kinds == kinds_ && first_event_ns_ <= other.first_event_ns_ &&
           last_event_ns_ >= other.last_event_ns_;
}

std::string Zone::describe() const {
    std::size_t bits = 0;
    for (const std::uint8_t byte : devices_)
        bits += static_cast<std::size_t>(std::popcount(byte));
    const auto time = [](UnixNanos ns) {
        return ns == 0 || ns == UINT64_MAX ? std::string("any") : format_time(ns);
    };
    return std::to_string(records_) + " records, kinds " + std::to_string(kinds_) + ", times " +
           time(first_event_ns_) + " to " + time(last_event_ns_) + ", " +
           ((flags_ & any_device) != 0 ? "any device" : std::to_string(bits) + " bits of devices");
}

bool Zone::may_hold(UnixNanos since_ns, UnixNanos until_ns,
                    std::optional<std::uint64_t> device) const {
    if (last_event_ns_ < since_ns || first_event_ns_ >= until_ns)
        return false;
    if (!device || (flags_ & any_device) != 0)
        return true;
    const auto bits = bits_of(*device);
    return std::all_of(bits.begin(), bits.end(), [this](std::size_t bit) {
        return (devices_[bit / 8] & (1U << (bit % 8))) != 0;
    });
}

std::array<std::uint8_t, Zone::encoded_bytes> Zone::encode() const {
    std::array<std::uint8_t, encoded_bytes> out{};
    store_le(&out[0], first_event_ns_);
    store_le(&out[8], last_event_ns_);
    out[16] = kinds_;
    out[17] = flags_;
    store_le(&out[18], records_);
    std::copy(devices_.begin(), devices_.end(), &out[24]);
    store_le(&out[check_at], check_of(out));
    return out;
}

std::optional<Zone> Zone::decode(ByteView bytes) {
    if (bytes.size() != encoded_bytes)
        return std::nullopt;
    const auto check = load_le<std::uint32_t>(&bytes[check_at]);
    if (check != 0 && check != check_of(bytes))
        return std::nullopt;
    Zone out;
    out.first_event_ns_ = load_le<std::uint64_t>(&bytes[0]);
    out.last_event_ns_ = load_le<std::uint64_t>(&bytes[8]);
    out.kinds_ = bytes[16];
    out.flags_ = bytes[17];
    out.records_ = load_le<std::uint16_t>(&bytes[18]);
    std::copy_n(&bytes[24], out.devices_.size(), out.devices_.begin());
    return out;
}

}  // namespace amoskys::wal
