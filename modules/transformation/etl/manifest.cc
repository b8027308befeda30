#include "modules/transformation/etl/manifest.h"

#include <charconv>

#include "modules/transformation/etl/baseline_file.h"

namespace amoskys::etl {
namespace {

constexpr std::string_view manifest_schema = "amoskys.etl_manifest/1";
constexpr std::uint64_t manifest_bytes_max = 1ULL << 30;

std::optional<Position> position_from_json(const Json& saved) {
    if (!saved.is_object())
        return std::nullopt;
    for (const char* key : {"mark", "filter", "state", "sha256"})
        if (!saved.contains(key) || !saved[key].is_string())
            return std::nullopt;
    if (!saved.contains("record") || !saved["record"].is_number_unsigned())
        return std::nullopt;
    return Position{saved["record"].get<std::uint64_t>(), saved["mark"].get<std::string>(),
                    saved["filter"].get<std::string>(), saved["state"].get<std::string>(),
                    saved["sha256"].get<std::string>()};
}

}  // namespace

Result<Manifest> load_manifest(const fs::path& file) {
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        return Manifest{};
    AMOSKYS_TRY(text, read_file(file, manifest_bytes_max));
    AMOSKYS_TRY(saved, json::parse(text, file.string()));
    return manifest_from_json(saved, file.string());
}

Json to_json(const Manifest& manifest) {
    Json devices = Json::object(), files = Json::array();
    for (const auto& [device, until_ns] : manifest.until)
        devices[device] = std::to_string(until_ns);
    for (const auto& [name, rows] : manifest.files)
        files.push_back({{"name", name}, {"rows", rows}});
    Json out = {{"schema", manifest_schema},     {"run", manifest.run},
                {"settings", manifest.settings}, {"devices", std::move(devices)},
                {"files", std::move(files)},     {"baselines", to_json(manifest.baselines)}};
    if (const auto& position = manifest.position)
        out["position"] = {{"record", position->record},
                           {"mark", position->mark},
                           {"filter", position->filter},
                           {"state", position->state},
                           {"sha256", position->sha256}};
    return out;
}

Result<Manifest> manifest_from_json(const Json& saved, const std::string& where) {
    const auto bad = [&where](const std::string& what) {
        return make_error(ErrorKind::bad_data, "etl_manifest", where + ": " + what,
                          "choose another folder with --out, or remove this one");
    };
    const auto is = [&saved](const char* key, auto&& test) {
        return saved.contains(key) && test(saved[key]);
    };
    const auto object = [](const Json& value) { return value.is_object(); };
    if (!saved.is_object() || !is("schema", [](const Json& v) { return v == manifest_schema; }) ||
        !is("run", [](const Json& v) { return v.is_number_unsigned(); }) ||
        !is("settings", object) || !is("devices", object) || !is("baselines", object) ||
        !is("files", [](const Json& v) { return v.is_array(); }))
        return bad("it is no manifest of etl --incremental");
    Manifest out;
    out.run = saved["run"].get<std::uint64_t>();
    out.settings = saved["settings"];
    for (const auto& [device, until] : saved["devices"].items()) {
        const std::string digits = until.is_string() ? until.get<std::string>() : "";
        const char* end = digits.data() + digits.size();
        const auto [at, fault] = std::from_chars(digits.data(), end, out.until[device]);
        if (digits.empty() || fault != std::errc() || at != end)
            return bad("the end of a device's windows is no number");
    }
    for (const Json& file : saved["files"]) {
        if (!file.is_object() || !file.contains("name") || !file["name"].is_string() ||
            !file.contains("rows") || !file["rows"].is_number_unsigned())
            return bad("a file is not named");
        out.files.emplace_back(file["name"].get<std::string>(), file["rows"].get<std::uint64_t>());
    }
    if (saved.contains("position")) {
        out.position = position_from_json(saved["position"]);
        if (!out.position)
            return bad("it has no position");
    }
    AMOSKYS_TRY(baselines, baselines_from_json(saved["baselines"], where));
    out.baselines = std::move(baselines);
    return out;
}

}  // namespace amoskys::etl
