// Rotation of keys with an overlap. Each function works out what is to be done from what lies in
// the folder, so that a run that was cut short is finished by the next one.
#include <fmt/format.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "core/crypto/pki_folder.h"
#include "core/crypto/signing.h"
#include "core/crypto/trust_map.h"

namespace amoskys::crypto {
namespace {

using std::filesystem::path;

constexpr Duration overlap_max = std::chrono::hours(24 * 3650);
// Clocks differ; certificates begin as early.
constexpr UnixNanos skew_ns = 300'000'000'000;

path with_suffix(const path& file, std::string_view suffix) {
    return file.string() + std::string(suffix);
}

Result<> rename_over(const path& from, const path& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0)
        return errno_error("pki_rename", fmt::format("rename {} to", from.string()), errno);
    return sync_directory(to.parent_path());
}

Result<> copy_private(const path& from, const path& to) {
    AMOSKYS_TRY(text, read_private_file(from));
    return write_new_file(to, text.view(), 0600);
}

// The steps that were taken, or with dry_run would be: `act` is left out then.
class Steps {
  public:
    explicit Steps(bool dry_run) : dry_run_(dry_run) {}
    template <class Act>
    Result<> step(std::string_view action, const path& file, std::string detail, const Act& act) {
        list.push_back({std::string(action), file, std::move(detail)});
        return dry_run_ ? Result<>() : act();
    }
    void none(const path& file, std::string detail) {
        list.push_back({"none", file, std::move(detail)});
    }
    RotationSteps list;

  private:
    const bool dry_run_;
};

Result<> remove_file(const path& file) {
    std::error_code failed;
    std::filesystem::remove(file, failed);
    return failed ? Result<>(errno_error("pki_remove", "remove " + file.string(), failed.value()))
                  : Result<>();
}

// ---- signing keys ---------------------------------------------------------------------------

class AgentRotation {
  public:
    AgentRotation(const PkiPaths& paths, std::string_view name, const RotateRequest& request,
                  UnixNanos now_ns)
        : paths_(paths),
          name_(name),
          request_(request),
          files_(paths.root, name),
          now_ns_(now_ns),
          steps_(request.dry_run) {}

    Result<RotationSteps> run();

  private:
    path private_file(std::string_view id) const {
        return files_.signing_key.parent_path() / fmt::format("{}.{}.ed25519", name_, id);
    }
    path public_file(std::string_view id) const {
        return files_.public_key.parent_path() / fmt::format("{}.{}.pub", name_, id);
    }
    std::string relative(const path& file) const { return "agents/" + file.filename().string(); }
    Result<> begin();
    Result<> finish();
    Result<SigningKey> next_key();
    Result<> keep_old();
    Result<> trust_both(const SigningKey& fresh);
    Result<> take_over(std::string_view id, const PublicKey& key);
    Result<> save_trust(std::string detail);

