// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/intelligence/kmeans/kmeans.h"

namespace amoskys::modules {

namespace {

constexpr module::ModelKind model = {
    .train = &kmeans::train,
    .load = &kmeans::load,
    .parameters = "clusters (10), window (rows; 0: 20, of a single column 100)",
    .ordered = true,
    .member = true,
};

}  // namespace

extern const module::ModuleInfo kmeans_module;
const module::ModuleInfo kmeans_module = {
    .name = "kmeans",
    .kind = module::Kind::model,
    .summary = "k-means on windows: distance from the nearest usual course of the last rows",
    .model = &model,
};

}  // namespace amoskys::modules
