#include "modules/tools/inspect/receipts.h"

#include <algorithm>
#include <array>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/module/bus_memory.h"
#include "core/wal/log.h"
#include "core/wire/statement.h"
#include "modules/tools/inspect/inspect_verbs.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::uint64_t receipts_file_max = 16 << 20;

constexpr std::array<Column, 12> receipt_columns{{
    {"agent"},
    {"lane"},
    {"bus"},
    {"epoch", "", false, true},
    {"last_sequence", "", true, true},
    {"tree_size", "", true, true},
    {"time"},
    {"signature"},
    {"origin", "", false},
    {"head_digest", "", false},
    {"root", "", false},
    {"receipt", "", false},
}};
constexpr Noun receipt_noun{"receipt", receipt_columns};

bool is_spool(const fs::path& folder) {
    std::error_code failed;
    fs::directory_iterator at(folder, failed);
    for (; !failed && at != fs::directory_iterator(); at.increment(failed))
        if (at->path().extension() == ".mdb")
            return true;
    return false;
}

Result<> add_receipts(const fs::path& spool, std::vector<HeldReceipt>& out) {
    wal::Options options;
    options.read_only = true;
    AMOSKYS_TRY(log, wal::Log::open(spool, options));
    module::BusMemory memory;
    AMOSKYS_TRY_VOID(memory.load(*log));
    for (const auto& [id, bus] : memory.buses())
        for (const auto& receipt : bus.receipts)
            out.push_back({bus.address, bus.origin, bus.log_key, receipt});
    return {};
}

Result<> add_row(const Json& row, const std::string& file, std::vector<HeldReceipt>& out) {
    const Error bad = make_error(ErrorKind::bad_data, "receipt_form",
                                 file + ": not what `amoskys inspect receipts -o json` prints");
    if (!row.is_object() || !row.contains("receipt") || !row["receipt"].is_string())
        return bad;
    Bytes bytes;
    HeldReceipt held;
    if (!from_base64(row["receipt"].get_ref<const std::string&>(), bytes) ||
        !held.receipt.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return bad;
    out.push_back(std::move(held));
    return {};
}

Result<> add_file(const fs::path& file, std::vector<HeldReceipt>& out) {
    AMOSKYS_TRY(text, read_file(file, receipts_file_max));
    if (const auto whole = json::parse(text, file.string()); whole && whole->is_array()) {
        for (const Json& row : *whole)
            AMOSKYS_TRY_VOID(add_row(row, file.string(), out));
        return {};
    }
    for (const std::string_view line : split(text, '\n')) {
        if (trim(line).empty())
            continue;
        AMOSKYS_TRY(row, json::parse(line, file.string()));
        AMOSKYS_TRY_VOID(add_row(row, file.string(), out));
    }
    return {};
}

Json receipt_row(const HeldReceipt& held) {
    const auto& receipt = held.receipt;
    PublicKey key{};
    const bool keyed = held.log_key.size() == key.size();
    if (keyed)
        std::ranges::copy(held.log_key, key.begin());
    Json row = Json::object();
    row["agent"] = receipt.agent_id();
    row["lane"] = receipt.lane();
    row["bus"] = held.address;
    row["origin"] = held.origin;
    row["epoch"] = receipt.epoch();
    row["last_sequence"] = receipt.last_sequence();
    row["head_digest"] = to_hex(as_bytes(receipt.head_digest()));
    row["tree_size"] = receipt.tree_size();
    row["root"] = to_hex(as_bytes(receipt.root()));
    row["time"] = json::time(receipt.time_ns());
    row["signature"] = keyed && wire::signature_fits(receipt, key) ? "ok" : "wrong";
    row["receipt"] = to_base64(as_bytes(receipt.SerializeAsString()));
    return row;
}

}  // namespace

Result<std::vector<fs::path>> spools_in(const fs::path& folder) {
    std::vector<fs::path> out;
    if (is_spool(folder)) {
        out.push_back(folder);
        return out;
    }
    std::error_code failed;
    fs::directory_iterator at(folder, failed);
    for (; !failed && at != fs::directory_iterator(); at.increment(failed))
        if (is_spool(at->path()))
            out.push_back(at->path());
    if (failed || out.empty())
        return make_error(ErrorKind::no_input, "spool_missing", "no spool at " + folder.string(),
                          "--spool names an agent's STATE/spool, or one lane's folder in it");
    std::ranges::sort(out);
    return out;
}

Result<std::vector<HeldReceipt>> read_receipts(const fs::path& from) {
    std::vector<HeldReceipt> out;
    std::error_code failed;
    if (!fs::is_directory(from, failed)) {
        AMOSKYS_TRY_VOID(add_file(from, out));
        return out;
    }
    AMOSKYS_TRY(spools, spools_in(from));
    for (const fs::path& spool : spools)
        AMOSKYS_TRY_VOID(add_receipts(spool, out));
    return out;
}

HeldCheckpoint as_checkpoint(const HeldReceipt& held, const PublicKey& log_key) {
    const auto& receipt = held.receipt;
    HeldCheckpoint out;
    out.kind = "receipt";
    out.outside = true;
    out.file = "of " + printable(receipt.agent_id()) + "/" + printable(receipt.lane());
    wal::Checkpoint promised;
    promised.size = receipt.tree_size();
    promised.time_ns = receipt.time_ns();
    if (receipt.root().size() != promised.root.size() || !wire::signature_fits(receipt, log_key))
        out.error = make_error(ErrorKind::bad_data, "receipt_signature",
                               "the receipt is not signed by the log's key");
    else
        std::ranges::copy(as_bytes(receipt.root()), promised.root.begin());
    if (!out.error)
        out.checkpoint = std::move(promised);
    return out;
}

Result<> receipts(module::ToolContext& context) {
    const auto& options = *static_cast<const SpoolVerbOptions*>(context.config.get());
    const fs::path folder =
        options.spool.empty() ? context.state_dir / "spool" : fs::path(options.spool);
    AMOSKYS_TRY(output, RowOutput::open(context.out, context.output, receipt_noun));
    AMOSKYS_TRY(held, read_receipts(folder));
    for (const HeldReceipt& each : held)
        if (!output->row(receipt_row(each)))
            break;
    return output->finish();
}

}  // namespace amoskys::modules::inspect
