#include "modules/transformation/etl/baseline_file.h"

#include <cmath>

#include "core/base/file.h"
#include "core/base/text.h"

namespace amoskys::etl {
namespace {

constexpr std::uint64_t metadata_bytes_max = 1ULL << 30;

struct Field {
    const char* name;
    double module::Baseline::*value;
};
constexpr Field fields[] = {
    {"min", &module::Baseline::min},           {"max", &module::Baseline::max},
    {"mean", &module::Baseline::mean},         {"std", &module::Baseline::std},
    {"step_std", &module::Baseline::step_std}, {"interval_s", &module::Baseline::interval_s}};

bool read_baseline(const Json& saved, module::Baseline& out) {
    if (!saved.is_object() || !saved.contains("count") || !saved["count"].is_number_unsigned())
        return false;
    out.count = saved["count"].get<std::uint64_t>();
    for (const Field& field : fields) {
        if (!saved.contains(field.name) || !saved[field.name].is_number())
            return false;
        out.*field.value = saved[field.name].get<double>();
        if (!std::isfinite(out.*field.value))
            return false;
    }
    return out.count > 0 && out.max >= out.min && out.std >= 0 && out.step_std >= 0 &&
           out.interval_s >= 0;
}

}  // namespace

Json to_json(const Baselines& baselines) {
    Json out = Json::object();
    for (const auto& [device, metrics] : baselines) {
        Json& of_device = out[device] = Json::object();
        for (const auto& [metric, baseline] : metrics) {
            Json& one = of_device[metric] = {{"count", baseline.count}};
            for (const Field& field : fields)
                one[field.name] = baseline.*field.value;
        }
    }
    return out;
}

Result<Baselines> baselines_from_json(const Json& saved, const std::string& where) {
    const auto bad = [&where](const std::string& what) {
        return make_error(ErrorKind::bad_data, "baselines", where + ": " + what,
                          "name the feature_metadata.json of an earlier run");
    };
    if (!saved.is_object())
        return bad("there are no baselines in it");
    Baselines out;
    for (const auto& [device, metrics] : saved.items()) {
        if (!metrics.is_object())
            return bad("the baselines of " + printable(device) + " are no object");
        DeviceBaselines& of_device = out[device];
        for (const auto& [metric, one] : metrics.items())
            if (!read_baseline(one, of_device[metric]))
                return bad("the baseline of " + printable(device) + ", " + printable(metric) +
                           " is damaged");
    }
    return out;
}

Result<Baselines> read_baselines(const std::filesystem::path& metadata) {
    AMOSKYS_TRY(text, read_file(metadata, metadata_bytes_max));
    AMOSKYS_TRY(saved, json::parse(text, metadata.string()));
    const bool has = saved.is_object() && saved.contains("baselines");
    return baselines_from_json(has ? saved["baselines"] : Json(), metadata.string());
}

}  // namespace amoskys::etl
