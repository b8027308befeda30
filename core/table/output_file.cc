#include "core/table/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace amoskys::table {

Result<std::unique_ptr<OutputFile>> OutputFile::create(const std::filesystem::path& path) {
    std::filesystem::path temporary =
        path.parent_path() / ("." + path.filename().string() + ".partial");
    FileDescriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file)
        return errno_error("table_create", "cannot create " + temporary.string(), errno);
    return std::unique_ptr<OutputFile>(new OutputFile(path, std::move(temporary), std::move(file)));
}

OutputFile::~OutputFile() {
    if (!temporary_.empty())
        ::unlink(temporary_.c_str());
}

Error OutputFile::failed(int errno_value) const {
    return errno_error("table_write", "cannot write " + temporary_.string(), errno_value);
}

Result<> OutputFile::flush() {
    std::string_view left = pending_;
    while (!left.empty()) {
        const ssize_t n = ::write(file_.get(), left.data(), left.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(errno);
        left.remove_prefix(static_cast<std::size_t>(n));
        written_ += static_cast<std::uint64_t>(n);
    }
    pending_.clear();
    return {};
}

Result<> OutputFile::finish() {
    AMOSKYS_TRY_VOID(flush());
    if (::fsync(file_.get()) != 0)
        return failed(errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0)
        return errno_error("table_rename", "cannot rename to " + path_.string(), errno);
    temporary_.clear();
    return sync_directory(path_.parent_path().empty() ? "." : path_.parent_path());
}

}  // namespace amoskys::table
