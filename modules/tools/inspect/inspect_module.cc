#include <array>

#include "core/module/module.h"
#include "modules/tools/inspect/inspect_verbs.h"

namespace amoskys::modules {
namespace {

using config::option;
using module::Verb;

constexpr std::string_view log_help = "folder of the log (none: wal in the state directory)";
constexpr std::string_view any_log_help =
    "folder of the log, or the earlier system's SQLite file (none: wal in the state directory)";
constexpr std::string_view since_help = "from this time on: RFC 3339, Unix time, -15m, -2h, -7d";
constexpr std::string_view log_key_help =
    "public key of the log (none: pki/log.pub in the state directory)";
constexpr std::string_view bus_help =
    "read from the bus at HOST:PORT instead, as an agent that may subscribe";
constexpr std::string_view agent_help =
    "with --bus: identity to use (none: agent.id, the only one, or this host's)";
constexpr std::string_view cursor_help =
    "with --bus: name under which the bus remembers how far this reader is";
constexpr std::string_view until_help = "before this time";

constexpr std::array events_table{
    option<&inspect::EventsOptions::log>("log", "", any_log_help),
    option<&inspect::EventsOptions::since>("since", "", since_help),
    option<&inspect::EventsOptions::until>("until", "", until_help),
    option<&inspect::EventsOptions::device>("device", "", "device ids; * and ? match"),
    option<&inspect::EventsOptions::metric>("metric", "", "metric names; * and ? match"),
    option<&inspect::EventsOptions::kind>(
        "kind", "", "metric, log, alarm, status, security, audit, process, flow, gap"),
    option<&inspect::EventsOptions::source>("source", "", "collectors: snmp, proc, flow, ..."),
    option<&inspect::EventsOptions::severity>("severity", "", "INFO, WARN, ERROR, CRITICAL"),
    option<&inspect::EventsOptions::limit>("limit", "", "at most so many rows; 0 = all"),
    option<&inspect::EventsOptions::newest>(
        "newest", "", "the last --limit rows that match (10 without --limit), in order"),
    option<&inspect::EventsOptions::offset>("offset", "", "start at this record of the log"),
    option<&inspect::EventsOptions::full>("full", "",
                                          "the envelopes that hold a match, as protobuf text"),
    option<&inspect::EventsOptions::follow>("follow", "", "go on with what comes, until Ctrl-C"),
    option<&inspect::EventsOptions::bus>("bus", "", bus_help),
    option<&inspect::EventsOptions::agent>("agent", "", agent_help),
    option<&inspect::EventsOptions::cursor>("cursor", "", cursor_help),
};
constexpr std::array tail_table{
    option<&inspect::EventsOptions::log>("log", "", log_help),
    option<&inspect::EventsOptions::bus>("bus", "", bus_help),
    option<&inspect::EventsOptions::agent>("agent", "", agent_help),
    option<&inspect::EventsOptions::cursor>("cursor", "", cursor_help),
    option<&inspect::EventsOptions::lines>(
        "lines", "", "rows that are there already, before what comes (not with --bus)",
        {0, 1'000'000}),
    option<&inspect::EventsOptions::since>("since", "", since_help),
    option<&inspect::EventsOptions::device>("device", "", "device ids; * and ? match"),
    option<&inspect::EventsOptions::metric>("metric", "", "metric names; * and ? match"),
    option<&inspect::EventsOptions::kind>(
        "kind", "", "metric, log, alarm, status, security, audit, process, flow, gap"),
    option<&inspect::EventsOptions::source>("source", "", "collectors: snmp, proc, flow, ..."),
    option<&inspect::EventsOptions::severity>("severity", "", "INFO, WARN, ERROR, CRITICAL"),
    option<&inspect::EventsOptions::limit>("limit", "", "end after so many rows; 0 = never"),
    option<&inspect::EventsOptions::full>("full", "",
                                          "the envelopes that hold a match, as protobuf text"),
};
constexpr std::array top_table{
    option<&inspect::TopOptions::log>("log", "", log_help),
    option<&inspect::TopOptions::bus>("bus", "", "ask the bus at HOST:PORT instead, as an agent"),
    option<&inspect::TopOptions::agent>("agent", "", agent_help),
    option<&inspect::TopOptions::every>("every", "", "time between two looks", {0.1, 3600}),
    option<&inspect::TopOptions::count>("count", "", "end after so many looks; 0 = until Ctrl-C"),
};
constexpr std::array summary_table{
    option<&inspect::SummaryOptions::log>("log", "", any_log_help),
    option<&inspect::SummaryOptions::top>("top", "", "how many devices to name", {0, 1000}),
};
constexpr std::array import_table{
    option<&inspect::ImportOptions::database>("database", "", "the earlier system's SQLite file",
                                              {}, {.required = true, .positional = true}),
    option<&inspect::ImportOptions::log>("log", "", log_help),
    option<&inspect::ImportOptions::dry_run>("dry_run", "", "check the file, import nothing"),
};
constexpr std::array backup_table{
    option<&inspect::BackupOptions::file>("file", "", "the archive to make; - is stdout", {},
                                          {.required = true, .positional = true}),
    option<&inspect::BackupOptions::log>("log", "", log_help),
};
constexpr std::array restore_table{
    option<&inspect::RestoreOptions::file>("file", "",
                                           "the archive of `inspect backup`; - is stdin", {},
                                           {.required = true, .positional = true}),
    option<&inspect::RestoreOptions::log>(
        "log", "", "folder to make of it (none: wal in the state directory)"),
    option<&inspect::RestoreOptions::trust>(
        "trust", "", "trust map (none: pki/trust.yaml in the state directory)"),
    option<&inspect::RestoreOptions::log_key>("log_key", "", log_key_help),
    option<&inspect::RestoreOptions::as_is>(
        "as_is", "", "restore a log with findings too: the backup of a damaged one"),
    option<&inspect::RestoreOptions::dry_run>("dry_run", "", "check the archive, restore nothing"),
};
constexpr std::array verify_table{
    option<&inspect::VerifyOptions::log>("log", "", log_help),
    option<&inspect::VerifyOptions::trust>(
        "trust", "", "trust map (none: pki/trust.yaml in the state directory)"),
    option<&inspect::VerifyOptions::since>(
        "since", "", "a checkpoint that was kept: the log must still begin with its records"),
    option<&inspect::VerifyOptions::receipt>(
        "receipt", "",
        "receipts that agents kept: a file of `inspect receipts -o json`, or a folder of spools"),
    option<&inspect::VerifyOptions::log_key>("log_key", "", log_key_help),
    option<&inspect::VerifyOptions::proof>(
        "proof", "", "check this output of `inspect prove -o json` instead; needs no log"),
};
constexpr std::array prove_table{
    option<&inspect::ProveOptions::offset>("record", "", "offset of the record in the log", {1},
                                           {.required = true, .positional = true}),
    option<&inspect::ProveOptions::log>("log", "", log_help),
    option<&inspect::ProveOptions::checkpoint>(
        "checkpoint", "",
        "prove against the tree of this checkpoint (none: the newest that the bus wrote)"),
    option<&inspect::ProveOptions::log_key>("log_key", "", log_key_help),
};
constexpr std::array timeline_table{
    option<&inspect::TimelineOptions::log>("log", "", any_log_help),
    option<&inspect::TimelineOptions::tz>(
        "tz", "", "time zone of the hours: America/Chicago, -05:00, UTC (none: this machine's)"),
    option<&inspect::TimelineOptions::since>("since", "", since_help),
    option<&inspect::TimelineOptions::until>("until", "", until_help),
    option<&inspect::TimelineOptions::agent>("agent", "", "only this agent's envelopes"),
    option<&inspect::TimelineOptions::lane>("lane", "", "only envelopes of this lane"),
    option<&inspect::TimelineOptions::limit>("limit", "", "the first so many envelopes; 0 = all"),
};
constexpr std::array gaps_table{
    option<&inspect::GapsOptions::log>("log", "", any_log_help),
};

constexpr std::string_view trust_help = "trust map (none: pki/trust.yaml in the state directory)";
constexpr std::array heads_table{
    option<&inspect::HeadsOptions::log>("log", "", log_help),
    option<&inspect::HeadsOptions::trust>("trust", "", trust_help),
};
constexpr std::array spool_table{
    option<&inspect::SpoolVerbOptions::spool>(
        "spool", "",
        "an agent's folder of spools, or one spool (none: spool in the state directory)"),
};

constexpr std::array verb_table{
    Verb{"summary", "what is in the log: records, events, agents, devices, times, gaps",
         summary_table, config::make_config<inspect::SummaryOptions>, inspect::summary,
         "amoskys inspect summary -o json\namoskys inspect summary --log flowagent.db"},
    Verb{"events", "the events of the log, filtered by time, device, metric, kind", events_table,
         config::make_config<inspect::EventsOptions>, inspect::events,
         "amoskys inspect events --device router-1 --metric ifInOctets --limit 5 -o ndjson\n"
         "amoskys inspect events --newest --limit 20\n"
         "amoskys inspect events --kind audit --since -2h"},
    Verb{"tail", "the newest events, and then what comes", tail_table, inspect::make_tail_options,
         inspect::tail,
         "amoskys inspect tail --device 'router-*'\n"
         "amoskys inspect tail --bus bus.example:50051 --severity CRITICAL -o ndjson\n"
         "amoskys inspect tail --bus bus.example:50051 --cursor siem -o ndjson"},
    Verb{"top", "rates, agents, lag, log and alerts, again and again", top_table,
         config::make_config<inspect::TopOptions>, inspect::top,
         "amoskys inspect top\namoskys inspect top --bus 127.0.0.1:50051\n"
         "amoskys inspect top --every 10s --count 6 -o ndjson"},
    Verb{"import",
         "takes over the earlier system's SQLite log; a file with a bad row changes nothing",
         import_table, config::make_config<inspect::ImportOptions>, inspect::import_log,
         "amoskys inspect import flowagent.db"},
    Verb{"backup", "the log of this moment as one file, beside the bus that writes it",
         backup_table, config::make_config<inspect::BackupOptions>, inspect::backup,
         "amoskys inspect backup /backup/amoskys.tar.zst\n"
         "amoskys inspect backup - | ssh vault 'cat > amoskys.tar.zst'"},
    Verb{"restore", "checks a backup as `verify` would, then puts it where no log is",
         restore_table, config::make_config<inspect::RestoreOptions>, inspect::restore,
         "amoskys inspect restore /backup/amoskys.tar.zst\n"
         "amoskys inspect restore amoskys.tar.zst --dry-run"},
    Verb{"verify", "recomputes digests, signatures, chains and the tree; exit 10 with findings",
         verify_table, config::make_config<inspect::VerifyOptions>, inspect::verify,
         "amoskys inspect verify\namoskys inspect verify --trust trust.yaml -o json\n"
         "amoskys inspect verify --since kept-checkpoint\n"
         "amoskys inspect verify --receipt receipts.json\n"
         "amoskys inspect verify --proof proof.json --log-key log.pub"},
    Verb{"prove", "the proof that a record stands in the log's tree", prove_table,
         config::make_config<inspect::ProveOptions>, inspect::prove,
         "amoskys inspect prove 17 -o json > proof.json"},
    Verb{"timeline", "how regularly envelopes came: rate, health, gaps, hours of the day",
         timeline_table, config::make_config<inspect::TimelineOptions>, inspect::timeline,
         "amoskys inspect timeline --tz America/Chicago --limit 1403"},
    Verb{"gaps", "what is known to be missing: gap markers, new epochs, damaged ranges", gaps_table,
         config::make_config<inspect::GapsOptions>, inspect::gaps, "amoskys inspect gaps -o json"},
    Verb{"heads", "what agents have signed about their lanes, and which of them are silent",
         heads_table, config::make_config<inspect::HeadsOptions>, inspect::heads,
         "amoskys inspect heads"},
    Verb{"receipts", "the bus's signed receipts in an agent's spools", spool_table,
         config::make_config<inspect::SpoolVerbOptions>, inspect::receipts,
         "amoskys inspect receipts -o json > receipts.json"},
    Verb{"quarantine", "envelopes that a bus refused for good, kept in an agent's spools",
         spool_table, config::make_config<inspect::SpoolVerbOptions>, inspect::quarantine,
         "amoskys inspect quarantine --spool /var/lib/amoskys/spool"},
};

}  // namespace

extern const module::ModuleInfo inspect_module;
constinit const module::ModuleInfo inspect_module{
    .name = "inspect",
    .kind = module::Kind::tool,
    .summary = "look into the log: events, summary, timeline, verification",
    .details =
        "Reads the log beside a running bus. Only `import` writes, and only where no bus holds the "
        "log; `restore` makes one where none is.\n\n"
        "Exit 66 where there is no log, 3 where some records could not be read.",
    .verbs = verb_table,
};

}  // namespace amoskys::modules
