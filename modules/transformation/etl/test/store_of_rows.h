// A sealed store made of rows, for tests of what comes after the engine.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "modules/transformation/etl/feature_store.h"

namespace amoskys::etl::test {

constexpr double missing_value = std::numeric_limits<double>::quiet_NaN();

struct StoredRow {
    std::string device;
    UnixNanos start_ns = 0;
    std::vector<double> values;
    Part part = Part::train;
};

inline void add_row(FeatureStore& store, const StoredRow& row) {
    module::FeatureRow values;
    for (std::size_t i = 0; i < row.values.size(); ++i)
        values.set(static_cast<module::ColumnId>(i), row.values[i]);
    const module::Window window{.device = row.device,
                                .start_ns = row.start_ns,
                                .end_ns = row.start_ns + 60'000'000'000,
                                .series = {}};
    store.add(window, values, row.part).value();
}

inline std::unique_ptr<FeatureStore> store_of(const std::vector<StoredRow>& rows) {
    auto store = FeatureStore::open(std::filesystem::temp_directory_path()).value();
    for (const StoredRow& row : rows)
        add_row(*store, row);
    store->seal().value();
    return store;
}

inline std::vector<module::FeatureColumn> columns_named(const std::vector<std::string>& names) {
    std::vector<module::FeatureColumn> out;
    for (const std::string& name : names)
        out.push_back({.name = name,
                       .metric = name.substr(0, name.rfind("_mean")),
                       .unit = "%",
                       .stage = "test",
                       .formula = "given"});
    return out;
}

}  // namespace amoskys::etl::test
