#include "modules/collectors/example/load_average.h"

#include <charconv>
#include <cmath>

namespace amoskys::example {

std::optional<std::array<double, 3>> parse_load_average(std::string_view text) {
    std::array<double, 3> load{};
    for (auto& value : load) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || !std::isfinite(value))
            return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.starts_with(' '))
            return std::nullopt;
        text.remove_prefix(1);
    }
    return load;
}

}  // namespace amoskys::example
