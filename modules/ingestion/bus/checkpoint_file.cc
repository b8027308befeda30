#include "modules/ingestion/bus/checkpoint_file.h"

#include "core/base/file.h"
#include "core/log/log.h"

namespace amoskys::ingestion {

namespace {
constexpr unsigned mode = 0644;  // anybody may keep a copy; it holds no secret
constexpr std::string_view latest = "latest";
constexpr std::size_t date_characters = 10;
}  // namespace

CheckpointFile::CheckpointFile(std::filesystem::path folder, wal::Log& log, const Clock& clock)
    : folder_(std::move(folder)), log_(log), clock_(clock) {}

Result<> CheckpointFile::begin(const LogIdentity& identity) {
    AMOSKYS_TRY_VOID(make_directories(folder_, 0700));
    const auto note = read_file(folder_ / latest, wal::checkpoint_bytes_max);
    if (!note && note.error().kind == ErrorKind::no_input)
        return {};
    if (!note)
        return note.error();
    const auto last = wal::open_checkpoint(*note, identity.key->public_key());
    if (!last) {
        log::warning("bus", "checkpoint_unreadable",
                     (folder_ / latest).string() + ": " + last.error().message +
                         "; a new one takes its place");
        return {};
    }
    AMOSKYS_TRY(head, log_.tree_head());
    if (last->size > head.size || (last->size == head.size && last->root != head.root))
        return keep_rolled_back(*last, head);
    written_size_ = last->size;
    return {};
}

Result<> CheckpointFile::keep_rolled_back(const wal::Checkpoint& last,
                                          const wal::Log::TreeHead& head) {
    const auto kept = folder_ / ("rolled-back-" + std::to_string(last.size));
    log::error("bus", "log_rolled_back",
               "the log is not the one of the last checkpoint: it was cut, replaced or restored "
               "from an older copy",
               {{"records", head.size},
                {"checkpoint", last.size},
                {"time", format_time(last.time_ns)},
                {"kept_as", kept.string()}});
    std::error_code failed;
    std::filesystem::rename(folder_ / latest, kept, failed);
    if (failed)
        return errno_error("checkpoint_rename", "cannot rename " + (folder_ / latest).string(),
                           failed.value());
    return sync_directory(folder_);
}

Result<> CheckpointFile::write(const LogIdentity& identity) {
    AMOSKYS_TRY(head, log_.tree_head());
    if (head.size == written_size_.value_or(0))
        return {};
    const wal::Checkpoint checkpoint{identity.origin, head.size, head.root, clock_.now_ns()};
    const std::string note = wal::sign_checkpoint(checkpoint, *identity.key);
    const std::string day = format_time(checkpoint.time_ns).substr(0, date_characters);
    AMOSKYS_TRY_VOID(write_file_atomic(folder_ / latest, note, mode));
    AMOSKYS_TRY_VOID(write_file_atomic(folder_ / day, note, mode));
    written_size_ = head.size;
    return {};
}

}  // namespace amoskys::ingestion
