#include "core/crypto/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/file.h"

namespace amoskys::crypto {
namespace {

Result<FileDescriptor> open_private(const std::filesystem::path& file, off_t& size_bytes) {
    FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd)
        return errno_error("key_file_open", "open private key " + file.string(), errno);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0)
        return errno_error("key_file_open", "examine private key " + file.string(), errno);
    if (!S_ISREG(info.st_mode))
        return make_error(ErrorKind::permission, "key_file_not_regular",
                          fmt::format("private key {} is not a regular file", file.string()));
    // What root lays down for a group to read (systemd's credentials, mounted secrets) is as root
    // wants it.
    const bool of_root = info.st_uid == 0 && ::geteuid() != 0;
    if ((info.st_mode & (of_root ? 037U : 077U)) != 0)
        return make_error(
            ErrorKind::permission, "key_file_readable",
            fmt::format("private key {} has mode {:04o}; only its owner may have access (0600), or "
                        "where root owns it, a group too (0440)",
                        file.string(), info.st_mode & 07777U),
            fmt::format("chmod 600 {}", file.string()));
    size_bytes = info.st_size;
    return fd;
}

}  // namespace

SecretText::~SecretText() {
    sodium_memzero(text_.data(), text_.size());
}

Result<> require_private(const std::filesystem::path& file) {
    off_t size_bytes = 0;
    AMOSKYS_TRY(fd, open_private(file, size_bytes));
    return {};
}

Result<SecretText> read_private_file(const std::filesystem::path& file) {
    off_t size_bytes = 0;
    AMOSKYS_TRY(fd, open_private(file, size_bytes));
    if (size_bytes > static_cast<off_t>(max_key_file_bytes))
        return make_error(ErrorKind::bad_data, "key_file_too_large",
                          fmt::format("private key {} has {} bytes; at most {} are read",
                                      file.string(), size_bytes, max_key_file_bytes));
    // Full size at once: growing would leave unwiped copies behind.
    std::string text(static_cast<std::size_t>(size_bytes), '\0');
    std::size_t used = 0;
    while (used < text.size()) {
        const ssize_t got = ::read(fd.get(), text.data() + used, text.size() - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            const int error = errno;
            sodium_memzero(text.data(), text.size());
            return errno_error("key_file_read", "read private key " + file.string(), error);
        }
        if (got == 0)
            break;
        used += static_cast<std::size_t>(got);
    }
    text.resize(used);
    return SecretText(std::move(text));
}

std::string take_openssl_errors() {
    std::string text;
    while (const auto code = ERR_get_error()) {
        char buffer[ERR_ERROR_STRING_BUF_LEN];
        ERR_error_string_n(code, buffer, sizeof buffer);
        text += (text.empty() ? "" : "; ") + std::string(buffer);
    }
    return text.empty() ? "no reason given" : text;
}

}  // namespace amoskys::crypto
