// The stages of etl over a log, each alone, in CPU seconds: read (decode, order, canonical rows,
// into the store), fit (split, baselines), windows (cut, all features; rows go nowhere).
// usage: bench_etl LOG; prints one JSON object. etl_bench.py makes the log and runs the peer.
#include <sys/resource.h>

#include <cstdio>

#include "bench/measure.h"
#include "core/module/module.h"
#include "modules/transformation/etl/etl.h"
#include "modules/transformation/etl/wal_source.h"

using namespace amoskys;

namespace {

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: bench_etl LOG\n");
        return 64;
    }
    bench::ScratchFolder scratch;
    etl::RunConfig options;
    options.out = scratch.path().string();
    etl::EtlConfig config;
    config.align = "first";
    etl::RunRequest request = bench::need(etl::make_request(config, options, UINT64_MAX));
    for (const module::ModuleInfo* info : module::all_modules())
        if (info->kind == module::Kind::extractor)
            request.extractors.push_back(info->extractor);
    const auto source = bench::need(etl::WalSource::open(argv[1], request.filter, false));
    const auto batch =
        bench::need(etl::Batch::open(scratch.path(), request.extractors, request.batch));

    const double begun = cpu_seconds();
    bench::need(source->read([&](const wire::Event& event, UnixNanos received_ns) {
        batch->observe(event, received_ns);
    }));
    const double read = cpu_seconds();
    bench::need(batch->learn());
    const double learnt = cpu_seconds();
    std::uint64_t rows = 0;
    double sum = 0;  // of a column, so that nothing is left out for want of a reader
    bench::need(batch->cut([&](const module::Window&, const module::FeatureRow& row, etl::Part) {
        ++rows;
        sum += row.values().back();
    }));
    const double cut = cpu_seconds();
    std::printf(
        "{\"rows\": %llu, \"columns\": %zu, \"samples\": %llu, \"read_s\": %.3f, "
        "\"fit_s\": %.3f, \"windows_s\": %.3f, \"sum\": %.17g}\n",
        static_cast<unsigned long long>(rows), batch->columns().columns().size(),
        static_cast<unsigned long long>(batch->intake().counts().samples), read - begun,
        learnt - read, cut - learnt, sum);
    return 0;
}