    const PkiPaths& paths_;
    const std::string name_;
    const RotateRequest& request_;
    const AgentFiles files_;
    const UnixNanos now_ns_;
    Steps steps_;
    TrustedAgent agent_;
    std::optional<SigningKey> current_;
};

Result<RotationSteps> AgentRotation::run() {
    if (!present(files_.signing_key))
        return make_error(ErrorKind::no_input, "no_such_agent",
                          fmt::format("{} is not there", files_.signing_key.string()),
                          "amoskys pki list shows the agents");
    AMOSKYS_TRY(current, SigningKey::load(files_.signing_key));
    current_ = std::move(current);
    AMOSKYS_TRY(map, TrustMap::load(paths_.trust_map()));
    const TrustedAgent* agent = map->find(name_);
    const auto is_current = [&](const TrustedKey& key) { return key.id == current_->id(); };
    if (agent == nullptr || std::ranges::none_of(agent->keys, is_current))
        return make_error(
            ErrorKind::failed, "key_not_trusted",
            fmt::format("{} has no agent {} with the key {} of {}", paths_.trust_map().string(),
                        name_, current_->id(), files_.signing_key.string()));
    agent_ = *agent;
    AMOSKYS_TRY_VOID(request_.finish ? finish() : begin());
    return std::move(steps_.list);
}

Result<> AgentRotation::begin() {
    for (const TrustedKey& key : agent_.keys)
        if (key.status == KeyStatus::active && key.id != current_->id() &&
            present(private_file(key.id)))
            return take_over(key.id, key.key);  // where an earlier run ended
    for (const TrustedKey& key : agent_.keys) {
        if (key.status != KeyStatus::retiring || !key.usable_at(now_ns_))
            continue;
        steps_.none(files_.signing_key,
                    fmt::format("key {} is new, {} retires at {}", current_->id(), key.id,
                                format_time(key.not_after_ns)));
        return {};
    }
    AMOSKYS_TRY(fresh, next_key());
    AMOSKYS_TRY_VOID(keep_old());
    AMOSKYS_TRY_VOID(trust_both(fresh));
    return take_over(fresh.id(), fresh.public_key());
}

// The key that an earlier run made and did not get to use, or a new one.
Result<SigningKey> AgentRotation::next_key() {
    std::error_code none;
    const std::string prefix = name_ + ".";
    for (const auto& entry :
         std::filesystem::directory_iterator(files_.signing_key.parent_path(), none)) {
        const std::string file = entry.path().filename().string();
        if (!file.starts_with(prefix) || entry.path().extension() != ".ed25519")
            continue;
        auto key = SigningKey::load(entry.path());
        const bool trusted = key && std::ranges::any_of(agent_.keys, [&](const TrustedKey& known) {
                                 return known.id == key->id();
                             });
        if (key && !trusted && entry.path() == private_file(key->id()))
            return key;
    }
    SigningKey key = SigningKey::generate();
    const std::string_view id = request_.dry_run ? "<new key id>" : std::string_view(key.id());
    AMOSKYS_TRY_VOID(steps_.step("make", private_file(id), "new signing key",
                                 [&] { return key.save_new(private_file(key.id())); }));
    return key;
}

Result<> AgentRotation::keep_old() {
    const path old_private = private_file(current_->id());
    const path old_public = public_file(current_->id());
    if (!present(old_private))
        AMOSKYS_TRY_VOID(steps_.step("keep", old_private, "the old signing key", [&] {
            return copy_private(files_.signing_key, old_private);
        }));
    if (present(old_public))
        return {};
    return steps_.step("keep", old_public, "the old public key", [&] {
        return write_new_file(old_public, public_key_pem(current_->public_key()), 0644);
    });
}

Result<> AgentRotation::trust_both(const SigningKey& fresh) {
    const path file = public_file(fresh.id());
    const Algorithm algorithm = agent_.keys.front().algorithm;
    if (!present(file))
        AMOSKYS_TRY_VOID(steps_.step(
            "make", public_file(request_.dry_run ? "<new key id>" : fresh.id()), "new public key",
            [&] { return write_new_file(file, public_key_pem(fresh.public_key()), 0644); }));
    const UnixNanos end_ns = now_ns_ + static_cast<UnixNanos>(request_.overlap.count());
    for (TrustedKey& key : agent_.keys) {
        if (key.id == current_->id())
            key.path = relative(public_file(key.id));
        if (key.status != KeyStatus::active)
            continue;
        key.status = KeyStatus::retiring;
        key.not_after_ns = std::min(key.not_after_ns, end_ns);
    }
    TrustedKey key;
    key.id = fresh.id();
    key.path = relative(file);
    key.algorithm = algorithm;
    key.not_before_ns = now_ns_ - std::min(now_ns_, skew_ns);
    agent_.keys.push_back(std::move(key));
    return save_trust(fmt::format("key {} retires at {}; the new one is good now", current_->id(),
                                  format_time(end_ns)));
}

Result<> AgentRotation::save_trust(std::string detail) {
    return steps_.step("replace", paths_.trust_map(), std::move(detail), [&] {
        return edit_trust_map(paths_, [&](const std::string& yaml, const TrustMap&) {
            return replace_trusted_agent(yaml, agent_);
        });
    });
}

// The trust map has the new key: the agent gets it.
Result<> AgentRotation::take_over(std::string_view id, const PublicKey& key) {
    AMOSKYS_TRY_VOID(steps_.step("replace", files_.public_key, "public key of the new one", [&] {
        return write_file_atomic(files_.public_key, public_key_pem(key), 0644);
    }));
    return steps_.step("replace", files_.signing_key, "the agent signs with the new key",
                       [&] { return rename_over(private_file(id), files_.signing_key); });
}

Result<> AgentRotation::finish() {
    bool changed = false;
    std::vector<path> private_files;
    for (TrustedKey& key : agent_.keys) {
        if (key.id == current_->id()) {
            if (key.status != KeyStatus::active)
                return make_error(ErrorKind::failed, "rotation_not_done",
                                  fmt::format("{} signs with key {}, which retires", name_, key.id),
                                  fmt::format("amoskys pki rotate agent {} goes on", name_));
            continue;
        }
        if (present(private_file(key.id)) && key.status != KeyStatus::active)
            private_files.push_back(private_file(key.id));
        if (key.status != KeyStatus::retiring || !key.usable_at(now_ns_))
            continue;
        key.not_after_ns = now_ns_;
        changed = true;
    }
    if (changed)
        AMOSKYS_TRY_VOID(save_trust("the old key is no longer good for new envelopes"));
    for (const path& file : private_files)
        AMOSKYS_TRY_VOID(
            steps_.step("delete", file, "the old signing key", [&] { return remove_file(file); }));
    if (steps_.list.empty())
        steps_.none(files_.signing_key, "no rotation is under way");
    return {};
}

// ---- TLS keys -------------------------------------------------------------------------------

bool fits(X509* certificate, EVP_PKEY* key) {
    const bool fit = X509_check_private_key(certificate, key) == 1;
    take_openssl_errors();
    return fit;
}

// CERT.new goes to its place after KEY.new, which may be there already.
Result<> install_pair(Steps& steps, const path& key_file, const path& cert_file, bool with_key) {
    if (with_key)
        AMOSKYS_TRY_VOID(steps.step("replace", key_file, "new private key", [&] {
            return rename_over(with_suffix(key_file, ".new"), key_file);
        }));
    return steps.step("replace", cert_file, "new certificate",
                      [&] { return rename_over(with_suffix(cert_file, ".new"), cert_file); });
}

// With the key that an earlier run made, or a new one.
Result<Authority> next_authority(const path& pending, UnixNanos now_ns) {
    if (!present(pending))
        return make_authority(make_p256_key(), now_ns);
    AMOSKYS_TRY(key, load_private_key(pending));
    return make_authority(std::move(key), now_ns);
}

std::string mark_of(const X509* certificate) {
    const std::string name = common_name(certificate);
    return name.substr(name.rfind(' ') + 1);
}

path kept_authority_key(const PkiPaths& paths, const X509* certificate) {
    return paths.root / fmt::format("ca.{}.key", mark_of(certificate));
}

Result<> finish_authority(const PkiPaths& paths, Steps& steps) {
    AMOSKYS_TRY(bundle, load_certificates(paths.ca_cert()));
    if (bundle.size() == 1) {
        steps.none(paths.ca_cert(), "no rotation is under way");
        return {};
    }
    std::vector<path> certificates{paths.bus_cert()};
    for (const std::string& agent : pki_agents(paths))
        certificates.push_back(paths.agent_cert(agent));
    std::string old;
    const bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(bundle.front().get()));
    for (const path& file : certificates) {
        AMOSKYS_TRY(certificate, load_certificate(file));
        if (X509_verify(certificate.get(), key.get()) != 1)
            old += (old.empty() ? "" : ", ") + file.string();
    }
    take_openssl_errors();
    if (!old.empty())
        return make_error(ErrorKind::failed, "certificates_of_old_ca",
                          "certificates of the old CA are in use: " + old,
                          "amoskys pki renew makes new ones; then reload bus and agents");
    AMOSKYS_TRY_VOID(steps.step("replace", paths.ca_cert(), "only the new CA is trusted", [&] {
        return write_file_atomic(paths.ca_cert(), certificate_pem(bundle.front().get()), 0644);
    }));
    for (std::size_t i = 1; i < bundle.size(); ++i)
        if (const path file = kept_authority_key(paths, bundle[i].get()); present(file))
            AMOSKYS_TRY_VOID(
                steps.step("delete", file, "the old CA's key", [&] { return remove_file(file); }));
    return {};
}

