// The verbs of `amoskys etl`.
#include "modules/transformation/etl/tool.h"

#include <algorithm>
#include <iostream>
#include <tuple>

#include "core/base/file.h"
#include "core/module/progress.h"
#include "modules/transformation/etl/baseline_file.h"
#include "modules/transformation/etl/follow.h"
#include "modules/transformation/etl/incremental.h"
#include "modules/transformation/etl/wal_source.h"

namespace amoskys::etl {
namespace {

constexpr Column feature_columns[] = {
    {.name = "feature"}, {.name = "unit"}, {.name = "stage"}, {.name = "formula"}};
constexpr Noun feature_noun = {"feature", feature_columns};

constexpr Column quality_columns[] = {
    {.name = "feature"},
    {.name = "missing_percent", .title = "MISSING %", .right = true},
    {.name = "outliers", .in_table = false, .right = true},
    {.name = "outlier_percent", .title = "OUTLIERS %", .right = true},
    {.name = "zero_variance"},
    {.name = "psi", .right = true},
    {.name = "ks", .right = true},
    {.name = "drifted"}};
constexpr Noun quality_noun = {"feature_quality", quality_columns};
constexpr std::uint64_t most_report_bytes = 256 << 20;

std::vector<const module::ExtractorKind*> extractors() {
    std::vector<const module::ExtractorKind*> out;
    for (const module::ModuleInfo* info : module::all_modules())
        if (info->kind == module::Kind::extractor)
            out.push_back(info->extractor);
    return out;
}

// What a person should know about the samples that are not in the table.
void tell(const Json& summary) {
    const Json& samples = summary["samples"];
    const auto count = [&samples](const char* key) { return samples[key].get<std::uint64_t>(); };
    if (count("used") == 0)
        std::cerr << "etl: 0 rows of metrics: the log has no metric events in this range\n";
    else if (summary["rows"] == 0)
        std::cerr << "etl: 0 windows are complete yet; --partial keep takes those that are not, "
                     "or choose a shorter --window\n";
    if (count("late") > 0)
        std::cerr << "etl: " << count("late")
                  << " samples came later than the lateness allows and are not in the table; "
                     "see --lateness\n";
    if (count("ahead_of_reception") > 0)
        std::cerr << "etl: " << count("ahead_of_reception")
                  << " samples have no time, or one an hour after their reception, and are not in "
                     "the table\n";
}

// What a person looks at first: drift, then constants, then what is missing, then outliers.
bool is_worse(const Json& a, const Json& b) {
    const auto number = [](const Json& row, const char* key) {
        return row[key].is_number() ? row[key].get<double>() : 0.0;
    };
    const auto rank = [&](const Json& row) {
        return std::tuple(row["drifted"] == true ? number(row, "psi") : 0.0,
                          row["zero_variance"] == true, number(row, "missing_percent"),
                          number(row, "outlier_percent"));
    };
    return rank(a) > rank(b);
}

}  // namespace

Result<> run_verb(module::ToolContext& context) {
    RunConfig options = *std::static_pointer_cast<const RunConfig>(context.config);
    if (options.out.empty())
        options.out = (context.state_dir / "features").string();
    const auto config = context.loaded.get<EtlConfig>("etl");
    AMOSKYS_TRY(request, make_request(*config, options, system_clock().now_ns()));
    request.extractors = extractors();
    AMOSKYS_TRY(source,
                WalSource::open(context.state_dir / "wal", request.filter, context.progress));
    std::unique_ptr<module::Progress> writing;
    request.writing = [&](std::uint64_t rows) {
        if (writing == nullptr)
            writing = std::make_unique<module::Progress>(context.progress, "writing the table",
                                                         "rows", 0);
        writing->update(rows);
    };
    if (options.incremental && options.follow)
        return follow_incremental(*source, request, options.every, context.out);
    if (options.incremental) {
        AMOSKYS_TRY(increment, run_incremental(*source, request));
        return write_object(context.out, context.output, "increment", increment);
    }
    if (options.follow) {
        const fs::path metadata = fs::path(options.out) / metadata_name;
        if (!request.baselines && fs::exists(metadata)) {
            AMOSKYS_TRY(baselines, read_baselines(metadata));
            request.baselines = std::move(baselines);
        }
        if (!request.baselines && !context.quiet)
            std::cerr << "etl: no baselines: features relative to what is usual are missing; run "
                         "etl once without --follow, or name its metadata with --baseline\n";
        return follow(*source, request, context.out);
    }
    AMOSKYS_TRY(summary, run(*source, request));
    writing.reset();
    if (!context.quiet)
        tell(summary);
    summary.erase("schema");  // write_object gives it where the format has one
    return write_object(context.out, context.output, "pipeline_summary", summary);
}

Result<> features_verb(module::ToolContext& context) {
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, feature_noun));
    for (const module::ExtractorKind* kind : extractors())
        for (const module::FeatureForm& form : kind->catalogue)
            if (!rows->row({{"feature", form.name},
                            {"unit", form.unit},
                            {"stage", kind->stage},
                            {"formula", form.formula}}))
                return {};
    return rows->finish();
}

Result<> quality_verb(module::ToolContext& context) {
    const auto options = std::static_pointer_cast<const QualityConfig>(context.config);
    const std::filesystem::path folder =
        options->features.empty() ? context.state_dir / "features" : fs::path(options->features);
    const fs::path path = folder / quality_name;
    AMOSKYS_TRY(text, read_file(path, most_report_bytes));
    AMOSKYS_TRY(report, json::parse(text, path.string()));
    if (!report.is_object() || report.value("schema", "") != "amoskys.quality_report/1" ||
        !report["columns"].is_array())
        return make_error(ErrorKind::bad_data, "quality_report",
                          path.string() + " is no quality report",
                          "amoskys etl writes one beside its tables");
    std::vector<Json> features(report["columns"].begin(), report["columns"].end());
    std::stable_sort(features.begin(), features.end(), is_worse);
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, quality_noun));
    for (const Json& feature : features)
        if (!rows->row(feature))
            return {};
    return rows->finish();
}

}  // namespace amoskys::etl
