// The bus's receipts that agents keep in their spools: the voucher from outside that finds a log
// whose tail was cut (PROTOCOL.md "Custody" rule 10). One thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/module/module.h"
#include "modules/tools/inspect/checkpoints.h"
#include "proto/bus.pb.h"

namespace amoskys::modules::inspect {

struct HeldReceipt {
    std::string address, origin;  // of the bus, where the spool knows it
    Bytes log_key;                // that the spool has pinned; empty where it came from a file
    amoskys::bus::Receipt receipt;
};

// Folders of single spools below `folder`, or itself where it is one; no_input "spool_missing".
Result<std::vector<std::filesystem::path>> spools_in(const std::filesystem::path& folder);

// A folder of spools, one spool, or a file with what `inspect receipts -o json` (or ndjson)
// printed.
Result<std::vector<HeldReceipt>> read_receipts(const std::filesystem::path& from);

// As `verify` compares them with the log; one by another key is a checkpoint with an error.
HeldCheckpoint as_checkpoint(const HeldReceipt& held, const PublicKey& log_key);

}  // namespace amoskys::modules::inspect
