#include "modules/transformation/etl/report.h"

#include <algorithm>
#include <array>

namespace amoskys::etl {
namespace {

constexpr std::size_t named_devices = 20;

double percent(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::array<std::uint64_t, 3> rows_of_parts(const FeatureStore& store) {
    std::array<std::uint64_t, 3> rows{};
    for (const Slice& slice : store.slices())
        for (const Part part : slice.parts)
            ++rows[static_cast<std::size_t>(part)];
    return rows;
}

Json statistics_json(const ColumnQuality& q) {
    Json out = {{"count", q.count}, {"missing", q.missing}};
    if (q.count > 0)
        out.update({{"mean", q.mean},
                    {"std", q.std},
                    {"min", q.min},
                    {"q25", q.q25},
                    {"median", q.median},
                    {"q75", q.q75},
                    {"max", q.max}});
    return out;
}

Json optional_number(const std::optional<double>& value) {
    return value ? Json(*value) : Json();
}

struct Findings {
    std::uint64_t missing = 0, outliers = 0, zero_variance = 0, drifted = 0;
};

Findings findings_of(const RunReport& report) {
    Findings out;
    for (const module::ColumnId id : report.layout.order) {
        const ColumnQuality& q = report.quality[id];
        out.missing += q.missing > 0 ? 1 : 0;
        out.outliers += q.outliers > 0 ? 1 : 0;
        out.zero_variance += q.zero_variance ? 1 : 0;
        out.drifted += q.drifted() ? 1 : 0;
    }
    return out;
}

Json time_json(const RunReport& report) {
    std::vector<DeviceWindows> devices = device_windows(report.store, report.facts.step);
    DeviceWindows all;
    for (const DeviceWindows& device : devices) {
        all.windows += device.windows;
        all.expected += device.expected;
        all.gaps += device.gaps;
        all.longest_gap = std::max(all.longest_gap, device.longest_gap);
    }
    const auto fields = [](const DeviceWindows& d) {
        return Json{{"windows", d.windows},
                    {"expected", d.expected},
                    {"coverage_percent", percent(d.windows, d.expected)},
                    {"gaps", d.gaps},
                    {"longest_gap", format_duration(d.longest_gap)}};
    };
    Json out = fields(all);
    std::stable_sort(devices.begin(), devices.end(), [](const auto& a, const auto& b) {
        return percent(a.windows, a.expected) < percent(b.windows, b.expected);
    });
    Json worst = Json::array();
    for (const DeviceWindows& device : devices) {
        if (device.gaps == 0 || worst.size() == named_devices)
            break;
        Json entry = {{"device", std::string(device.device)}};
        entry.update(fields(device));
        worst.push_back(std::move(entry));
    }
    out["devices_with_gaps"] = std::move(worst);
    return out;
}

Json findings_json(const RunReport& report) {
    const Findings found = findings_of(report);
    return {{"features_with_missing", found.missing},
            {"features_with_outliers", found.outliers},
            {"zero_variance_features", found.zero_variance},
            {"drifted_features", found.drifted}};
}

Json files_json(const RunReport& report) {
    Json out = Json::object();
    for (const ExportedTable& table : report.tables) {
        const std::string key = table.name == full_name    ? "full"
                                : table.name == train_name ? "train"
                                                           : "val";
        if (report.files.csv)
            out[key + "_csv"] = table_path(report.files, table.name, "csv").string();
        if (report.files.parquet)
            out[key + "_parquet"] = table_path(report.files, table.name, "parquet").string();
    }
    for (const std::string_view name : report.pictures)
        out[std::string(name.substr(0, name.find('.')))] = (report.files.folder / name).string();
    out["quality_file"] = (report.files.folder / quality_name).string();
    out["metadata_file"] = (report.files.folder / metadata_name).string();
    out["summary_file"] = (report.files.folder / summary_name).string();
    return out;
}

}  // namespace

Json metadata_json(const RunReport& report) {
    Json columns = Json::array();
    for (const table::Field& field : schema_of(report.layout).fields) {
        Json column = {{"name", field.name},
                       {"dtype", table::type_name(field.type)},
                       {"unit", field.unit},
                       {"stage", field.stage}};
        if (field.type == table::Type::float64) {
            const module::ColumnId id = report.layout.order[columns.size() - 3];
            column["metric"] = report.layout.columns[id].metric;
            column["formula"] = field.formula;
            column["statistics"] = statistics_json(report.quality[id]);
        } else {
            column["formula"] = field.formula;
        }
        columns.push_back(std::move(column));
    }
    Json out = {{"schema", "amoskys.feature_metadata/1"},
                {"table", report.files.csv ? std::string(full_name) + ".csv"
                                           : std::string(full_name) + ".parquet"},
                {"rows", report.store.rows()},
                {"windows", report.facts.windows},
                {"fill", report.facts.fill},
                {"columns", std::move(columns)}};
    if (!report.facts.preprocessing.is_null())
        out["preprocessing"] = report.facts.preprocessing;
    if (!report.facts.baselines.is_null())
        out["baselines"] = report.facts.baselines;
    return out;
}

Json quality_json(const RunReport& report) {
    const auto parts = rows_of_parts(report.store);
    Json columns = Json::array();
    for (const module::ColumnId id : report.layout.order) {
        const ColumnQuality& q = report.quality[id];
        const std::uint64_t rows = q.count + q.missing;
        columns.push_back({{"feature", report.layout.columns[id].name},
                           {"missing_percent", percent(q.missing, rows)},
                           {"outliers", q.outliers},
                           {"outlier_percent", percent(q.outliers, q.count)},
                           {"zero_variance", q.zero_variance},
                           {"psi", optional_number(q.psi)},
                           {"ks", optional_number(q.ks)},
                           {"drifted", q.drifted()}});
    }
    return {{"schema", "amoskys.quality_report/1"},
            {"rows", report.store.rows()},
            {"train_rows", parts[0]},
            {"val_rows", parts[1]},
            {"embargo_rows", parts[2]},
            {"features", report.layout.order.size()},
            {"findings", findings_json(report)},
            {"time", time_json(report)},
            {"rules",
             {{"outlier", "3 (q75 - q25) below q25 or above q75 of the training part"},
              {"drifted",
               "psi of the validation part against the training part is at least 0.2; never "
               "calendar features"},
              {"psi", "population stability index over the training part's tenths"},
              {"ks", "largest distance of the two cumulative distributions"},
              {"sample", "quartiles, psi and ks are of at most 2048 values of each part"}}},
            {"columns", std::move(columns)}};
}

Json summary_json(const RunReport& report) {
    const RunFacts& facts = report.facts;
    const CanonicalCounts& counts = facts.counts;
    const auto parts = rows_of_parts(report.store);
    const double span_hours =
        counts.samples == 0 ? 0 : static_cast<double>(facts.last_ns - facts.first_ns) / 3.6e12;
    return {{"schema", "amoskys.pipeline_summary/1"},
            {"pipeline_version", "amoskys " AMOSKYS_PIPELINE_VERSION},
            {"execution_date", json::time(facts.now_ns)},
            {"status", "SUCCESS"},
            {"data_source", facts.source},
            {"rows", report.store.rows()},
            {"input_samples", counts.samples - counts.duplicates},
            {"train_samples", parts[0]},
            {"val_samples", parts[1]},
            {"total_features", report.layout.order.size()},
            {"numeric_features", report.layout.order.size()},
            {"categorical_features", 1},
            {"devices", facts.devices},
            {"metrics", facts.metrics},
            {"first_time", counts.samples == 0 ? Json() : json::time(facts.first_ns)},
            {"last_time", json::time(facts.last_ns)},
            {"time_span_hours", span_hours},
            {"windows", facts.windows},
            {"fill", facts.fill},
            {"samples",
             {{"used", counts.samples - counts.duplicates},
              {"filled", facts.filled},
              {"duplicates", counts.duplicates},
              {"texts", counts.texts},
              {"not_finite", counts.not_finite},
              {"late", counts.late},
              {"ahead_of_reception", counts.ahead},
              {"counter_starts", counts.counter_starts},
              {"counter_resets", counts.counter_resets},
              {"counter_wraps", counts.counter_wraps},
              {"processes", counts.processes},
              {"flows", counts.flows},
              {"legacy_heartbeats", counts.legacy}}},
            {"quality", findings_json(report)},
            {"output_files", files_json(report)}};
}

}  // namespace amoskys::etl
