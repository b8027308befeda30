#include "modules/collectors/snmp/profile.h"

#include <algorithm>

#include "core/base/text.h"

namespace amoskys::snmp {

std::size_t Profile::stored_metrics() const {
    const auto stored = [](const std::vector<Metric>& metrics) {
        return static_cast<std::size_t>(std::ranges::count(metrics, true, &Metric::stored));
    };
    std::size_t count = stored(scalars);
    for (const Table& table : tables)
        count += stored(table.columns);
    return count;
}

Result<std::shared_ptr<const Profile>> find_profile(std::string_view name) {
    std::vector<std::string_view> known;
    for (const EmbeddedProfile& embedded : embedded_profiles()) {
        if (embedded.name == name) {
            AMOSKYS_TRY(profile,
                        parse_profile(embedded.yaml, "conf/snmp/" + std::string(name) + ".yaml"));
            return std::make_shared<const Profile>(std::move(profile));
        }
        known.push_back(embedded.name);
    }
    std::string all;
    for (const std::string_view one : known)
        all += (all.empty() ? "" : ", ") + std::string(one);
    const std::string_view near = nearest(name, known);
    return make_error(
        ErrorKind::config, "snmp_unknown_profile",
        "agent.snmp.profile: " + printable(name) + ": no such profile; there are: " + all,
        near.empty() ? "" : "did you mean " + std::string(near) + "?");
}

}  // namespace amoskys::snmp
