#include "core/io/file_watch.h"

#include <sys/stat.h>

namespace amoskys::io {

FileWatch::FileWatch(std::vector<std::filesystem::path> files)
    : files_(std::move(files)), known_(look()), last_(known_) {}

std::vector<FileWatch::State> FileWatch::look() const {
    std::vector<State> out;
    out.reserve(files_.size());
    for (const auto& file : files_) {
        struct stat status {};
        if (::stat(file.c_str(), &status) != 0)
            out.emplace_back();
        else  // ctime: permissions too, and it cannot be set back
            out.push_back(
                {status.st_ino, status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec});
    }
    return out;
}

bool FileWatch::changed() {
    auto now = look();
    const bool settled = now == last_;
    last_ = std::move(now);
    if (!settled || last_ == known_)
        return false;
    known_ = last_;
    return true;
}

}  // namespace amoskys::io
