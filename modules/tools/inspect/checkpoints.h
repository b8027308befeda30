// Checkpoints as `verify` and `prove` use them: those that the bus left beside its log, one that
// somebody kept elsewhere, and the public key that they are checked with. One thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "core/wal/checkpoint.h"

namespace amoskys::modules::inspect {

struct HeldCheckpoint {
    std::string_view kind = "checkpoint";  // or "receipt", of an agent
    bool outside = false;                  // kept by somebody else than the bus
    std::string file;
    std::string note;
    std::optional<wal::Checkpoint> checkpoint;  // nothing: `error` says why
    std::optional<Error> error;
};

// --log-key FILE, else STATE/pki/log.pub; no_input "log_key_missing" where there is none.
Result<PublicKey> load_log_key(const module::ToolContext& context, const std::string& option);

// `file` may be anywhere. Error: it cannot be read. Otherwise what it holds, or what is wrong.
Result<HeldCheckpoint> read_checkpoint(const std::filesystem::path& file, const PublicKey& key);

// STATE/checkpoints: `latest`, one for each day, and those of logs that were rolled back (at most
// 4,096), by name. Empty where the folder is not there.
Result<std::vector<HeldCheckpoint>> stored_checkpoints(const module::ToolContext& context,
                                                       const PublicKey& key);

}  // namespace amoskys::modules::inspect
