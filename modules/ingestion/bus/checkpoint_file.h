// The checkpoints that the bus leaves in <state_dir>/checkpoints: `latest`, and for each day
// (UTC) `2026-11-21` with the last one of it. `inspect verify` compares the log with them; a copy
// kept elsewhere shows a log that was cut or replaced later.
//
// Used by the bus's service; one call at a time, from any thread. The log outlives it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "core/wal/checkpoint.h"
#include "core/wal/log.h"

namespace amoskys::ingestion {

struct LogIdentity {
    std::string origin;  // amoskys/<host>/<8 hex of the log key>
    std::shared_ptr<const crypto::SigningKey> key;
};

class CheckpointFile {
  public:
    CheckpointFile(std::filesystem::path folder, wal::Log& log, const Clock& clock);

    // Makes the folder and looks at `latest`: where the log is shorter, or of the same size with
    // another root, that is logged and the file is kept as `rolled-back-<size>`.
    Result<> begin(const LogIdentity& identity);
    // Only when the tree grew since the last one.
    Result<> write(const LogIdentity& identity);

  private:
    Result<> keep_rolled_back(const wal::Checkpoint& last, const wal::Log::TreeHead& head);

    const std::filesystem::path folder_;
    wal::Log& log_;
    const Clock& clock_;
    std::optional<std::uint64_t> written_size_;
};

}  // namespace amoskys::ingestion
