#include "core/crypto/pki_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/x509.h>
#include <sys/file.h>

#include <array>
#include <cerrno>

#include "core/base/bytes.h"
#include "core/base/types.h"
#include "core/crypto/hash.h"
#include "core/crypto/trust_map.h"

namespace amoskys::crypto {

using std::filesystem::path;

bool present(const path& file) {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::symlink_status(file, ignored));
}

Result<> check_lifetime(Duration lifetime) {
    if (lifetime >= std::chrono::minutes(1) && lifetime <= authority_lifetime)
        return {};
    return make_error(
        ErrorKind::usage, "bad_lifetime",
        fmt::format("certificate lifetime {}; allowed are 1m to 3650d", format_duration(lifetime)));
}

Result<> check_agent_name(std::string_view name) {
    if (valid_agent_id(name))
        return {};
    return make_error(ErrorKind::usage, "bad_agent_name",
                      fmt::format("agent name `{}`; allowed are 1 to 64 of A-Z a-z 0-9 . _ -",
                                  name.substr(0, 80)));
}

Result<FileDescriptor> lock_folder(const path& folder) {
    FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return errno_error("pki_open", "open key folder " + folder.string(), errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        return make_error(ErrorKind::unavailable, "pki_busy",
                          fmt::format("another command is changing {}", folder.string()));
    return fd;
}

Result<Authority> load_authority(const PkiPaths& paths) {
    auto certificate = load_certificate(paths.ca_cert());
    if (!certificate) {
        Error error = std::move(certificate).error();
        error.hint = "amoskys pki init makes a CA";
        return error;
    }
    AMOSKYS_TRY(key, load_private_key(paths.ca_key()));
    if (X509_check_private_key(certificate->get(), key.get()) != 1) {
        take_openssl_errors();
        return make_error(ErrorKind::failed, "ca_key_mismatch",
                          fmt::format("{} is not the key of {}", paths.ca_key().string(),
                                      paths.ca_cert().string()),
                          "amoskys pki rotate ca finishes a rotation that was interrupted");
    }
    return Authority{std::move(*certificate), std::move(key)};
}

Result<Authority> make_authority(bssl::UniquePtr<EVP_PKEY> key, UnixNanos now_ns) {
    std::array<std::uint8_t, 4> mark;
    random_bytes(mark);
    const CertificateRequest request{
        CertificateUse::authority, "amoskys CA " + to_hex(mark), {}, now_ns, authority_lifetime};
    AMOSKYS_TRY(certificate, make_certificate(request, key.get(), {}));
    return Authority{std::move(certificate), std::move(key)};
}

AgentFiles::AgentFiles(const path& root, std::string_view name) {
    const path base = root / "agents";
    const std::string stem(name);
    cert = base / (stem + ".crt");
    key = base / (stem + ".key");
    signing_key = base / (stem + ".ed25519");
    public_key = base / (stem + ".pub");
}

Result<> edit_trust_map(const PkiPaths& paths, const TrustMapEdit& edit) {
    AMOSKYS_TRY(yaml, read_file(paths.trust_map(), max_trust_map_bytes));
    const auto parse = [&](const std::string& text) {
        return TrustMap::parse(text, paths.root, paths.trust_map().string());
    };
    AMOSKYS_TRY(before, parse(yaml));
    AMOSKYS_TRY(edited, edit(yaml, *before));
    AMOSKYS_TRY(after, parse(edited));
    return edited == yaml ? Result<>() : write_file_atomic(paths.trust_map(), edited, 0600);
}

}  // namespace amoskys::crypto