Result<> begin_authority(const PkiPaths& paths, Steps& steps, UnixNanos now_ns) {
    const path pending = with_suffix(paths.ca_key(), ".new");
    AMOSKYS_TRY(bundle, load_certificates(paths.ca_cert()));
    const auto take_over = [&] {
        return steps.step("replace", paths.ca_key(), "the new CA issues from now on",
                          [&] { return rename_over(pending, paths.ca_key()); });
    };
    if (bundle.size() > 1) {
        if (present(pending))
            return take_over();
        steps.none(paths.ca_cert(),
                   fmt::format("{} is new, {} is still trusted", common_name(bundle[0].get()),
                               common_name(bundle[1].get())));
        return {};
    }
    AMOSKYS_TRY(old, load_authority(paths));
    const bool made = present(pending);
    AMOSKYS_TRY(fresh, next_authority(pending, now_ns));
    if (!made)
        AMOSKYS_TRY_VOID(steps.step("make", pending, "key of the new CA", [&] {
            return write_new_file(pending, private_key_pem(fresh.key.get()).view(), 0600);
        }));
    if (const path kept = kept_authority_key(paths, old.certificate.get()); !present(kept))
        AMOSKYS_TRY_VOID(steps.step("keep", kept, "the old CA's key",
                                    [&] { return copy_private(paths.ca_key(), kept); }));
    AMOSKYS_TRY_VOID(steps.step("replace", paths.ca_cert(), "both CAs are trusted", [&] {
        return write_file_atomic(
            paths.ca_cert(),
            certificate_pem(fresh.certificate.get()) + certificate_pem(old.certificate.get()),
            0644);
    }));
    return take_over();
}

}  // namespace

