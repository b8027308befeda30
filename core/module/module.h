// What a module is: static data that describes it, and one small interface per kind. --help, the
// man page, completion, `amoskys modules`, config validation and the metrics page come from this
// data.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/config/config.h"
#include "core/io/runtime.h"
#include "core/json/output.h"
#include "core/metrics/metrics.h"
#include "core/module/extractor.h"
#include "core/module/model.h"
#include "core/wire/builder.h"
#include "core/wire/event.h"

namespace amoskys::module {

enum class Kind { collector, service, extractor, model, sink, tool };

// ---- collectors -------------------------------------------------------------------------------

// Where a collector puts what it read. Awaiting = backpressure: returns once the record is in the
// batch that will be signed and spooled. Records are owned by the emitter from then on.
class Emitter {
  public:
    virtual ~Emitter() = default;
    virtual io::Task<Result<>> emit(messaging::DeviceTelemetry record) = 0;
    // Processes or flows of one device (TelemetryBatch field 102).
    virtual io::Task<Result<>> emit(std::string device_id,
                                    std::vector<messaging::ProcessEvent> processes) = 0;
    virtual io::Task<Result<>> emit(std::string device_id,
                                    std::vector<messaging::FlowEvent> flows) = 0;
    // Ends a cycle: what is in the batch is signed and spooled now. Collectors call it after each
    // cycle.
    virtual io::Task<Result<>> flush() = 0;
};

struct CollectorContext {
    io::asio::io_context& io;
    const Clock& clock;
    metrics::Registry& metrics;
    std::shared_ptr<const void> config;  // of the module's config type
    bool once = false;                   // one cycle, then return
    std::string host_name;               // device id of this host
};

// run() goes on until cancelled (or one cycle with once) and retries its own transient failures.
// With once it fails (unavailable) where nothing at all could be read.
class Collector {
  public:
    virtual ~Collector() = default;
    virtual io::Task<Result<>> run(Emitter& emitter) = 0;
};

// ---- services ---------------------------------------------------------------------------------

// Who runs the service: ready() is called once it can serve, with the addresses for --ready-file.
class ServiceHost {
  public:
    virtual ~ServiceHost() = default;
    virtual void ready(const Json& addresses) = 0;
};

struct ServiceContext {
    io::asio::io_context& io;
    const Clock& clock;
    metrics::Registry& metrics;
    std::shared_ptr<const void> config;
    std::filesystem::path state_dir;
    ServiceHost& host;
    const config::Loaded* loaded =
        nullptr;  // the whole configuration, of a service that runs verbs
};

class Service {
  public:
    virtual ~Service() = default;
    virtual io::Task<Result<>> run() = 0;  // until cancelled; stops in the documented order
    virtual Result<> reload(
        std::shared_ptr<const void> config) = 0;  // SIGHUP; on error the old state stays
};

// ---- tools ------------------------------------------------------------------------------------

struct ToolContext {
    std::shared_ptr<const void> config;  // options from the command line, typed
    std::string verb;                    // of a tool with verbs: "events"; "" otherwise
    std::filesystem::path state_dir;
    const config::Loaded& loaded;  // the whole configuration
    OutputOptions output;
    ByteSink& out;          // stdout
    bool progress = false;  // stderr is a terminal and not --quiet
    bool quiet = false;
    std::string_view command;  // "inspect events", for messages
};

// A subcommand that runs and ends. Errors are printed by the caller.
using ToolFunction = Result<> (*)(ToolContext& context);

struct Verb {
    std::string_view name, summary;
    std::span<const config::Option> options;  // command line of this verb
    std::shared_ptr<void> (*make_config)();
    ToolFunction run;
    std::string_view examples = {};  // lines, shown in --help
};

// ---- the table --------------------------------------------------------------------------------

using CollectorFactory = Result<std::unique_ptr<Collector>> (*)(const CollectorContext&);
using ServiceFactory = Result<std::unique_ptr<Service>> (*)(const ServiceContext&);

// A file that the executable carries in itself, for `config dump`.
struct DataFile {
    std::string path;  // below the folder: "snmp/default.yaml"
    std::string_view text;
};

struct ModuleInfo {
    std::string_view name;  // folder = subcommand or config key = metric prefix = log component
    Kind kind;
    std::string_view summary;      // one sentence, no full stop
    std::string_view details;      // paragraphs for --help and the man page
    std::string_view config_root;  // "bus", "agent.snmp", "etl"; "" for tools without configuration
    std::span<const config::Option> options;
    std::shared_ptr<void> (*make_config)() = nullptr;
    std::span<const metrics::MetricInfo> metrics;
    std::span<const std::string_view> privileges;  // "CAP_NET_RAW: reads packets"
    // Reads what the kernel hides from a process under Landlock: exe, cwd and descriptors of
    // others.
    bool watches_processes = false;
    std::string_view default_output = "table";
    CollectorFactory make_collector = nullptr;
    bool ends_by_itself =
        false;  // a collector whose run() has an end (a file): stopping it early is a failure
    // A collector of many small batches: its spool syncs those of so long together (0: each).
    Duration spool_sync = {};
    ServiceFactory make_service = nullptr;
    std::span<const Verb> verbs;  // tools and multi-verb modules (score, inspect, pki)
    // A tool below another one: `score rules list` is verb `list` of module `rules`, part of
    // `score`.
    std::string_view part_of = {};
    const ExtractorKind* extractor = nullptr;
    const ModelKind* model = nullptr;
    std::vector<DataFile> (*data_files)() = nullptr;
};

// All modules of this binary, in the order of the data flow. Generated by CMake from the module
// folders.
std::span<const ModuleInfo* const> all_modules();
const ModuleInfo* find_module(std::string_view name);
std::vector<config::Section> all_sections();  // of all modules, the host's own ones included

}  // namespace amoskys::module
