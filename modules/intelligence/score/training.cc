#include "modules/intelligence/score/training.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/model/random.h"
#include "core/model/scale.h"
#include "modules/intelligence/score/evaluate.h"

namespace amoskys::score {
namespace {

// Of the members in their order, for the weighted fusion; as the earlier system weighed its
// sources.
constexpr double member_weights[] = {.35, .25, .20, .10, .05, .05};

// The parameters of one member: all for a single kind, else those that begin with "KIND.".
Json parameters_of(const TrainRequest& request, std::string_view kind) {
    if (request.kind != fused_kind)
        return request.parameters;
    Json out = Json::object();
    const std::string prefix = std::string(kind) + ".";
    for (const auto& [key, value] : request.parameters.items())
        if (key.starts_with(prefix))
            out[key.substr(prefix.size())] = value;
    return out;
}

Result<> check_prefixes(std::span<const NamedKind> members, const TrainRequest& request) {
    for (const auto& [key, value] : request.parameters.items()) {
        const std::string name = key;
        if (std::none_of(members.begin(), members.end(), [&](const NamedKind& each) {
                return name.starts_with(std::string(each.name) + ".");
            }))
            return make_error(ErrorKind::usage, "model_parameter",
                              "fused has no parameter '" + printable(name) + "'",
                              "KIND.NAME, with a kind that is a member");
    }
    return {};
}

Result<std::vector<NamedKind>> members_of(std::span<const NamedKind> kinds,
                                          const TrainRequest& request) {
    std::vector<NamedKind> out;
    if (request.kind != fused_kind) {
        AMOSKYS_TRY(kind, find_kind(kinds, request.kind));
        out.push_back({request.kind, kind});
        return out;
    }
    for (const NamedKind& named : kinds)
        if (named.kind->member)
            out.push_back(named);
    AMOSKYS_TRY_VOID(check_prefixes(out, request));
    return out;
}

constexpr std::size_t fault_rows = 10;
constexpr double fault_deviations = 3;

// Puts faults into the rows and says where.
std::vector<bool> put_faults(module::FeatureTable& table,
                             const std::vector<model::ColumnScale>& scales, std::uint64_t seed) {
    model::Random random(seed);
    const std::size_t width = table.columns.size();
    std::vector<bool> labels(table.rows(), false);
    for (std::size_t begin = fault_rows; begin + fault_rows <= labels.size();
         begin += fault_rows + random.below(16 * fault_rows)) {
        const std::size_t offset = random.below(width);
        for (std::size_t row = begin; row < begin + fault_rows; ++row) {
            labels[row] = true;
            for (std::size_t i = 0; i < width / 3 + 1; ++i) {
                const std::size_t c = (offset + i) % width;
                table.values[row * width + c] += fault_deviations * scales[c].deviation;
            }
        }
    }
    return labels;
}

// The rows of each series from one part of it to another, as a table.
KeyedTable part_of(const KeyedTable& table, double from, double to) {
    KeyedTable out;
    out.source = table.source;
    out.features.columns = table.features.columns;
    for (const auto& [first, last] : module::series_of(table.features)) {
        const auto at = [first = first, last = last](double part) {
            return first + static_cast<std::size_t>(part * static_cast<double>(last - first));
        };
        out.features.series.push_back(out.features.rows());
        const auto rows = table.features.rows_of(at(from), at(to));
        out.features.values.insert(out.features.values.end(), rows.begin(), rows.end());
    }
    return out;
}

}  // namespace

Result<TrainedModel> train(std::span<const NamedKind> kinds, const KeyedTable& table,
                           const TrainRequest& request) {
    AMOSKYS_TRY(members, members_of(kinds, request));
    AMOSKYS_TRY(fusion, fusion_of(request.fusion));
    TrainedModel out;
    out.name = request.name;
    out.kind = request.kind;
    out.trained = format_time(request.now_ns);
    out.columns = table.features.columns;
    out.ensemble.fusion = fusion;
    Json left_out = Json::array();
    bool ordered = false;
    for (const NamedKind& named : members) {
        auto model =
            named.kind->train(table.features, request.seed, parameters_of(request, named.name));
        if (!model && members.size() > 1 && model.error().code == "training_too_wide") {
            left_out.push_back(named.name);
            continue;
        }
        if (!model)
            return model.error();
        ordered = ordered || named.kind->ordered;
        Member& member = out.ensemble.members.emplace_back();
        member.kind = named.name;
        member.model = std::move(*model);
        member.smoothing = request.smoothing > 0 ? request.smoothing
                           : named.kind->ordered ? default_smoothing
                                                 : 1;
        member.tail = Tail(Ensemble::smoothed(*member.model, member.smoothing, table.features));
        member.weight =
            member_weights[std::min(out.ensemble.members.size(), std::size(member_weights)) - 1];
    }
    if (out.ensemble.members.empty())
        return make_error(ErrorKind::bad_data, "training_too_wide",
                          table.source + ": no model can learn from so many columns");
    std::vector<double> severities;
    for (const Fused& row : out.ensemble.severities(table.features).fused)
        severities.push_back(row.severity);
    Rule rule = ordered ? Rule::rolling : Rule::quantile;
    if (request.threshold != "auto") {
        AMOSKYS_TRY(wanted, rule_of(request.threshold));
        rule = wanted;
    }
    out.threshold = make_threshold(rule, request.quantile, severities);
    out.threshold.confirm = request.confirm;
    out.threshold.within = std::max(request.within, request.confirm);
    out.spread = Spread::of(table.features);
    out.training = {{"source", table.source},
                    {"rows", table.features.rows()},
                    {"columns", table.features.columns.size()},
                    {"seed", request.seed},
                    {"parameters", request.parameters},
                    {"threshold", rule_names[static_cast<std::size_t>(rule)]},
                    {"left_out", std::move(left_out)}};
    return out;
}

Result<Trial> compare(std::span<const NamedKind> kinds, const TrainedModel& current,
                      const KeyedTable& table, const TrainRequest& request) {
    constexpr double held_back = 0.8;
    const KeyedTable training = part_of(table, 0, held_back);
    KeyedTable rest = part_of(table, held_back, 1);
    AMOSKYS_TRY(candidate, train(kinds, training, request));
    const auto scales =
        model::column_scales(training.features.values, training.features.columns.size());
    const std::vector<bool> labels = put_faults(rest.features, scales, request.seed);
    const auto precision = [&](const TrainedModel& model) -> Result<double> {
        std::size_t dropped = 0;
        AMOSKYS_TRY(features, select_columns(rest, model.columns, dropped));
        std::vector<double> severities;
        for (const Fused& row : model.ensemble.severities(features).fused)
            severities.push_back(row.severity);
        AMOSKYS_TRY(found, evaluate(severities, labels, labels));
        return found.average_precision;
    };
    AMOSKYS_TRY(ours, precision(candidate));
    AMOSKYS_TRY(theirs, precision(current));
    return Trial{ours, theirs};
}

}  // namespace amoskys::score