Result<RotationSteps> pki_rotate_agent(const PkiPaths& paths, std::string_view name,
                                       const RotateRequest& request, const Clock& clock) {
    AMOSKYS_TRY_VOID(check_agent_name(name));
    if (request.overlap < Duration::zero() || request.overlap > overlap_max)
        return make_error(
            ErrorKind::usage, "bad_overlap",
            fmt::format("overlap {}; allowed are 0s to 3650d", format_duration(request.overlap)));
    AMOSKYS_TRY(lock, lock_folder(paths.root));
    return AgentRotation(paths, name, request, clock.now_ns()).run();
}

Result<RotationSteps> pki_rotate_bus(const PkiPaths& paths, const RotateRequest& request,
                                     const Clock& clock) {
    AMOSKYS_TRY_VOID(check_lifetime(request.lifetime));
    AMOSKYS_TRY(lock, lock_folder(paths.root));
    Steps steps(request.dry_run);
    const path cert = paths.bus_cert(), key_file = paths.bus_key();
    const path new_cert = with_suffix(cert, ".new"), new_key = with_suffix(key_file, ".new");
    if (request.finish) {
        steps.none(cert, "a new bus certificate needs no overlap");
        return std::move(steps.list);
    }
    if (present(new_cert)) {  // where an earlier run ended
        AMOSKYS_TRY(certificate, load_certificate(new_cert));
        AMOSKYS_TRY(key, load_private_key(present(new_key) ? new_key : key_file));
        if (fits(certificate.get(), key.get())) {
            AMOSKYS_TRY_VOID(install_pair(steps, key_file, cert, present(new_key)));
            return std::move(steps.list);
        }
    }
    AMOSKYS_TRY(ca, load_authority(paths));
    AMOSKYS_TRY(old, load_certificate(cert));
    const auto key = make_p256_key();
    AMOSKYS_TRY(fresh,
                make_certificate({CertificateUse::server, common_name(old.get()),
                                  subject_alt_names(old.get()), clock.now_ns(), request.lifetime},
                                 key.get(), ca.issuer()));
    AMOSKYS_TRY_VOID(steps.step("make", new_key, "new private key", [&] {
        return write_file_atomic(new_key, private_key_pem(key.get()).view(), 0600);
    }));
    AMOSKYS_TRY_VOID(steps.step("make", new_cert, "new certificate", [&] {
        return write_file_atomic(new_cert, certificate_pem(fresh.get()), 0644);
    }));
    AMOSKYS_TRY_VOID(install_pair(steps, key_file, cert, true));
    return std::move(steps.list);
}

Result<RotationSteps> pki_rotate_ca(const PkiPaths& paths, const RotateRequest& request,
                                    const Clock& clock) {
    AMOSKYS_TRY(lock, lock_folder(paths.root));
    Steps steps(request.dry_run);
    AMOSKYS_TRY_VOID(request.finish ? finish_authority(paths, steps)
                                    : begin_authority(paths, steps, clock.now_ns()));
    return std::move(steps.list);
}

}  // namespace amoskys::crypto
