#include "core/crypto/pki.h"

#include <fmt/format.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/base/file.h"
#include "core/base/types.h"
#include "core/crypto/pki_folder.h"
#include "core/crypto/signing.h"
#include "core/crypto/trust_map.h"

namespace amoskys::crypto {
namespace {

using std::filesystem::path;

constexpr std::string_view trust_map_head =
    "# Who may publish to this machine's bus, and with which key (agent name: public key).\n"
    "# `amoskys pki issue agent NAME` adds a line; the long form is described in the manual.\n"
    "agents:\n";

// Removes what was made unless all of it was.
class Undo {
  public:
    ~Undo() {
        std::error_code ignored;
        for (const path& made : made_)
            std::filesystem::remove_all(made, ignored);
    }
    void add(path made) { made_.push_back(std::move(made)); }
    void keep() { made_.clear(); }

  private:
    std::vector<path> made_;
};

// Writes NAME.crt and NAME.key for a new key.
Result<> write_identity(const CertificateRequest& request, const Issuer& issuer, const path& cert,
                        const path& key_file) {
    auto key = make_p256_key();
    AMOSKYS_TRY(certificate, make_certificate(request, key.get(), issuer));
    AMOSKYS_TRY_VOID(write_new_file(key_file, private_key_pem(key.get()).view(), 0600));
    return write_new_file(cert, certificate_pem(certificate.get()), 0644);
}

Result<> write_signing_key(const path& key_file, const path& public_file) {
    const SigningKey key = SigningKey::generate();
    AMOSKYS_TRY_VOID(key.save_new(key_file));
    return write_new_file(public_file, public_key_pem(key.public_key()), 0644);
}

Result<> write_agent(const AgentFiles& files, std::string_view name, const Issuer& issuer,
                     Duration lifetime, UnixNanos now_ns) {
    CertificateRequest request{CertificateUse::client, std::string(name), {}, now_ns, lifetime};
    if (valid_dns_name(name))
        request.sans.emplace_back(name);
    AMOSKYS_TRY_VOID(write_identity(request, issuer, files.cert, files.key));
    return write_signing_key(files.signing_key, files.public_key);
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

Result<std::vector<std::string>> bus_sans(const std::vector<std::string>& extra) {
    std::vector<std::string> sans{"localhost", "127.0.0.1", "::1"};
    const std::string host = host_name();
    if (valid_dns_name(host) && host != "localhost")
        sans.push_back(host);
    for (const std::string& san : extra) {
        if (!valid_address(san) && !valid_dns_name(san))
            return make_error(
                ErrorKind::usage, "bad_san",
                fmt::format("`{}` is neither a DNS name nor an IP address", san.substr(0, 300)));
        if (std::find(sans.begin(), sans.end(), san) == sans.end())
            sans.push_back(san);
    }
    return sans;
}

// All files of a new key folder.
Result<> fill_folder(const PkiPaths& paths, const InitRequest& request,
                     const std::vector<std::string>& sans, const std::string& agent,
                     UnixNanos now_ns) {
    AMOSKYS_TRY_VOID(make_directories(paths.root / "agents", 0700));
    AMOSKYS_TRY(ca, make_authority(make_p256_key(), now_ns));
    AMOSKYS_TRY_VOID(write_new_file(paths.ca_key(), private_key_pem(ca.key.get()).view(), 0600));
    AMOSKYS_TRY_VOID(write_new_file(paths.ca_cert(), certificate_pem(ca.certificate.get()), 0644));
    const CertificateRequest bus{CertificateUse::server, "amoskys bus", sans, now_ns,
                                 request.lifetime};
    AMOSKYS_TRY_VOID(write_identity(bus, ca.issuer(), paths.bus_cert(), paths.bus_key()));
    AMOSKYS_TRY_VOID(write_signing_key(paths.log_key(), paths.log_public_key()));
    const AgentFiles files(paths.root, agent);
    AMOSKYS_TRY_VOID(write_agent(files, agent, ca.issuer(), request.lifetime, now_ns));
    AMOSKYS_TRY(trust, add_trusted_agent(trust_map_head, agent,
                                         "agents/" + files.public_key.filename().string()));
    return write_new_file(paths.trust_map(), trust, 0600);
}

Result<> refuse_existing(const PkiPaths& paths) {
    if (present(paths.ca_cert()) || present(paths.ca_key()))
        return make_error(
            ErrorKind::cannot_create, "pki_exists",
            fmt::format("{} has a CA already; nothing was changed", paths.root.string()),
            "amoskys pki list shows it; amoskys pki issue agent NAME adds an agent");
    std::error_code ignored;
    if (present(paths.root) && !std::filesystem::is_empty(paths.root, ignored))
        return make_error(ErrorKind::cannot_create, "pki_not_empty",
                          fmt::format("{} exists and is not an empty folder; nothing was changed",
                                      paths.root.string()));
    return {};
}

Result<path> renew(const PkiPaths& paths, const path& cert, const path& key_file,
                   CertificateUse use, Duration lifetime, UnixNanos now_ns) {
    AMOSKYS_TRY_VOID(check_lifetime(lifetime));
    AMOSKYS_TRY(lock, lock_folder(paths.root));
    AMOSKYS_TRY(ca, load_authority(paths));
    AMOSKYS_TRY(old, load_certificate(cert));
    AMOSKYS_TRY(key, load_private_key(key_file));
    const CertificateRequest request{use, common_name(old.get()), subject_alt_names(old.get()),
                                     now_ns, lifetime};
    AMOSKYS_TRY(renewed, make_certificate(request, key.get(), ca.issuer()));
    AMOSKYS_TRY_VOID(write_file_atomic(cert, certificate_pem(renewed.get()), 0644));
    return cert;
}

path or_earlier(path ours, path earlier) {
    return !present(ours) && present(earlier) ? earlier : ours;
}

}  // namespace

path PkiPaths::ca_cert() const {
    return root / "ca.crt";
}
path PkiPaths::ca_key() const {
    return root / "ca.key";
}
path PkiPaths::bus_cert() const {
    return or_earlier(root / "bus.crt", root / "server.crt");
}
path PkiPaths::bus_key() const {
    return or_earlier(root / "bus.key", root / "server.key");
}
path PkiPaths::agent_cert(std::string_view name) const {
    return or_earlier(AgentFiles(root, name).cert, root / "agent.crt");
}
path PkiPaths::agent_key(std::string_view name) const {
    return or_earlier(AgentFiles(root, name).key, root / "agent.key");
}
path PkiPaths::agent_signing_key(std::string_view name) const {
    return or_earlier(AgentFiles(root, name).signing_key, root / "agent.ed25519");
}
path PkiPaths::agent_public_key(std::string_view name) const {
    return AgentFiles(root, name).public_key;
}
path PkiPaths::log_key() const {
    return root / "log.key";
}
path PkiPaths::log_public_key() const {
    return root / "log.pub";
}
path PkiPaths::trust_map() const {
    return root / "trust.yaml";
}

std::string local_agent_name() {
    std::string name = host_name().substr(0, 64);
    for (char& c : name)
        if (!valid_agent_id(std::string_view(&c, 1)))
            c = '-';
    return valid_agent_id(name) ? name : "localhost";
}

Result<std::vector<path>> pki_init(const PkiPaths& paths, const InitRequest& request,
                                   const Clock& clock) {
    const std::string agent =
        request.local_agent.empty() ? local_agent_name() : request.local_agent;
    AMOSKYS_TRY_VOID(check_agent_name(agent));
    AMOSKYS_TRY_VOID(check_lifetime(request.lifetime));
    AMOSKYS_TRY(sans, bus_sans(request.extra_sans));
    AMOSKYS_TRY_VOID(refuse_existing(paths));
    const path root = std::filesystem::absolute(paths.root);
    AMOSKYS_TRY_VOID(make_directories(root.parent_path(), 0700));
    std::string pattern = (root.parent_path() / ".pki-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
        return errno_error("pki_create", "make a folder in " + root.parent_path().string(), errno);
    Undo undo;
    undo.add(pattern);
    AMOSKYS_TRY_VOID(fill_folder({pattern}, request, sans, agent, clock.now_ns()));
    AMOSKYS_TRY_VOID(sync_directory(path(pattern) / "agents"));
    AMOSKYS_TRY_VOID(sync_directory(pattern));
    // Replaces an empty folder; fails where another command was faster.
    if (std::rename(pattern.c_str(), root.c_str()) != 0)
        return errno_error("pki_create", "make key folder " + root.string(), errno);
    undo.keep();
    AMOSKYS_TRY_VOID(sync_directory(root.parent_path()));
    std::vector<path> made{paths.ca_cert(),  paths.ca_key(),  paths.bus_cert(),
                           paths.bus_key(),  paths.log_key(), paths.log_public_key(),
                           paths.trust_map()};
    for (path& file : AgentFiles(paths.root, agent).all())
        made.push_back(std::move(file));
    return made;
}

Result<std::vector<path>> pki_issue_agent(const PkiPaths& paths, std::string_view name,
                                          Duration lifetime, const Clock& clock) {
    AMOSKYS_TRY_VOID(check_agent_name(name));
    AMOSKYS_TRY_VOID(check_lifetime(lifetime));
    AMOSKYS_TRY(lock, lock_folder(paths.root));
    AMOSKYS_TRY(ca, load_authority(paths));
    const AgentFiles files(paths.root, name);
    for (const path& file : files.all())
        if (present(file))
            return make_error(ErrorKind::cannot_create, "agent_exists",
                              fmt::format("{} exists already; nothing was changed", file.string()));
    AMOSKYS_TRY(yaml, read_file(paths.trust_map(), max_trust_map_bytes));
    AMOSKYS_TRY(trust,
                add_trusted_agent(yaml, name, "agents/" + files.public_key.filename().string()));
    AMOSKYS_TRY_VOID(make_directories(files.cert.parent_path(), 0700));
    Undo undo;
    for (path& file : files.all())
        undo.add(std::move(file));
    AMOSKYS_TRY_VOID(write_agent(files, name, ca.issuer(), lifetime, clock.now_ns()));
    AMOSKYS_TRY_VOID(write_file_atomic(paths.trust_map(), trust, 0600));
    undo.keep();
    return files.all();
}

Result<path> pki_renew_bus(const PkiPaths& paths, Duration lifetime, const Clock& clock) {
    return renew(paths, paths.bus_cert(), paths.bus_key(), CertificateUse::server, lifetime,
                 clock.now_ns());
}

Result<path> pki_renew_agent(const PkiPaths& paths, std::string_view name, Duration lifetime,
                             const Clock& clock) {
    AMOSKYS_TRY_VOID(check_agent_name(name));
    return renew(paths, paths.agent_cert(name), paths.agent_key(name), CertificateUse::client,
                 lifetime, clock.now_ns());
}

Result<> pki_edit_trust_map(const PkiPaths& paths, const TrustMapEdit& edit) {
    AMOSKYS_TRY(lock, lock_folder(paths.root));
    return edit_trust_map(paths, edit);
}

Result<> pki_revoke_agent(const PkiPaths& paths, std::string_view name) {
    return pki_edit_trust_map(paths, [&](const std::string& yaml, const TrustMap&) {
        return revoke_trusted_agent(yaml, name);
    });
}

std::vector<std::string> pki_agents(const PkiPaths& paths) {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(paths.root / "agents", none)) {
        const std::string name = entry.path().stem().string();
        if (entry.path().extension() != ".crt" || !valid_agent_id(name))
            continue;
        const AgentFiles files(paths.root, name);
        if (present(files.key) && present(files.signing_key))
            names.push_back(name);
    }
    const bool earlier = present(paths.root / "agent.key") && present(paths.root / "agent.ed25519");
    if (const auto info = read_certificate(paths.root / "agent.crt");
        earlier && info && valid_agent_id(info->subject_cn))
        names.push_back(info->subject_cn);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace amoskys::crypto
