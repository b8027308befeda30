// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/iforest/iforest.h"

namespace amoskys::modules {

namespace {

constexpr module::ModelKind model = {
    .train = &iforest::train,
    .load = &iforest::load,
    .parameters = "trees (100), sample (256: rows per tree)",
};

}  // namespace

extern const module::ModuleInfo iforest_module;
const module::ModuleInfo iforest_module = {
    .name = "iforest",
    .kind = module::Kind::model,
    .summary = "Isolation Forest: rows that few random cuts separate from the rest are unusual",
    .model = &model,
};

}  // namespace amoskys::modules
