// The canonical instants of a run on their way to the windows: an unlinked file
// beside the output, written once and read as often as medians, baselines and
// windows need it, so that the log is decoded once and memory stays bounded. No
// one else ever sees the file.
//
//   record  u32 device | u16 0 | u16 kind | u32 0 | u32 count | u64 time_ns |
//   count x sample kind 0: an instant; 1, 2: processes, flows, time_ns =
//   from_ns. In the order of arrival and the machine's own form.
#pragma once

#include <filesystem>
#include <string>

#include "core/base/file.h"
#include "core/base/result.h"
#include "modules/transformation/etl/intake.h"

namespace amoskys::etl {

class CanonicalStore {
  public:
    static Result<CanonicalStore> open(const std::filesystem::path& folder);

    // A failure to write is kept and told by read().
    void add(const Instant& instant);
    void add(const Observations& observations);
    // In the order in which they were added; names are left empty.
    Result<> read(const OrderedVisit& visit);

  private:
    explicit CanonicalStore(FileDescriptor file) : file_(std::move(file)) {}
    template <class Sample>
    void append(std::uint32_t device, UnixNanos time_ns, std::span<const Sample> samples);
    void flush();

    FileDescriptor file_;
    std::string pending_;
    std::uint64_t written_ = 0;
    Result<> failed_;
};

}  // namespace amoskys::etl
