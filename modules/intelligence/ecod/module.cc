// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/ecod/ecod.h"

namespace amoskys::modules {

namespace {

constexpr module::ModelKind model = {
    .train = &ecod::train,
    .load = &ecod::load,
    .parameters = "",
    .ordered = false,
    .member = false,
};

}  // namespace

extern const module::ModuleInfo ecod_module;
const module::ModuleInfo ecod_module = {
    .name = "ecod",
    .kind = module::Kind::model,
    .summary = "ECOD: how far out in the tails of its columns a row is",
    .model = &model,
};

}  // namespace amoskys::modules
