#include "modules/transformation/etl/engine.h"

namespace amoskys::etl {

Engine::Engine(const std::vector<const module::ExtractorKind*>& extractors, EngineOptions options,
               RowVisit visit)
    : options_(std::move(options)),
      metrics_(options_.settings.key_metrics),
      windowing_(extractors, metrics_, options_, std::move(visit)),
      intake_(metrics_, options_.lateness, options_.windows.step,
              {[this](const Instant& instant) { windowing_.add(instant); },
               [this](const Observations& observations) { windowing_.add(observations); }}) {
    intake_.keep_apart(options_.interfaces);
}

void Engine::finish() {
    intake_.finish();
    windowing_.finish();
}

void Engine::transfer(StateArchive& archive) {
    // Its number changes with what transfer() of any class names.
    std::string form = "amoskys etl state 1";
    const std::string known = form;
    archive.text(form);
    if (form != known)
        archive.refuse();
    metrics_.transfer(archive);
    intake_.transfer(archive);
    std::vector<std::string_view> names;
    for (std::uint32_t number = 0; number < intake_.devices(); ++number)
        names.push_back(intake_.device_name(number));
    windowing_.transfer(archive, names);
}

std::string Engine::save() {
    StateArchive archive;
    transfer(archive);
    return archive.take();
}

bool Engine::restore(std::string_view saved) {
    StateArchive archive(saved);
    transfer(archive);
    return archive.good() && archive.at_end();
}

}  // namespace amoskys::etl
