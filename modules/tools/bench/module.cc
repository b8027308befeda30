#include <array>

#include "modules/tools/bench/bench_options.h"

namespace amoskys::modules {
namespace {

using bench::BenchOptions;
using config::option;

constexpr std::array bench_table{
    option<&BenchOptions::bus>("bus", "", "the bus to load"),
    option<&BenchOptions::publishers>("publishers", "",
                                      "connections at once, each with a lane of its own", {1, 64}),
    option<&BenchOptions::batch>("batch", "records", "records in an envelope", {1, 100'000}),
    option<&BenchOptions::size>("size", "bytes",
                                "bytes of a record, at least: it gets as many metrics as it takes",
                                {1, 131'072}),
    option<&BenchOptions::rate>("rate", "records/s",
                                "of all publishers together; 0 = as fast as the bus takes it",
                                {0, 1e9}),
    option<&BenchOptions::duration>("duration", "", "how long to publish", {0.1, 86'400}),
    option<&BenchOptions::id>("id", "", "agent identity (none: the only one, or the host's)"),
    option<&BenchOptions::lane>("lane", "", "lanes are named so, with a number behind"),
};

constexpr std::array verb_table{
    module::Verb{"", "publishes for a while and prints rates and latencies", bench_table,
                 config::make_config<BenchOptions>, bench::bench,
                 "amoskys bench --bus 127.0.0.1:50051 --duration 30s\n"
                 "amoskys bench --batch 1 --rate 5000 --publishers 4 -o json"},
};

}  // namespace

extern const module::ModuleInfo bench_module;
constinit const module::ModuleInfo bench_module{
    .name = "bench",
    .kind = module::Kind::tool,
    .summary = "load generator for a bus: rates and percentiles of the time to acknowledgement",
    .details =
        "Signed envelopes over mutual TLS, as agents send them; the bus verifies and stores them "
        "like any others, in lanes bench-1, bench-2, ..., of events that say they are synthetic. "
        "Load no bus with it whose log is to be kept clean.\n\n"
        "A latency runs from the time an envelope was due (--rate) or was signed until its "
        "acknowledgement. Publishers and bus on one machine share its cores.",
    .verbs = verb_table,
};

}  // namespace amoskys::modules
