#include "core/model/parameters.h"

#include <cmath>

#include "core/base/number_text.h"
#include "core/base/text.h"

namespace amoskys::model {

Result<std::vector<double>> read_parameters(std::string_view kind, std::span<const Parameter> known,
                                            const Json& given) {
    std::vector<double> out;
    std::string names;
    for (const Parameter& parameter : known) {
        out.push_back(parameter.value);
        names += (names.empty() ? "" : ", ") + std::string(parameter.name);
    }
    for (const auto& [key, value] : given.items()) {
        std::size_t at = 0;
        while (at < known.size() && known[at].name != key)
            ++at;
        if (at == known.size())
            return make_error(ErrorKind::usage, "model_parameter",
                              std::string(kind) + " has no parameter '" + printable(key) + "'",
                              names.empty() ? "it has none" : "known: " + names);
        const Parameter& rule = known[at];
        const double number = value.is_number() ? value.get<double>() : std::nan("");
        if (!(number >= rule.least && number <= rule.most) ||
            (rule.whole && number != std::floor(number)))
            return make_error(ErrorKind::usage, "model_parameter",
                              std::string(kind) + ": " + key + " must be a " +
                                  (rule.whole ? "whole " : "") + "number from " +
                                  shortest_number(rule.least) + " to " +
                                  shortest_number(rule.most) + ", not " + json::dump(value));
        out[at] = number;
    }
    return out;
}

}  // namespace amoskys::model
