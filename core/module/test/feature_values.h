// What an extractor made of one window, by name; what is missing is absent. For tests.
#pragma once

#include <cmath>
#include <map>
#include <string>

#include "core/module/extractor.h"

namespace amoskys::module::test {

using Values = std::map<std::string, double>;

inline Values values_of(const FeatureRow& row, const ColumnTable& columns) {
    Values out;
    for (std::size_t i = 0; i < row.values().size(); ++i)
        if (!std::isnan(row.values()[i]))
            out[columns.columns()[i].name] = row.values()[i];
    return out;
}

template <class MakeExtractor>
Values values_of(MakeExtractor make, const Window& window, const ExtractorSettings& settings = {}) {
    ColumnTable columns;
    const auto extractor = make(columns, settings);
    FeatureRow row;
    extractor->extract(window, row);
    return values_of(row, columns);
}

}  // namespace amoskys::module::test
