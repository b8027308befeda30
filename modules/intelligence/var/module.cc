// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/var/var.h"

namespace amoskys::modules {

namespace {

constexpr module::ModelKind model = {
    .train = &var::train,
    .load = &var::load,
    .parameters = "lags (5), ridge (1)",
    .ordered = true,
    .member = true,
    .forecast = &var::forecast,
};

}  // namespace

extern const module::ModuleInfo var_module;
const module::ModuleInfo var_module = {
    .name = "var",
    .kind = module::Kind::model,
    .summary = "vector autoregression: how far each row is from its prediction by the rows before",
    .model = &model,
};

}  // namespace amoskys::modules
