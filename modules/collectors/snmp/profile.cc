#include "modules/collectors/snmp/profile.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "core/base/file.h"
#include "core/base/text.h"

namespace amoskys::snmp {
namespace {

bool plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
}

std::set<std::string> all_names(const std::string& folder) {
    std::set<std::string> names;
    for (const EmbeddedFile& embedded : embedded_profiles())
        names.emplace(profile_name(embedded));
    std::error_code ignored;
    if (!folder.empty())
        for (const auto& entry : fs::directory_iterator(folder, ignored))
            if (entry.path().extension() == ".yaml")
                names.insert(entry.path().stem());
    return names;
}

Error unknown(std::string_view name, const std::string& folder) {
    const std::set<std::string> names = all_names(folder);
    std::string all;
    for (const std::string& one : names)
        all += (all.empty() ? "" : ", ") + printable(one);
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string_view near = nearest(name, views);
    return make_error(
        ErrorKind::config, "snmp_unknown_profile",
        "agent.snmp.profile: " + printable(name) + ": no such profile; there are: " + all,
        near.empty() ? "" : "did you mean " + std::string(near) + "?");
}

Result<Profile> load(std::string_view name, const std::string& folder) {
    if (!plain_name(name))
        return unknown(name, folder);
    if (!folder.empty()) {
        const fs::path path = fs::path(folder) / (std::string(name) + ".yaml");
        std::error_code ignored;
        if (fs::exists(path, ignored)) {
            AMOSKYS_TRY(text, read_file(path, max_profile_bytes));
            return parse_profile(text, path.string());
        }
    }
    for (const EmbeddedFile& embedded : embedded_profiles())
        if (profile_name(embedded) == name)
            return parse_profile(embedded.content, "conf/snmp/" + std::string(embedded.name));
    return unknown(name, folder);
}

// Adds what `into` does not have yet.
class Merge {
  public:
    Merge(Profile& into, const std::string& folder) : into_(into), folder_(folder) {}

    Result<> add(std::string_view name) {
        if (!names_.insert(std::string(name)).second)
            return {};
        AMOSKYS_TRY(profile, load(name, folder_));
        for (const std::string& included : profile.includes)
            AMOSKYS_TRY_VOID(add(included));
        for (Metric& metric : profile.scalars)
            if (metrics_.insert(metric.name).second)
                into_.scalars.push_back(std::move(metric));
        std::ranges::move(profile.vendors, std::back_inserter(into_.vendors));
        for (Derived& value : profile.derived)
            if (metrics_.insert(value.name).second)
                into_.derived.push_back(std::move(value));
        for (Table& table : profile.tables)
            add_table(std::move(table));
        if (into_.summary.empty())
            into_.summary = std::move(profile.summary);
        return {};
    }

  private:
    // A table whose columns are all known is left out; one with a column that is known elsewhere
    // keeps it under its own table, as its labels may need it.
    void add_table(Table table) {
        const bool known = std::ranges::all_of(
            table.columns, [this](const Metric& m) { return metrics_.contains(m.name); });
        if (known)
            return;
        for (Metric& column : table.columns)
            if (!metrics_.insert(column.name).second)
                column.stored = false;
        std::erase_if(table.derived,
                      [this](const Derived& d) { return !metrics_.insert(d.name).second; });
        into_.tables.push_back(std::move(table));
    }

    Profile& into_;
    const std::string& folder_;
    std::set<std::string> names_, metrics_;
};

}  // namespace

std::string_view profile_name(const EmbeddedFile& profile) {
    return profile.name.substr(0, profile.name.rfind('.'));
}

std::size_t Profile::stored_metrics() const {
    const auto stored = [](const std::vector<Metric>& metrics) {
        return static_cast<std::size_t>(std::ranges::count(metrics, true, &Metric::stored));
    };
    std::size_t count = stored(scalars);
    for (const Table& table : tables)
        count += stored(table.columns);
    return count;
}

Result<> resolve(const std::vector<Metric>& metrics, std::vector<Derived>& derived) {
    for (std::size_t i = 0; i < derived.size(); ++i) {
        Derived& one = derived[i];
        const auto find = [&](const std::string& name, std::size_t& out) -> Result<> {
            out = Derived::none;
            if (name.empty())
                return {};
            const auto metric = std::ranges::find(metrics, name, &Metric::name);
            const auto before = derived.begin() + static_cast<std::ptrdiff_t>(i);
            const auto value = std::find_if(derived.begin(), before,
                                            [&](const Derived& d) { return d.name == name; });
            if (metric != metrics.end())
                out = static_cast<std::size_t>(metric - metrics.begin());
            else if (value != before)
                out = metrics.size() + static_cast<std::size_t>(value - derived.begin());
            else
                return make_error(ErrorKind::config, "snmp_profile_invalid",
                                  "derived value " + printable(one.name) + ": input " +
                                      printable(name) + ": no metric before it has that name");
            return {};
        };
        one.inputs_at.resize(one.inputs.size());
        for (std::size_t k = 0; k < one.inputs.size(); ++k)
            AMOSKYS_TRY_VOID(find(one.inputs[k], one.inputs_at[k]));
        AMOSKYS_TRY_VOID(find(one.limit, one.limit_at));
        AMOSKYS_TRY_VOID(find(one.discontinuity, one.discontinuity_at));
    }
    return {};
}

Result<std::vector<std::pair<Oid, std::string>>> vendor_profiles(const std::string& folder) {
    std::vector<std::pair<Oid, std::string>> out;
    for (const std::string& name : all_names(folder)) {
        AMOSKYS_TRY(profile, load(name, folder));
        for (Oid& oid : profile.match)
            out.emplace_back(std::move(oid), name);
    }
    return out;
}

Result<std::shared_ptr<const Profile>> find_profile(std::string_view names,
                                                    const std::string& folder) {
    auto profile = std::make_shared<Profile>();
    profile->name = names;
    Merge merge(*profile, folder);
    for (const std::string_view name : split(names, '+'))
        AMOSKYS_TRY_VOID(merge.add(trim(name)));
    AMOSKYS_TRY_VOID(resolve(profile->scalars, profile->derived));
    for (Table& table : profile->tables)
        AMOSKYS_TRY_VOID(resolve(table.columns, table.derived));
    return std::shared_ptr<const Profile>(std::move(profile));
}

}  // namespace amoskys::snmp
