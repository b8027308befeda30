#include "modules/collectors/snmp/identity.h"

#include <algorithm>
#include <map>

#include "core/base/text.h"
#include "modules/collectors/snmp/text_form.h"

namespace amoskys::snmp {
namespace {

constexpr std::size_t max_identity_bytes = 256;
constexpr std::int64_t class_chassis = 3, class_backplane = 4, class_stack = 11;

std::string text_of(const Value& value) {
    const auto* raw = std::get_if<std::string>(&value.data);
    if (!raw || value.type != Type::octets)
        return "";
    std::string text = to_utf8(std::string_view(*raw).substr(0, max_identity_bytes));
    std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
    const std::string_view bare = trim(text);
    return bare.starts_with('"') ? std::string(trim(bare.substr(1))) : std::string(bare);
}

// One row of entPhysicalTable.
struct Entity {
    std::int64_t kind = 0;  // entPhysicalClass; 0 = not sent
    std::string firmware, software, serial, manufacturer, model;
};

std::map<Oid, Entity> entities(const Profile& profile, const PollResult& result) {
    std::map<Oid, Entity> out;
    constexpr std::pair<std::string_view, std::string Entity::*> fields[] = {
        {"entPhysicalFirmwareRev", &Entity::firmware},
        {"entPhysicalSoftwareRev", &Entity::software},
        {"entPhysicalSerialNum", &Entity::serial},
        {"entPhysicalMfgName", &Entity::manufacturer},
        {"entPhysicalModelName", &Entity::model}};
    for (std::size_t t = 0; t < profile.tables.size(); ++t)
        for (std::size_t c = 0; c < profile.tables[t].columns.size(); ++c) {
            const std::string& name = profile.tables[t].columns[c].name;
            const auto field =
                std::ranges::find(fields, name, [](const auto& one) { return one.first; });
            for (const auto& [index, value] : result.tables[t][c])
                if (field != std::end(fields))
                    out[index].*field->second = text_of(value);
                else if (const auto* kind = std::get_if<std::int64_t>(&value.data))
                    out[index].kind = *kind;
        }
    return out;
}

// The part that stands for the whole: the chassis, or what else names a model.
const Entity* main_entity(const std::map<Oid, Entity>& all) {
    for (const std::int64_t kind : {class_chassis, class_stack, class_backplane, std::int64_t{0}})
        for (const auto& [index, one] : all)
            if (one.kind == kind && !one.model.empty())
                return &one;
    return nullptr;
}

void keep(std::string& out, const std::string& value) {
    if (out.empty())
        out = value;
}

std::string Identity::*field_of(std::string_view name) {
    return name == "manufacturer" ? &Identity::manufacturer
           : name == "model"      ? &Identity::model
           : name == "firmware"   ? &Identity::firmware
                                  : &Identity::serial;
}

}  // namespace

std::string cut_out(const Cut& cut, std::string_view text) {
    if (cut.last) {
        if (text.find(cut.after) == text.npos)
            return "";
        const auto blank = text.find_last_of(' ');
        return std::string(blank == text.npos ? text : text.substr(blank + 1));
    }
    const auto begin = text.find(cut.after);
    if (begin == text.npos)
        return "";
    text.remove_prefix(begin + cut.after.size());
    for (std::size_t i = 0; i < cut.skip; ++i) {
        const auto end = text.find(cut.until);
        if (end == text.npos)
            return "";
        text.remove_prefix(end + cut.until.size());
    }
    return std::string(trim(cut.until.empty() ? text : text.substr(0, text.find(cut.until))));
}

Identity identify(const Profile& profile, const PollResult& result) {
    Identity out;
    std::string descr;
    for (std::size_t i = 0; i < profile.scalars.size(); ++i) {
        const Metric& metric = profile.scalars[i];
        if (metric.name == "sysObjectID")
            if (const auto* oid = std::get_if<Oid>(&result.scalars[i].data))
                out.object_id = *oid;
        const std::string text = text_of(result.scalars[i]);
        if (metric.name == "sysDescr")
            descr = text;
        if (text.empty() || metric.identity.empty())
            continue;
        keep(out.*field_of(metric.identity), text);
        if (!metric.vendor.empty())
            keep(out.manufacturer, metric.vendor);
    }
    const auto parts = entities(profile, result);
    if (const Entity* one = main_entity(parts)) {
        // A model of another maker's scalars is not mixed with the chassis' maker.
        if (out.model.empty())
            keep(out.manufacturer, one->manufacturer);
        keep(out.model, one->model);
        keep(out.serial, one->serial);
        keep(out.firmware, one->software.empty() ? one->firmware : one->software);
    }
    const Vendor* vendor = nullptr;
    for (const Vendor& one : profile.vendors)
        if (starts_with(out.object_id, one.oid) && (!vendor || one.oid.size() > vendor->oid.size()))
            vendor = &one;
    if (vendor) {
        keep(out.manufacturer, vendor->name);
        for (const auto& [field, cut] : vendor->cuts)
            if (std::string& value = out.*field_of(field); value.empty())
                value = cut_out(cut, descr);
    }
    return out;
}

}  // namespace amoskys::snmp
