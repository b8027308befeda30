// `score rules run` and `score rules test`: the rules over the log, read beside its writer.
#include <algorithm>
#include <array>
#include <climits>
#include <functional>
#include <iostream>
#include <set>
#include <thread>

#include "core/module/alert.h"
#include "core/module/progress.h"
#include "core/wal/shared.h"
#include "modules/intelligence/rules/detector.h"
#include "modules/intelligence/rules/rule_files.h"
#include "modules/intelligence/rules/tool.h"

namespace amoskys::rules {
namespace {

constexpr std::uint64_t records_per_step = 1024;
constexpr auto look_again = std::chrono::milliseconds(200);
constexpr std::string_view source_name = "rules";

constexpr std::array alert_columns{
    Column{"id"},
    Column{"level"},
    Column{"state"},
    Column{"last"},
    Column{"count", "", true, true},
    Column{"devices"},
    Column{"title"},
    Column{"pattern", "", false},
    Column{"techniques", "", false},
    Column{"rule", "", false},
    Column{"score", "", false, true},
};
constexpr Noun alert_noun{"alert", alert_columns};

constexpr std::array match_columns{
    Column{"time"},  Column{"device"},          Column{"offset", "", true, true}, Column{"level"},
    Column{"title"}, Column{"rule", "", false}, Column{"evidence", "", false},
};
constexpr Noun match_noun{"rule_match", match_columns};

Result<std::shared_ptr<wal::Log>> open_log(const module::ToolContext& context) {
    const std::filesystem::path folder = context.state_dir / "wal";
    std::error_code ignored;
    if (!std::filesystem::exists(folder, ignored))
        return make_error(ErrorKind::no_input, "no_log", "there is no log at " + folder.string(),
                          "run amoskys up or amoskys bus first, or name the state directory with "
                          "--state-dir");
    return wal::open_reader(folder);
}

// Every event from `from` up to the end that the log has now; returns the record after the last.
Result<WalOffset> read_events(wal::Log& log, WalOffset from, module::Progress& progress,
                              const std::function<bool(const wire::Event&)>& visit) {
    const wal::LogStats stats = log.stats();
    wire::EventDecoder decoder;
    WalOffset next = std::max(from, stats.oldest);
    const WalOffset first = next;
    bool goes_on = true;
    while (goes_on && stats.newest.value != 0 && next <= stats.newest) {
        AMOSKYS_TRY(after, log.read(next, records_per_step, [&](const wal::RecordView& record) {
            if (record.header.offset > stats.newest)
                return false;
            goes_on = decoder.decode_record(record.header.kind, record.stored, record.header.digest,
                                            record.header.offset.value, visit);
            return goes_on;
        }));
        if (after <= next)
            break;
        next = std::min(after, WalOffset{stats.newest.value + 1});
        progress.update(next.value - first.value);
    }
    return next;
}

void say_unusable(const module::ToolContext& context, const Engine& engine) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < engine.rules().size(); ++i)
        count += engine.usable(i) ? 0 : 1;
    if (count > 0 && !context.quiet)
        std::cerr << "rules: " << count << " of " << engine.rules().size()
                  << " rules cannot be used here; score rules list names them with the reason\n";
}

