#include "modules/transformation/etl/outputs.h"

#include <array>

#include "core/base/file.h"
#include "modules/transformation/etl/pictures.h"

namespace amoskys::etl {
namespace {

constexpr unsigned mode_of_files = 0644;
constexpr std::array picture_names = {correlations_name, distributions_name, temporal_name};

Result<> write_pictures(const std::filesystem::path& folder, const PictureInput& input) {
    using Picture = std::string (*)(const PictureInput&);
    constexpr std::array<Picture, 3> draw = {&correlations_svg, &distributions_svg, &temporal_svg};
    for (std::size_t i = 0; i < draw.size(); ++i)
        AMOSKYS_TRY_VOID(
            write_file_atomic(folder / picture_names[i], draw[i](input), mode_of_files));
    return {};
}

Result<> write_document(const std::filesystem::path& path, const Json& document) {
    return write_file_atomic(path, json::dump_pretty(document) + "\n", mode_of_files);
}

}  // namespace

Result<Json> write_outputs(const FeatureStore& store,
                           std::span<const module::FeatureColumn> columns,
                           const OutputRequest& request) {
    const Layout layout{columns, column_order(columns)};
    const ColumnChange* const change = request.scale ? &request.scale : nullptr;
    const std::array<std::pair<TableRequest, std::optional<Part>>, 3> wanted = {
        {{{.name = full_name}, {}},
         {{.name = train_name, .change = change}, Part::train},
         {{.name = validation_name, .change = change}, Part::validation}}};
    std::vector<ExportedTable> tables;
    for (const auto& [table, part] : wanted) {
        AMOSKYS_TRY(rows, export_table(stretches_of(store, part), layout, request.files, table,
                                       request.progress));
        tables.push_back({table.name, rows});
    }
    const std::vector<ColumnQuality> quality = column_quality(store, columns);
    AMOSKYS_TRY_VOID(write_pictures(request.files.folder, {store, layout, quality}));
    const RunReport report{request.facts, store,   layout,       request.files,
                           tables,        quality, picture_names};
    const std::filesystem::path& folder = request.files.folder;
    AMOSKYS_TRY_VOID(write_document(folder / quality_name, quality_json(report)));
    AMOSKYS_TRY_VOID(write_document(folder / metadata_name, metadata_json(report)));
    Json summary = summary_json(report);
    AMOSKYS_TRY_VOID(write_document(folder / summary_name, summary));
    return {boost::system::in_place_value, std::move(summary)};
}

}  // namespace amoskys::etl
