#include "modules/transformation/etl/engine.h"

namespace amoskys::etl {

Engine::Engine(const std::vector<const module::ExtractorKind*>& extractors, EngineOptions options,
               RowVisit visit)
    : options_(std::move(options)),
      metrics_(options_.settings.key_metrics),
      windowing_(extractors, metrics_, options_, std::move(visit)),
      intake_(metrics_, options_.lateness, options_.windows.step,
              {[this](const Instant& instant) { windowing_.add(instant); },
               [this](const Observations& observations) { windowing_.add(observations); }}) {}

void Engine::finish() {
    intake_.finish();
    windowing_.finish();
}

}  // namespace amoskys::etl
