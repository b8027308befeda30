// The module's entry in the table: data only.
#include "core/module/module.h"
#include "modules/transformation/calendar/calendar.h"

namespace amoskys::modules {

namespace {

constexpr module::ExtractorKind calendar_extractor = {
    .stage = "calendar",
    .make = &calendar::make_extractor,
    .catalogue = calendar::catalogue,
};

}  // namespace

extern const module::ModuleInfo calendar_module;
const module::ModuleInfo calendar_module = {
    .name = "calendar",
    .kind = module::Kind::extractor,
    .summary = "features: hour, day of the week, weekend and business hours of a window",
    .extractor = &calendar_extractor,
};

}  // namespace amoskys::modules
