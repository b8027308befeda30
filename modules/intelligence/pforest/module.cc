// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/pforest/pforest.h"

namespace amoskys::modules {

namespace {

constexpr module::ModelKind model = {
    .train = &pforest::train,
    .load = &pforest::load,
    .parameters = "trees (100), sample (256), projections (256), columns (4: of each projection)",
    .ordered = false,
    .member = false,
};

}  // namespace

extern const module::ModuleInfo pforest_module;
const module::ModuleInfo pforest_module = {
    .name = "pforest",
    .kind = module::Kind::model,
    .summary =
        "Isolation Forest on random directions of some columns each: sees broken relations, too",
    .model = &model,
};

}  // namespace amoskys::modules
