// The verbs of `amoskys inspect`, and their options. Used by the module table and by the tests.
// All but import_log and restore open the log read-only, beside a running bus.
#pragma once

#include <string>
#include <vector>

#include "core/module/module.h"

namespace amoskys::modules::inspect {

struct EventsOptions {
    std::string log;
    std::string since, until;
    std::vector<std::string> device, metric, kind, source, severity;
    std::uint64_t limit = 0;
    std::uint64_t offset = 0;
    bool newest = false;
    bool full = false;
    bool follow = false;
    std::string bus, agent, cursor;
    std::uint64_t lines = 10;  // of `tail`: rows before what comes
};
struct TopOptions {
    std::string log, bus, agent;
    Duration every = std::chrono::seconds(2);
    std::uint64_t count = 0;
};
struct SummaryOptions {
    std::string log;
    std::uint64_t top = 10;
};
struct ImportOptions {
    std::string database;
    std::string log;
    bool dry_run = false;
};
struct BackupOptions {
    std::string file;  // "-": stdout
    std::string log;
};
struct RestoreOptions {
    std::string file;  // "-": stdin
    std::string log;
    std::string trust;
    std::string log_key;
    bool as_is = false, dry_run = false;
};
struct VerifyOptions {
    std::string log;
    std::string trust;
    std::string since;    // a checkpoint that somebody kept
    std::string log_key;  // the log's public key
    std::string proof;
    std::string receipt = {};  // of agents: a file, a spool, or a folder of spools
};
struct TimelineOptions {
    std::string log;
    std::string tz;
    std::string since, until;
    std::string agent, lane;
    std::uint64_t limit = 0;
};
struct ProveOptions {
    std::uint64_t offset = 0;
    std::string log;
    std::string checkpoint = {};
    std::string log_key = {};
};
struct GapsOptions {
    std::string log;
};
struct HeadsOptions {
    std::string log;
    std::string trust;
};
struct SpoolVerbOptions {
    std::string spool;
};

Result<> events(module::ToolContext& context);
Result<> tail(module::ToolContext& context);
std::shared_ptr<void> make_tail_options();
Result<> top(module::ToolContext& context);
Result<> summary(module::ToolContext& context);
Result<> import_log(module::ToolContext& context);
Result<> backup(module::ToolContext& context);
Result<> restore(module::ToolContext& context);
Result<> verify(module::ToolContext& context);        // finding: exit 10
Result<> verify_proof(module::ToolContext& context);  // `verify --proof`, without a log
Result<> prove(module::ToolContext& context);         // finding: the proof does not hold
Result<> timeline(module::ToolContext& context);
Result<> gaps(module::ToolContext& context);
Result<> heads(module::ToolContext& context);
Result<> receipts(module::ToolContext& context);
Result<> quarantine(module::ToolContext& context);

}  // namespace amoskys::modules::inspect
