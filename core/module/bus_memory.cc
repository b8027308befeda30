#include "core/module/bus_memory.h"

#include <algorithm>
#include <tuple>

#include "core/crypto/signing.h"
#include "core/json/json.h"

namespace amoskys::module {
namespace {

constexpr std::string_view bus_prefix = "bus/", pin_prefix = "pin/";
constexpr std::size_t buses_max = 32;
constexpr std::size_t receipts_max = 2;

Error broken(const std::string& key) {
    return make_error(ErrorKind::bad_data, "spool_state",
                      "the spool's state " + key + " cannot be read",
                      "move the spool's folder away; the lane goes on in a new epoch");
}

Bytes hex_of(const Json& object, const char* name) {
    Bytes out;
    if (!from_hex(object.at(name).get<std::string>(), out))
        out.clear();
    return out;
}

KnownBus decode_bus(const Json& from, std::string id) {
    KnownBus bus;
    bus.id = std::move(id);
    bus.address = from.at("address").get<std::string>();
    bus.origin = from.at("origin").get<std::string>();
    bus.log_key = hex_of(from, "log_key");
    bus.seen_ns = from.at("seen").get<std::uint64_t>();
    bus.epoch.value = from.at("epoch").get<std::uint64_t>();
    bus.sequence.value = from.at("sequence").get<std::uint64_t>();
    bus.signature = hex_of(from, "signature");
    for (const Json& each : from.at("receipts")) {
        Bytes bytes;
        amoskys::bus::Receipt receipt;
        if (from_hex(each.get<std::string>(), bytes) &&
            receipt.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
            bus.receipts.size() < receipts_max)
            bus.receipts.push_back(std::move(receipt));
    }
    return bus;
}

std::string key_text(const Bytes& key) {
    if (key.empty())
        return "none";
    PublicKey raw{};
    std::copy_n(key.begin(), std::min(key.size(), raw.size()), raw.begin());
    return crypto::key_id(raw);
}

wal::StateUpdate pin_state(const std::string& address, const Bytes& key, UnixNanos since_ns) {
    const Json object = {{"log_key", to_hex(key)}, {"since", since_ns}};
    return {std::string(pin_prefix) + address, json::dump(object)};
}

}  // namespace

std::optional<Promise> promise_of(const KnownBus& bus) {
    std::optional<Promise> out;
    if (bus.epoch.value != 0)
        out = Promise{bus.epoch, bus.sequence, {}, 0};
    for (const auto& receipt : bus.receipts) {
        const Promise signed_one{{receipt.epoch()},
                                 {receipt.last_sequence()},
                                 to_bytes(as_bytes(receipt.head_digest())),
                                 receipt.time_ns()};
        if (!out ||
            std::tie(signed_one.epoch, signed_one.sequence) >= std::tie(out->epoch, out->sequence))
            out = signed_one;
    }
    return out;
}

Result<> BusMemory::load(wal::Log& log) {
    std::string key;
    try {
        AMOSKYS_TRY(buses, log.states(bus_prefix));
        for (const auto& each : buses) {
            key = each.key;
            if (each.value.empty())
                continue;
            AMOSKYS_TRY(from, json::parse(each.value, "spool state"));
            const std::string id = key.substr(bus_prefix.size());
            buses_[id] = decode_bus(from, id);
        }
        AMOSKYS_TRY(pins, log.states(pin_prefix));
        for (const auto& each : pins) {
            key = each.key;
            if (each.value.empty())
                continue;
            AMOSKYS_TRY(from, json::parse(each.value, "spool state"));
            pins_[key.substr(pin_prefix.size())] = {hex_of(from, "log_key"),
                                                    from.at("since").get<std::uint64_t>()};
        }
    } catch (const Json::exception&) {
        return broken(key);
    }
    return {};
}

Result<KnownBus*> BusMemory::meet(const Greeting& greeting, std::span<const PublicKey> allowed) {
    const auto pinned = pins_.find(greeting.address);
    const auto same = [&](const PublicKey& key) {
        return std::ranges::equal(key, greeting.log_key);
    };
    if (!allowed.empty()) {
        if (std::ranges::none_of(allowed, same))
            return make_error(ErrorKind::permission, "bus_log_key",
                              "bus " + greeting.address + " shows the log key " +
                                  key_text(greeting.log_key) +
                                  ", which agent.log_keys does not name",
                              "name the file with the bus's pki/log.pub there");
    } else if (pinned != pins_.end() && !pinned->second.log_key.empty() &&
               pinned->second.log_key != greeting.log_key) {
        return make_error(
            ErrorKind::permission, "bus_log_key",
            "bus " + greeting.address + " shows the log key " + key_text(greeting.log_key) +
                "; since " + format_time(pinned->second.since_ns) + " it was " +
                key_text(pinned->second.log_key) + ": another log, or another bus",
            "if its log key was changed on purpose, name the file with its new pki/log.pub in "
            "agent.log_keys");
    }
    if (pinned == pins_.end() || pinned->second.log_key != greeting.log_key) {
        pins_[greeting.address] = {greeting.log_key, greeting.now_ns};
        changes_.push_back(pin_state(greeting.address, greeting.log_key, greeting.now_ns));
    }
    // Two buses may have been given copies of one key: the address tells them apart.
    const std::string id = key_text(greeting.log_key) + "@" + greeting.address;
    KnownBus& bus = buses_[id];
    bus.id = id;
    bus.address = greeting.address;
    bus.origin = greeting.origin;
    bus.log_key = greeting.log_key;
    bus.seen_ns = std::max(bus.seen_ns + 1, greeting.now_ns);
    changes_.push_back(state(bus));
    forget_oldest(id, greeting.address);
    return &bus;
}

// Not the one that has just greeted, whatever its clock says.
void BusMemory::forget_oldest(const std::string& id, const std::string& address) {
    if (buses_.size() > buses_max) {
        const auto oldest = std::ranges::min_element(buses_, {}, [&](const auto& entry) {
            return entry.first == id ? UINT64_MAX : entry.second.seen_ns;
        });
        changes_.push_back({std::string(bus_prefix) + oldest->first, ""});
        buses_.erase(oldest);
    }
    if (pins_.size() > buses_max) {
        const auto oldest = std::ranges::min_element(pins_, {}, [&](const auto& entry) {
            return entry.first == address ? UINT64_MAX : entry.second.since_ns;
        });
        changes_.push_back({std::string(pin_prefix) + oldest->first, ""});
        pins_.erase(oldest);
    }
}

void BusMemory::keep(KnownBus& bus, const amoskys::bus::Receipt& receipt) {
    bus.receipts.insert(bus.receipts.begin(), receipt);
    if (bus.receipts.size() > receipts_max)
        bus.receipts.resize(receipts_max);
}

wal::StateUpdate BusMemory::state(const KnownBus& bus) {
    Json receipts = Json::array();
    for (const auto& each : bus.receipts)
        receipts.push_back(to_hex(as_bytes(each.SerializeAsString())));
    const Json object = {{"address", bus.address},
                         {"log_key", to_hex(bus.log_key)},
                         {"origin", bus.origin},
                         {"seen", bus.seen_ns},
                         {"epoch", bus.epoch.value},
                         {"sequence", bus.sequence.value},
                         {"signature", to_hex(bus.signature)},
                         {"receipts", receipts}};
    return {std::string(bus_prefix) + bus.id, json::dump(object)};
}

std::vector<wal::StateUpdate> BusMemory::take_changes() {
    return std::exchange(changes_, {});
}

}  // namespace amoskys::module
