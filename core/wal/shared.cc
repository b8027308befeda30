#include "core/wal/shared.h"

#include <condition_variable>
#include <map>
#include <mutex>

#include "core/base/check.h"

namespace amoskys::wal {

namespace {

struct Announcement {
    Log* log = nullptr;
    std::uint64_t readers = 0;
    bool closing = false;
};

struct Announced {
    std::mutex mutex;
    std::condition_variable given_back;
    std::map<std::filesystem::path, Announcement> logs;
    std::map<std::filesystem::path, std::weak_ptr<Log>> readers;
};

Announced& announced() {
    static Announced table;
    return table;
}

std::filesystem::path key_of(const std::filesystem::path& folder) {
    std::error_code ec;
    std::filesystem::path key = std::filesystem::weakly_canonical(folder, ec);
    return ec ? folder : key;
}

void give_back(const std::filesystem::path& key) {
    const std::lock_guard hold(announced().mutex);
    if (--announced().logs.at(key).readers == 0)
        announced().given_back.notify_all();
}

}  // namespace

AnnouncedLog::AnnouncedLog(std::filesystem::path folder, Log& log) : folder_(key_of(folder)) {
    const std::lock_guard hold(announced().mutex);
    check(announced().logs.emplace(folder_, Announcement{&log}).second, "a log is announced once");
}

void AnnouncedLog::end_readers() {
    std::unique_lock hold(announced().mutex);
    Announcement& own = announced().logs.at(folder_);
    own.closing = true;
    announced().given_back.wait(hold, [&own] { return own.readers == 0; });
}

AnnouncedLog::~AnnouncedLog() {
    end_readers();
    const std::lock_guard hold(announced().mutex);
    announced().logs.erase(folder_);
}

bool is_announced(const std::filesystem::path& folder) {
    const std::lock_guard hold(announced().mutex);
    return announced().logs.contains(key_of(folder));
}

Result<std::shared_ptr<Log>> open_reader(const std::filesystem::path& folder, Options options) {
    // Held while it is opened: who asks meanwhile gets the same one.
    const std::lock_guard hold(announced().mutex);
    const std::filesystem::path key = key_of(folder);
    if (const auto found = announced().logs.find(key); found != announced().logs.end()) {
        if (found->second.closing)
            return make_error(ErrorKind::unavailable, "log_closing",
                              "the log at " + folder.string() + " is being closed");
        ++found->second.readers;
        return std::shared_ptr<Log>(found->second.log, [key](Log*) { give_back(key); });
    }
    std::weak_ptr<Log>& shared = announced().readers[key];
    if (std::shared_ptr<Log> open = shared.lock())
        return open;
    options.read_only = true;
    AMOSKYS_TRY(log, Log::open(folder, options));
    std::shared_ptr<Log> out(std::move(log));
    shared = out;
    return out;
}

}  // namespace amoskys::wal
