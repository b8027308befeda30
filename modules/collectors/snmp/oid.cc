#include "modules/collectors/snmp/oid.h"

#include <algorithm>
#include <charconv>

namespace amoskys::snmp {

std::optional<Oid> parse_oid(std::string_view text) {
    if (text.starts_with('.'))
        text.remove_prefix(1);
    Oid oid;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        std::uint32_t arc = 0;
        const auto [next, error] = std::from_chars(at, end, arc);
        if (error != std::errc() || oid.size() == max_oid_arcs)
            return std::nullopt;
        oid.push_back(arc);
        at = next;
        if (at == end)
            return oid;
        if (*at != '.')
            return std::nullopt;
        ++at;
    }
    return std::nullopt;
}

std::string format_oid(std::span<const std::uint32_t> oid) {
    std::string text;
    for (const std::uint32_t arc : oid) {
        if (!text.empty())
            text += '.';
        text += std::to_string(arc);
    }
    return text;
}

bool starts_with(const Oid& oid, const Oid& prefix) {
    return oid.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), oid.begin());
}

}  // namespace amoskys::snmp
