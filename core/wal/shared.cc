#include "core/wal/shared.h"

#include <map>
#include <mutex>

#include "core/base/check.h"

namespace amoskys::wal {

namespace {

struct Announced {
    std::mutex mutex;
    std::map<std::filesystem::path, Log*> logs;
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

}  // namespace

AnnouncedLog::AnnouncedLog(std::filesystem::path folder, Log& log) : folder_(key_of(folder)) {
    const std::lock_guard hold(announced().mutex);
    check(announced().logs.emplace(folder_, &log).second, "a log is announced once");
}

AnnouncedLog::~AnnouncedLog() {
    const std::lock_guard hold(announced().mutex);
    announced().logs.erase(folder_);
}

Result<std::shared_ptr<Log>> open_reader(const std::filesystem::path& folder, Options options) {
    {
        const std::lock_guard hold(announced().mutex);
        if (const auto found = announced().logs.find(key_of(folder));
            found != announced().logs.end())
            return std::shared_ptr<Log>(found->second, [](Log*) {});
    }
    options.read_only = true;
    AMOSKYS_TRY(log, Log::open(folder, options));
    return std::shared_ptr<Log>(std::move(log));
}

}  // namespace amoskys::wal
