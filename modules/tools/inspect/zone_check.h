// Makes the log's zone maps anew from the records, and compares: one that was changed, so that a
// search passes over records, would otherwise hide them without a word. Used by the Verifier. One
// thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/wal/log.h"
#include "core/wal/zone.h"

namespace amoskys::modules::inspect {

class ZoneCheck {
  public:
    using Report = std::function<void(WalOffset at, std::string message)>;

    ZoneCheck(wal::Log& log, Report report) : log_(log), report_(std::move(report)) {}
    void begin(const std::vector<wal::SegmentClaims>& segments, WalOffset last);
    // Of each record that can be read, in order. Nothing: the facts are not known.
    void add(const wal::RecordView& record, const std::optional<wal::RecordFacts>& facts);
    // Compares what is complete. No read transaction may be open.
    Result<> settle();
    Result<> finish();

  private:
    struct Made {
        wal::Zone zone;
        const wal::SegmentClaims* segment = nullptr;
        WalOffset first, last;  // the records of the segment that it stands for
        std::uint64_t seen = 0;
    };
    void open_at(WalOffset offset);
    Result<> compare(const Made& made);

    wal::Log& log_;
    Report report_;
    const std::vector<wal::SegmentClaims>* segments_ = nullptr;
    std::size_t segment_ = 0;
    WalOffset last_;
    std::optional<Made> open_;
    std::vector<Made> complete_;
};

}  // namespace amoskys::modules::inspect
