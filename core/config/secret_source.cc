#include "core/config/secret_source.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/file.h"
#include "core/base/text.h"

namespace amoskys::config {
namespace {

constexpr std::size_t max_secret_bytes = 64U << 10;

Error bad_secret(std::string message) {
    return make_error(ErrorKind::config, "config_secret", std::move(message));
}

std::string without_line_break(std::string text) {
    if (text.ends_with('\n'))
        text.pop_back();
    if (text.ends_with('\r'))
        text.pop_back();
    return text;
}

Result<std::string> read_secret_file(const std::filesystem::path& path) {
    auto content = read_file(path, max_secret_bytes);
    if (!content)
        return bad_secret("the secret cannot be read: " + content.error().message);
    return without_line_break(std::move(*content));
}

}  // namespace

void wipe(std::string& text) {
    explicit_bzero(text.data(), text.size());
    text.clear();
}

Result<std::string> SecretSource::read_input() {
    if (input_was_read_)
        return bad_secret("\"-\": another secret was already read from standard input");
    input_was_read_ = true;
    std::string text;
    text.reserve(max_secret_bytes + 1);  // no copies of a part stay behind in freed memory
    std::array<char, 4096> buffer{};
    while (text.size() <= max_secret_bytes) {
        const ssize_t got = ::read(input_fd_, buffer.data(),
                                   std::min(buffer.size(), max_secret_bytes + 1 - text.size()));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bad_secret(std::string("standard input cannot be read: ") +
                              std::strerror(errno));
        if (got == 0)
            break;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    explicit_bzero(buffer.data(), buffer.size());
    if (text.size() > max_secret_bytes) {
        wipe(text);
        return bad_secret("a secret from standard input has at most 65536 bytes");
    }
    return without_line_break(std::move(text));
}

Result<std::string> SecretSource::resolve(std::string_view text) {
    constexpr std::string_view credential = "credential:";
    if (text == "-")
        return read_input();
    if (text.starts_with("@@"))
        return std::string(text.substr(1));
    if (text.starts_with('@'))
        return read_secret_file(std::string(text.substr(1)));
    if (!text.starts_with(credential))
        return std::string(text);
    const std::string name(text.substr(credential.size()));
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
        return bad_secret("credential:" + printable(name) +
                          ": a credential is named without a folder");
    if (credentials_directory_.empty())
        return bad_secret("credential:" + printable(name) +
                          ": CREDENTIALS_DIRECTORY is not set (systemd's LoadCredential= sets it)");
    return read_secret_file(std::filesystem::path(credentials_directory_) / name);
}

}  // namespace amoskys::config
