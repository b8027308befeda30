#include "modules/tools/inspect/checkpoints.h"

#include <algorithm>
#include <cerrno>
#include <functional>

#include "core/base/file.h"
#include "core/crypto/pki.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::size_t stored_max = 4096;

// Not the temporary file of one that is being written.
bool is_checkpoint_name(const std::string& name) {
    const bool day = name.size() == 10 && name.find_first_not_of("0123456789-") == name.npos;
    return name == "latest" || day || name.starts_with("rolled-back-");
}

}  // namespace

Result<PublicKey> load_log_key(const module::ToolContext& context, const std::string& option) {
    const std::filesystem::path file =
        option.empty() ? crypto::PkiPaths{context.state_dir / "pki"}.log_public_key()
                       : std::filesystem::path(option);
    std::error_code failed;
    if (!std::filesystem::exists(file, failed))
        return make_error(ErrorKind::no_input, "log_key_missing",
                          "no public key of the log at " + file.string(),
                          "--log-key names it; `amoskys pki init` made it as pki/log.pub");
    return crypto::load_public_key(file);
}

Result<HeldCheckpoint> read_checkpoint(const std::filesystem::path& file, const PublicKey& key) {
    AMOSKYS_TRY(note, read_file(file, wal::checkpoint_bytes_max));
    HeldCheckpoint out;
    out.file = file.string();
    auto opened = wal::open_checkpoint(note, key);
    out.note = std::move(note);
    if (opened)
        out.checkpoint = std::move(*opened);
    else
        out.error = opened.error();
    return out;
}

Result<std::vector<HeldCheckpoint>> stored_checkpoints(const module::ToolContext& context,
                                                       const PublicKey& key) {
    const std::filesystem::path folder = context.state_dir / "checkpoints";
    std::vector<std::filesystem::path> files;
    std::error_code failed;
    std::filesystem::directory_iterator at(folder, failed);
    for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed))
        if (is_checkpoint_name(at->path().filename().string()))
            files.push_back(at->path());
    if (failed && failed.value() != ENOENT)
        return errno_error("checkpoints_read", "cannot list " + folder.string(), failed.value());
    std::ranges::sort(files, std::greater());  // names of days: the newest of too many stay
    if (files.size() > stored_max)
        files.resize(stored_max);
    std::vector<HeldCheckpoint> out;
    for (const auto& file : files) {
        AMOSKYS_TRY(each, read_checkpoint(file, key));
        out.push_back(std::move(each));
    }
    std::ranges::sort(out, {}, &HeldCheckpoint::file);
    return out;
}

}  // namespace amoskys::modules::inspect
