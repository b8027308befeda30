#include "modules/transformation/etl/follow.h"

#include <cmath>

#include "modules/transformation/etl/interfaces.h"

namespace amoskys::etl {
namespace {

constexpr Column row_columns[] = {
    {.name = "device_id"}, {.name = "window_start"}, {.name = "window_end"}, {.name = "features"}};
constexpr Noun row_noun = {"feature_row", row_columns};

}  // namespace

Json row_json(const module::Window& window, const module::FeatureRow& row,
              std::span<const module::FeatureColumn> columns) {
    Json features = Json::object();
    for (std::size_t id = 0; id < row.values().size(); ++id)
        if (!std::isnan(row.values()[id]))
            features[columns[id].name] = row.values()[id];
    return {{"device_id", window.device},
            {"window_start", json::time(window.start_ns)},
            {"window_end", json::time(window.end_ns)},
            {"features", std::move(features)}};
}

Result<> follow(EventSource& source, const RunRequest& request, ByteSink& out) {
    AMOSKYS_TRY(rows,
                RowOutput::open(out, {.format = OutputFormat::ndjson, .fields = {}}, row_noun));
    bool has_reader = true;
    const module::ColumnTable* columns = nullptr;
    const Baselines none;
    const Baselines& baselines = request.baselines ? *request.baselines : none;
    EngineOptions options = request.batch.engine;
    options.interfaces.top = top_interfaces(baselines, request.top_interfaces);
    Engine engine(request.extractors, options,
                  [&](std::uint32_t, const module::Window& window, const module::FeatureRow& row) {
                      has_reader =
                          has_reader && rows->row(row_json(window, row, columns->columns()));
                  });
    columns = &engine.columns();
    engine.compare_with(baselines);
    AMOSKYS_TRY_VOID(source.follow([&](const wire::Event& event, UnixNanos received_ns) {
        if (request.filter.matches(event))
            engine.observe(event, received_ns);
        return has_reader;
    }));
    return {};
}

}  // namespace amoskys::etl
