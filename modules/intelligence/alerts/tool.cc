#include "modules/intelligence/alerts/tool.h"

#include <algorithm>
#include <array>
#include <functional>

#include "core/base/text.h"
#include "core/module/alert.h"
#include "modules/intelligence/alerts/trust.h"

namespace amoskys::alerts {
namespace {

using module::Alert;
using module::AlertStore;

constexpr std::array alert_columns{
    Column{"id"},
    Column{"level"},
    Column{"state"},
    Column{"last"},
    Column{"count", "", true, true},
    Column{"devices"},
    Column{"title"},
    Column{"incident", "", false, true},
    Column{"label", "", false},
    Column{"pattern", "", false},
    Column{"techniques", "", false},
    Column{"rule", "", false},
    Column{"score", "", false, true},
    Column{"evidence", "", false},
};
constexpr Noun alert_noun{"alert", alert_columns};

constexpr std::array device_columns{
    Column{"device"},
    Column{"trust", "", true, true},
    Column{"risk"},
    Column{"behaviour", "", true, true},
    Column{"compliant"},
    Column{"open", "", true, true},
    Column{"last_hour", "LAST HOUR", true, true},
    Column{"last"},
};
constexpr Noun device_noun{"device_trust", device_columns};

constexpr std::string_view level_names[] = {"informational", "low", "medium", "high", "critical"};

std::size_t rank(std::string_view level) {
    return static_cast<std::size_t>(
        std::find(std::begin(level_names), std::end(level_names), level) - std::begin(level_names));
}

template <class Config>
const Config& config_of(const module::ToolContext& context) {
    return *std::static_pointer_cast<const Config>(context.config);
}

Result<Alert*> find_alert(AlertStore& store, const std::string& id) {
    const auto number = module::parse_alert_id(id);
    Alert* alert = number ? store.find(*number) : nullptr;
    if (alert == nullptr)
        return make_error(number ? ErrorKind::no_input : ErrorKind::usage, "unknown_alert",
                          "there is no alert '" + excerpt(id) + "'",
                          "amoskys score alerts list shows all; an id looks like A-000042");
    return alert;
}

// All of the ids must be there, or nothing is changed.
Result<> change(module::ToolContext& context, const std::vector<std::string>& ids,
                const std::function<void(Alert&)>& apply) {
    AMOSKYS_TRY(store, AlertStore::open(context.state_dir));
    std::vector<Alert*> found;
    for (const std::string& id : ids) {
        AMOSKYS_TRY(alert, find_alert(*store, id));
        found.push_back(alert);
    }
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, alert_noun));
    for (Alert* alert : found)
        apply(*alert);
    AMOSKYS_TRY_VOID(store->save());
    for (const Alert* alert : found)
        if (!rows->row(module::to_json(*alert)))
            return {};
    return rows->finish();
}

Result<> set_state(module::ToolContext& context, Alert::State state) {
    const auto& options = config_of<ChangeConfig>(context);
    const UnixNanos now = system_clock().now_ns();
    return change(context, options.id, [&](Alert& alert) {
        alert.state = state;
        alert.state_ns = now;
        if (!options.note.empty())
            alert.note = options.note;
    });
}

}  // namespace

Result<> list_verb(module::ToolContext& context) {
    const auto& options = config_of<ListConfig>(context);
    AMOSKYS_TRY(store, AlertStore::open_to_read(context.state_dir));
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, alert_noun));
    bool fails = false;
    for (const Alert& alert : store->alerts()) {
        const bool of_device = std::any_of(
            alert.devices.begin(), alert.devices.end(),
            [&](const std::string& device) { return glob_match(options.device, device); });
        if ((!options.state.empty() && options.state != state_text(alert.state)) ||
            (!options.level.empty() && rank(alert.level) < rank(options.level)) ||
            (!options.device.empty() && !of_device) ||
            (options.incident != 0 && options.incident != alert.incident))
            continue;
        fails = fails || (!options.fail_on.empty() && alert.state == Alert::State::open &&
                          rank(alert.level) >= rank(options.fail_on));
        if (!rows->row(module::to_json(alert)))
            return {};
    }
    AMOSKYS_TRY_VOID(rows->finish());
    if (fails)
        return make_error(ErrorKind::finding, "alerts_open",
                          "an alert of level " + options.fail_on + " or above is open");
    return {};
}

Result<> show_verb(module::ToolContext& context) {
    AMOSKYS_TRY(store, AlertStore::open_to_read(context.state_dir));
    AMOSKYS_TRY(alert, find_alert(*store, config_of<AlertConfig>(context).id));
    return write_object(context.out, context.output, "alert", module::to_json(*alert));
}

Result<> ack_verb(module::ToolContext& context) {
    return set_state(context, Alert::State::acknowledged);
}

Result<> resolve_verb(module::ToolContext& context) {
    return set_state(context, Alert::State::resolved);
}

Result<> label_verb(module::ToolContext& context) {
    const auto& options = config_of<LabelConfig>(context);
    return change(context, {options.id}, [&](Alert& alert) { alert.label = options.label; });
}

Result<> devices_verb(module::ToolContext& context) {
    const auto& options = config_of<DevicesConfig>(context);
    AMOSKYS_TRY(store, AlertStore::open_to_read(context.state_dir));
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, device_noun));
    for (const DeviceTrust& each : device_trust(store->alerts()))
        if (options.device.empty() || glob_match(options.device, each.device))
            if (!rows->row({{"device", each.device},
                            {"trust", each.trust},
                            {"risk", std::string(each.risk())},
                            {"behaviour", each.behaviour},
                            {"compliant", each.compliant},
                            {"open", each.open_alerts},
                            {"last_hour", each.last_hour},
                            {"last", json::time(each.last_ns)}}))
                return {};
    return rows->finish();
}

}  // namespace amoskys::alerts
