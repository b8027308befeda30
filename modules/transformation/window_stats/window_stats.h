// The window_stats extractor, for its entry in the module table.
#pragma once

#include <memory>

#include "core/module/extractor.h"

namespace amoskys::window_stats {

std::unique_ptr<module::Extractor> make_extractor(module::ColumnTable& columns,
                                                  const module::ExtractorSettings& settings);

}  // namespace amoskys::window_stats
