#include "core/config/earlier_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/base/text.h"
#include "core/log/log.h"

namespace amoskys::config {
namespace {

constexpr std::array<EarlierName, 24> table{{
    {"LOGLEVEL", "log.level", EarlierForm::log_level},
    {"BUS_SERVER_PORT", "bus.listen", EarlierForm::loopback_port},
    {"BUS_OVERLOAD", "bus.overload", EarlierForm::boolean},
    {"BUS_MAX_INFLIGHT", "bus.max_inflight"},
    {"BUS_HARD_MAX", "bus.hard_max_inflight"},
    {"BUS_MAX_ENV_BYTES", "bus.max_envelope_bytes"},
    {"BUS_DEDUPE_TTL_SEC", "bus.dedup_window", EarlierForm::seconds},
    {"BUS_DEDUPE_MAX", "bus.dedup_keys"},
    {"BUS_METRICS_PORT_1", "bus.http.further_listen", EarlierForm::further_port},
    {"BUS_METRICS_PORT_2", "bus.http.further_listen", EarlierForm::further_port},
    {"BUS_HEALTH_PORT", "bus.http.further_listen", EarlierForm::further_port},
    {"BUS_METRICS_DISABLE", "bus.http.metrics", EarlierForm::not_boolean},
    {"IS_CERT_DIR", "agent.pki_dir"},
    {"IS_WAL_PATH", "agent.spool_dir", EarlierForm::parent_directory},
    {"IS_WAL_DIR", "agent.spool_dir"},
    {"IS_MAX_WAL_BYTES", "agent.spool_max_bytes"},
    {"IS_BUS_ADDRESS", "agent.bus"},
    {"IS_MAX_ENV_BYTES", "agent.max_envelope_bytes"},
    {"IS_SEND_RATE", "agent.send_rate"},
    {"IS_RETRY_MAX", "agent.retry_max"},
    {"IS_RETRY_TIMEOUT", "agent.retry_timeout", EarlierForm::seconds},
    // One listener serves both paths: the metrics port wins where both are set.
    {"IS_HEALTH_PORT", "agent.http_listen", EarlierForm::loopback_port},
    {"IS_METRICS_PORT", "agent.http_listen", EarlierForm::loopback_port},
    {"IS_DATA_DIR", "state_dir"},
}};

Error bad_value(std::string_view value, std::string_view allowed) {
    return make_error(ErrorKind::config, "config_bad_value",
                      "\"" + printable(value) + "\" is not " + std::string(allowed));
}

Result<std::string> translate_port(std::string_view value) {
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), port);
    if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size())
        return bad_value(value, "a port; allowed are 0 to 65535");
    // The earlier system listened on all addresses; ours goes beyond loopback only when told to.
    return "127.0.0.1:" + std::to_string(port);
}

Result<std::string> translate_seconds(std::string_view value) {
    double seconds = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() ||
        !(seconds >= 0 && seconds <= 1e9))
        return bad_value(value, "a number of seconds");
    return std::to_string(std::llround(seconds * 1e3)) + "ms";
}

Result<std::string> translate_level(std::string_view value) {
    AMOSKYS_TRY(level, log::parse_level(value));
    constexpr std::array<std::string_view, 5> names{"debug", "info", "warning", "error", "off"};
    return std::string(names[static_cast<std::size_t>(level)]);
}

bool truthy(std::string_view value) {
    std::string lower(value);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return lower == "1" || lower == "true" || lower == "on" || lower == "yes";
}

}  // namespace

std::span<const EarlierName> earlier_names() {
    return table;
}

Result<std::string> translate_earlier(const EarlierName& name, std::string_view value) {
    const std::string_view text = trim(value);
    switch (name.form) {
        case EarlierForm::same:
            break;
        case EarlierForm::boolean:
            return std::string(truthy(text) ? "true" : "false");
        case EarlierForm::not_boolean:
            return std::string(truthy(text) ? "false" : "true");
        case EarlierForm::loopback_port:
        case EarlierForm::further_port:
            return translate_port(text);
        case EarlierForm::seconds:
            return translate_seconds(text);
        case EarlierForm::parent_directory: {
            const auto parent = std::filesystem::path(text).parent_path().string();
            return parent.empty() ? std::string(".") : parent;
        }
        case EarlierForm::log_level:
            return translate_level(text);
    }
    return std::string(text);
}

}  // namespace amoskys::config
