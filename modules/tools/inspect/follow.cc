#include "modules/tools/inspect/follow.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/base/file.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

constexpr int wait_ms = 1000;

// Wakes when something in a folder is written. Where inotify cannot be had, the wait is the rhythm.
class FolderWatch {
  public:
    explicit FolderWatch(const std::filesystem::path& folder)
        : descriptor_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
        if (descriptor_.get() >= 0)
            ::inotify_add_watch(descriptor_.get(), folder.c_str(), IN_MODIFY | IN_MOVED_TO);
    }
    void wait() {
        pollfd ready{descriptor_.get(), POLLIN, 0};
        if (::poll(&ready, 1, wait_ms) <= 0)
            return;
        char events[4096];
        while (::read(descriptor_.get(), events, sizeof events) > 0)
            continue;
    }

  private:
    FileDescriptor descriptor_;
};

}  // namespace

Result<> follow_log(wal::Log& log, const std::filesystem::path& folder, const Follow& follow,
                    Rows& rows, Printer& printer) {
    FolderWatch watch(folder);
    const std::uint64_t limit = follow.stop_after == 0 ? UINT64_MAX : follow.stop_after;
    std::uint64_t printed = 0;
    WalOffset at = follow.from;
    std::deque<Json> pending;
    while (printed < limit) {
        std::uint64_t bytes = 0;
        bool paused = false;
        AMOSKYS_TRY(
            reached,
            log.read_matching(at, step_records, follow.skip, [&](const wal::RecordView& record) {
                rows.add(record, pending, limit - printed);
                bytes += record.stored.size();
                paused = bytes >= step_bytes || pending.size() >= limit - printed;
                return !paused;
            }));
        const bool moved = reached > at;
        at = reached;
        for (const Json& row : pending)
            if (!printer.print(row))
                return printer.finish();
        printed += pending.size();
        pending.clear();
        if (!printer.flush())
            return printer.finish();
        if (!moved && !paused)
            watch.wait();
    }
    return printer.finish();
}

}  // namespace amoskys::modules::inspect
