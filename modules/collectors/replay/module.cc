#include "core/module/module.h"

#include "modules/collectors/replay/collector.h"

namespace amoskys::modules {
namespace {

using replay::ReplayConfig;

constexpr config::Option options[] = {
    config::option<&ReplayConfig::files>("files", "", "files to replay, in this order; - is stdin",
                                         {}, {.command_line_only = true, .positional = true}),
    config::option<&ReplayConfig::pace>(
        "pace", "", "recorded: with the pauses between the rows' times; max: none", {},
        {.choices = "recorded|max"}),
    config::option<&ReplayConfig::format>("format", "",
                                          "format of the files; auto: by their content", {},
                                          {.choices = "auto|csv|ndjson"}),
    config::option<&ReplayConfig::time_unit>(
        "time_unit", "",
        "of times that are numbers; auto: ts_ns is ns, else by size, none before the year 2000", {},
        {.choices = "auto|s|ms|us|ns"}),
    config::option<&ReplayConfig::device_type>(
        "device_type", "", "kind of device that the rows came from", {},
        {.choices = "IOT|MEDICAL|INDUSTRIAL|ENDPOINT|NETWORK"}),
};

constexpr std::string_view details =
    "Loads recorded metrics: CSV or NDJSON, wide (device_id, ts_ns, one column per metric) or long "
    "(device, time,\n"
    "metric, value and optionally unit, type, index), and what `inspect events -o ndjson` or `-o "
    "csv` wrote. Events\n"
    "that are no metrics are skipped and counted.\n"
    "\n"
    "All files are read once before anything is published: the first fault is reported as "
    "FILE:LINE:COLUMN, the exit\n"
    "code is 65 and nothing has changed. An empty cell is missing; nan and inf are refused. Rows "
    "that follow each\n"
    "other and have the same device and time make one record. It ends by itself, after one line "
    "with the number of\n"
    "records and records per second."
    "\n\nExamples:\n"
    "  amoskys agent replay FILE.csv --bus 127.0.0.1:50051\n"
    "  amoskys agent replay FILE.ndjson --pace recorded --stdout\n";

}  // namespace

extern const module::ModuleInfo replay_module;
const module::ModuleInfo replay_module{
    .name = "replay",
    .kind = module::Kind::collector,
    .summary = "load recorded metrics from CSV or NDJSON files",
    .details = details,
    .config_root = "agent.replay",
    .options = options,
    .make_config = &config::make_config<ReplayConfig>,
    .metrics = replay::replay_metrics,
    .make_collector = &replay::ReplayCollector::make,
    .ends_by_itself = true,
};

}  // namespace amoskys::modules
