#include "modules/collectors/replay/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace amoskys::replay {
namespace {

Result<FileDescriptor> spool(int from) {
    const char* folder = std::getenv("TMPDIR");
    if (folder == nullptr || *folder == '\0')
        folder = "/tmp";
    FileDescriptor file(::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file) {
        std::string name = std::string(folder) + "/amoskys_replay_XXXXXX";
        file = FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
        if (!file) {
            auto error = errno_error(
                "stdin_spool", "cannot make a temporary file in " + std::string(folder), errno);
            error.kind = ErrorKind::cannot_create;
            error.hint = "set TMPDIR, or give the name of a file instead of -";
            return error;
        }
        ::unlink(name.c_str());
    }
    std::vector<char> buffer(1 << 20);
    while (true) {
        const ssize_t got = ::read(from, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno_error("stdin_read", "cannot read stdin", errno);
        if (got == 0)
            return file;
        for (ssize_t done = 0; done < got;) {
            const ssize_t put =
                ::write(file.get(), buffer.data() + done, static_cast<std::size_t>(got - done));
            if (put < 0 && errno == EINTR)
                continue;
            if (put < 0)
                return errno_error("stdin_spool",
                                   "cannot write the copy of stdin in " + std::string(folder),
                                   errno);
            done += put;
        }
    }
}

}  // namespace

Result<Source> Source::open(const std::string& path) {
    Source source;
    if (path == "-") {
        source.name_ = "stdin";
        source.base_ = ::lseek(STDIN_FILENO, 0, SEEK_CUR);
        if (source.base_ >= 0) {
            source.file_ = FileDescriptor(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
        } else {
            AMOSKYS_TRY(copy, spool(STDIN_FILENO));
            source.file_ = std::move(copy);
            source.base_ = 0;
        }
    } else {
        source.name_ = path;
        source.file_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    }
    if (!source.file_)
        return errno_error("replay_open", "cannot open " + source.name_, errno);
    AMOSKYS_TRY_VOID(source.remember());
    return source;
}

Result<> Source::remember() {
    struct stat info {};
    if (::fstat(file_.get(), &info) != 0)
        return errno_error("replay_open", "cannot look at " + name_, errno);
    if (!S_ISREG(info.st_mode))
        return make_error(ErrorKind::no_input, "replay_not_a_file", name_ + ": not a regular file",
                          "use - to read a pipe from stdin");
    size_ = info.st_size;
    modified_ns_ = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
    position_ = base_;
    return {};
}

Result<> Source::rewind() {
    struct stat info {};
    if (::fstat(file_.get(), &info) != 0)
        return errno_error("replay_open", "cannot look at " + name_, errno);
    if (info.st_size != size_ ||
        info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec != modified_ns_)
        return make_error(ErrorKind::bad_data, "replay_changed",
                          name_ + ": changed while it was being read");
    position_ = base_;
    return {};
}

Result<std::size_t> Source::read(char* out, std::size_t size) {
    while (true) {
        const ssize_t got = ::pread(file_.get(), out, size, position_);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno_error("replay_read", "cannot read " + name_, errno);
        position_ += got;
        return static_cast<std::size_t>(got);
    }
}

}  // namespace amoskys::replay
