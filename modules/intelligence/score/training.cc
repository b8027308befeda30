#include "modules/intelligence/score/training.h"

#include <algorithm>

#include "core/base/text.h"

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

}  // namespace amoskys::score
