#include "modules/transformation/etl/canonical_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "modules/transformation/etl/spill_file.h"

namespace amoskys::etl {
namespace {

constexpr std::size_t piece_bytes = 1 << 20;

struct Head {
    std::uint32_t device = 0, kind = 0, count = 0, nothing = 0;
    UnixNanos time_ns = 0;
};
static_assert(sizeof(Head) == 24 && sizeof(CanonicalSample) == 16);

enum Kind : std::uint32_t { instant_kind, process_kind, flow_kind };
constexpr std::uint32_t kind_of_samples(const CanonicalSample*) {
    return instant_kind;
}
constexpr std::uint32_t kind_of_samples(const module::ProcessSample*) {
    return process_kind;
}
constexpr std::uint32_t kind_of_samples(const module::FlowSample*) {
    return flow_kind;
}

// The samples of a record; `at` may not be aligned.
template <class Sample>
std::span<const Sample> copy_samples(const char* at, std::size_t count,
                                     std::vector<Sample>& samples) {
    samples.resize(count);
    if (count > 0)
        std::memcpy(samples.data(), at, count * sizeof(Sample));
    return samples;
}

std::size_t sample_bytes(std::uint32_t kind) {
    switch (kind) {
        case process_kind:
            return sizeof(module::ProcessSample);
        case flow_kind:
            return sizeof(module::FlowSample);
        default:
            return sizeof(CanonicalSample);
    }
}

}  // namespace

Result<CanonicalStore> CanonicalStore::open(const std::filesystem::path& folder) {
    AMOSKYS_TRY(file, make_unlinked_file(folder));
    return CanonicalStore(std::move(file));
}

template <class Sample>
void CanonicalStore::append(std::uint32_t device, UnixNanos time_ns,
                            std::span<const Sample> samples) {
    const Head head{device, kind_of_samples(samples.data()),
                    static_cast<std::uint32_t>(samples.size()), 0, time_ns};
    pending_.append(reinterpret_cast<const char*>(&head), sizeof head);
    pending_.append(reinterpret_cast<const char*>(samples.data()), samples.size_bytes());
    if (pending_.size() >= piece_bytes)
        flush();
}

void CanonicalStore::add(const Instant& instant) {
    append(instant.device, instant.time_ns, instant.samples);
}

void CanonicalStore::add(const Observations& observations) {
    if (!observations.processes.empty())
        append(observations.device, observations.from_ns, observations.processes);
    if (!observations.flows.empty())
        append(observations.device, observations.from_ns, observations.flows);
}

void CanonicalStore::flush() {
    if (failed_)
        failed_ = write_spill(file_, pending_);
    written_ += pending_.size();
    pending_.clear();
}

Result<> CanonicalStore::read(const OrderedVisit& visit) {
    flush();
    AMOSKYS_TRY_VOID(failed_);
    std::string buffer(piece_bytes, '\0');
    std::vector<CanonicalSample> samples;
    std::vector<module::ProcessSample> processes;
    std::vector<module::FlowSample> flows;
    std::size_t begin = 0, end = 0;  // of what is in the buffer and not read yet
    std::uint64_t at = 0;            // in the file, of what comes next
    // Makes `bytes` contiguous at `begin`.
    const auto have = [&](std::size_t bytes) -> Result<> {
        if (end - begin >= bytes)
            return {};
        std::memmove(buffer.data(), buffer.data() + begin, end - begin);
        end -= begin;
        begin = 0;
        buffer.resize(std::max(bytes, buffer.size()));
        while (end < bytes) {
            const ssize_t n = ::pread(file_.get(), buffer.data() + end, buffer.size() - end,
                                      static_cast<off_t>(at));
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return errno_error("features_read", "cannot read the spill file",
                                   n < 0 ? errno : EIO);
            end += static_cast<std::size_t>(n);
            at += static_cast<std::uint64_t>(n);
        }
        return {};
    };
    std::uint64_t done = 0;
    while (done < written_) {
        Head head;
        AMOSKYS_TRY_VOID(have(sizeof head));
        std::memcpy(&head, buffer.data() + begin, sizeof head);
        const std::size_t bytes = sizeof head + head.count * sample_bytes(head.kind);
        AMOSKYS_TRY_VOID(have(bytes));
        const char* at_samples = buffer.data() + begin + sizeof head;
        begin += bytes;
        done += bytes;
        if (head.kind == instant_kind)
            visit.instant(
                {head.device, {}, head.time_ns, copy_samples(at_samples, head.count, samples)});
        else if (head.kind == process_kind)
            visit.observations({head.device,
                                {},
                                head.time_ns,
                                copy_samples(at_samples, head.count, processes),
                                {}});
        else
            visit.observations(
                {head.device, {}, head.time_ns, {}, copy_samples(at_samples, head.count, flows)});
    }
    return {};
}

}  // namespace amoskys::etl
