// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/pca/pca.h"

namespace amoskys::modules {

namespace {

constexpr module::ModelKind model = {
    .train = &pca::train,
    .load = &pca::load,
    .parameters = "variance (0.5), window (rows looked at together; 0: 1, of a single column 100)",
    .ordered = true,
    .member = true,
};

}  // namespace

extern const module::ModuleInfo pca_module;
const module::ModuleInfo pca_module = {
    .name = "pca",
    .kind = module::Kind::model,
    .summary = "principal components: what the usual relations between columns do not explain",
    .model = &model,
};

}  // namespace amoskys::modules
