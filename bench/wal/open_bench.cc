#include "bench/wal/open_bench.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "core/base/file.h"
#include "core/crypto/hash.h"
#include "core/wal/log.h"

namespace amoskys::bench {
namespace {

constexpr double bar_ms = 50;
constexpr int rounds = 5;
constexpr std::size_t group_records = 128;

double wanted_gigabytes() {
    const char* text = std::getenv("AMOSKYS_BENCH_OPEN_GB");
    return text == nullptr ? 10 : std::strtod(text, nullptr);
}

void make_log(const std::filesystem::path& folder, const Signed& from, double bytes) {
    auto log = need(wal::Log::open(folder, {}));
    const Bytes signature(64, 7);
    std::vector<Digest> digests;
    for (const auto& envelope : from.envelopes)
        digests.push_back(crypto::sha256(as_bytes(envelope)));
    std::size_t at = 0;
    for (double written = 0; written < bytes;) {
        wal::Group group;
        for (std::size_t i = 0; i < group_records; ++i, at = (at + 1) % from.envelopes.size()) {
            wal::Append record;
            record.stored = as_bytes(from.envelopes[at]);
            record.digest = digests[at];
            record.signature = signature;
            written += static_cast<double>(record.stored.size());
            group.records.push_back(record);
        }
        need(log->append(group));
    }
}

void forget_pages(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const FileDescriptor file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
        if (file.get() >= 0 && ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED) != 0)
            fail(make_error(ErrorKind::io, "fadvise", entry.path().string()));
    }
}

double open_ms(const std::filesystem::path& folder) {
    const Stopwatch watch;
    const auto log = need(wal::Log::open(folder, {}));
    const double ms = watch.seconds() * 1000;
    if (log->stats().records == 0)
        fail(make_error(ErrorKind::internal, "empty_log", folder.string()));
    return ms;
}

}  // namespace

std::vector<Row> open_rows(const std::filesystem::path& folder, const Signed& from) {
    const double gigabytes = wanted_gigabytes();
    make_log(folder, from, gigabytes * 1e9);
    std::vector<double> cold, warm;
    for (int round = 0; round < rounds; ++round) {
        forget_pages(folder);
        cold.push_back(open_ms(folder));
        warm.push_back(open_ms(folder));
    }
    std::filesystem::remove_all(folder);
    char name[64];
    std::snprintf(name, sizeof name, "open a log of %g GB", gigabytes);
    return {{std::string(name) + ", cold", "ms", median(cold), bar_ms, "at most"},
            {std::string(name) + ", in cache", "ms", median(warm), bar_ms, "at most"}};
}

}  // namespace amoskys::bench