std::uint64_t kept_number(const Json& state, const char* name) {
    const auto found = state.is_object() ? state.find(name) : state.end();
    return found != state.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

// What is new in the log, up to its end, and the alerts that this raised or joined. The lock is
// held for so long only: between two passes people can acknowledge.
struct Pass {
    std::vector<Json> alerts;
    bool fails = false;
    WalOffset next;
};

Result<Pass> run_once(const module::ToolContext& context, const RunConfig& options, Engine& engine,
                      wal::Log& log) {
    AMOSKYS_TRY(store, module::AlertStore::open(context.state_dir));
    Detector detector(engine);
    const Json& state = store->state_of(source_name);
    WalOffset from{kept_number(state, "next")};
    const wal::LogStats stats = log.stats();
    if (from.value > stats.newest.value + 1) {
        // The log is another one, or was set back: what it holds was never looked at.
        std::cerr << "rules: the log ends before record " << from.value
                  << ", up to which it was read last time; reading it from its beginning\n";
        from = {};
    } else if (state.is_object() && state.contains("correlation")) {
        detector.correlator().load(state["correlation"]);
    }
    Pass pass;
    std::set<std::uint64_t> touched;
    const int fail_rank = options.fail_on.empty() ? INT_MAX : level_rank(options.fail_on);
    const auto raise = [&](module::Alert alert, Duration suppress) {
        pass.fails = pass.fails || level_rank(alert.level) >= fail_rank;
        touched.insert(store->raise(std::move(alert), suppress).number);
    };
    const int min_rank = level_rank(options.min_level);
    module::Progress progress(context.progress, "running the rules", "records",
                              stats.newest.value - std::min(from, stats.newest).value + 1);
    AMOSKYS_TRY(next, read_events(log, from, progress, [&](const wire::Event& event) {
                    detector.observe(event, min_rank, raise);
                    return true;
                }));
    pass.next = next;
    store->set_state(source_name,
                     {{"next", next.value}, {"correlation", detector.correlator().save()}});
    AMOSKYS_TRY_VOID(store->save());
    if (detector.correlator().dropped() > 0 && !context.quiet)
        std::cerr << "rules: " << detector.correlator().dropped()
                  << " groups of correlations were dropped to stay within memory\n";
    for (const std::uint64_t number : touched)
        if (const module::Alert* alert = store->find(number))
            pass.alerts.push_back(module::to_json(*alert));
    return pass;
}

}  // namespace

Result<> run_rules_verb(module::ToolContext& context) {
    const auto& options = *std::static_pointer_cast<const RunConfig>(context.config);
    AMOSKYS_TRY(engine, load_engine({!options.own, context.state_dir, options.rules}));
    say_unusable(context, *engine);
    AMOSKYS_TRY(log, open_log(context));
    OutputOptions output = context.output;
    if (options.follow && output.format == OutputFormat::table)
        output.format = OutputFormat::ndjson;  // a table would wait for its end
    AMOSKYS_TRY(rows, RowOutput::open(context.out, output, alert_noun));
    while (true) {
        AMOSKYS_TRY(pass, run_once(context, options, *engine, *log));
        for (const Json& alert : pass.alerts)
            if (!rows->row(alert))
                return {};
        if (pass.fails) {
            AMOSKYS_TRY_VOID(rows->finish());
            return make_error(ErrorKind::finding, "alerts_raised",
                              "an alert of level " + options.fail_on + " or above was raised");
        }
        if (!options.follow)
            return rows->finish();
        wal::LogStats stats;
        do {
            std::this_thread::sleep_for(look_again);
            stats = log->stats();
        } while (stats.newest.value == 0 || stats.newest < pass.next);
    }
}

Result<> test_verb(module::ToolContext& context) {
    const auto& options = *std::static_pointer_cast<const TestConfig>(context.config);
    AMOSKYS_TRY(engine, load_engine({false, {}, options.path}));
    say_unusable(context, *engine);
    AMOSKYS_TRY(log, open_log(context));
    Detector detector(*engine);
    AMOSKYS_TRY(rows, RowOutput::open(context.out, context.output, match_noun));
    std::uint64_t printed = 0;
    bool reader_there = true;
    const auto print = [&](const module::Alert& alert, Duration) {
        if (!reader_there || (options.limit != 0 && printed == options.limit))
            return;
        ++printed;
        reader_there = rows->row({{"time", json::time(alert.last_ns)},
                                  {"device", alert.devices.front()},
                                  {"offset", alert.evidence.back()},
                                  {"level", alert.level},
                                  {"title", alert.title},
                                  {"rule", alert.rule},
                                  {"evidence", alert.evidence}});
    };
    module::Progress progress(context.progress, "trying the rules", "records",
                              log->stats().newest.value);
    AMOSKYS_TRY(next, read_events(*log, {}, progress, [&](const wire::Event& event) {
                    detector.observe(event, 1, print);
                    return reader_there && (options.limit == 0 || printed < options.limit);
                }));
    static_cast<void>(next);
    return reader_there ? rows->finish() : Result<>();
}

}  // namespace amoskys::rules
