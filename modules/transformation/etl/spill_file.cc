#include "modules/transformation/etl/spill_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace amoskys::etl {

Result<FileDescriptor> make_unlinked_file(const std::filesystem::path& folder) {
    FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        // A file system without O_TMPFILE: a name that is gone at once.
        std::string name = (folder / ".spill-XXXXXX").string();
        file = FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
        if (file)
            ::unlink(name.c_str());
    }
    if (!file)
        return errno_error("features_folder", "cannot write in " + folder.string(), errno);
    return file;
}

Result<> write_spill(const FileDescriptor& file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
        if (n >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(n));
        else if (errno != EINTR)
            return errno_error("features_write", "cannot write the spill file", errno);
    }
    return {};
}

}  // namespace amoskys::etl
