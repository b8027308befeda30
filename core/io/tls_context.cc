#include "core/io/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <span>

#include "core/crypto/certificate.h"
#include "core/crypto/pki.h"

namespace amoskys::io {
namespace {

constexpr unsigned char alpn_wire[] = {9, 'a', 'm', 'o', 's', 'k', 'y', 's', '/', '1'};
constexpr std::string_view alpn_name = "amoskys/1";

constexpr unsigned char http_wire[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int choose_protocol(std::span<const unsigned char> own, const unsigned char** out,
                    unsigned char* out_size, std::span<const unsigned char> offered) {
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, own.data(), static_cast<unsigned>(own.size()),
                              offered.data(),
                              static_cast<unsigned>(offered.size())) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void*) {
    return choose_protocol(alpn_wire, out, out_size, {in, in_size});
}

int select_http(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void*) {
    return choose_protocol(http_wire, out, out_size, {in, in_size});
}

Error file_error(std::string_view what, const std::filesystem::path& file) {
    const auto code = ERR_get_error();
    ERR_clear_error();
    const char* reason = ERR_reason_error_string(code);
    return make_error(ErrorKind::bad_data, "tls_file_invalid",
                      std::string(what) + " " + file.string() + ": " +
                          (reason != nullptr ? reason : "cannot be read"));
}

Result<> require_readable(const std::filesystem::path& file) {
    std::error_code ec;
    if (!std::filesystem::is_regular_file(file, ec))
        return make_error(ErrorKind::no_input, "tls_file_missing", file.string() + ": no such file",
                          "`amoskys pki init` makes the keys and certificates");
    return {};
}

Result<> load_files(SSL_CTX* ctx, const TlsFiles& files) {
    const bool has_ca = !files.ca_cert.empty();
    for (const auto& file : {has_ca ? files.ca_cert : files.cert, files.cert, files.key})
        AMOSKYS_TRY_VOID(require_readable(file));
    AMOSKYS_TRY_VOID(crypto::require_private(files.key));
    ERR_clear_error();
    if (has_ca && SSL_CTX_load_verify_locations(ctx, files.ca_cert.c_str(), nullptr) != 1)
        return file_error("CA certificate", files.ca_cert);
    if (SSL_CTX_use_certificate_chain_file(ctx, files.cert.c_str()) != 1)
        return file_error("certificate", files.cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
        return file_error("private key", files.key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return file_error("private key", files.key);
    return {};
}

bool strong_key(X509* certificate) {
    const bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(certificate));
    if (!key)
        return false;
    const int bits = EVP_PKEY_bits(key.get());
    return EVP_PKEY_id(key.get()) == EVP_PKEY_RSA ? bits >= 2048
                                                  : bits >= 253;  // Ed25519 counts 253
}

bool strong_signature(X509* certificate) {
    int digest = NID_undef;
    int key = NID_undef;
    if (OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, &key) != 1)
        return false;
    return digest != NID_md4 && digest != NID_md5 && digest != NID_sha1;
}

// Called for each certificate of a chain. What a CA signed with SHA-1, or for a key that can be
// broken, anyone may have made. A root's signature of itself says nothing and is not looked at.
int refuse_weak(int ok, X509_STORE_CTX* check) {
    X509* certificate = X509_STORE_CTX_get_current_cert(check);
    if (ok != 1 || certificate == nullptr)
        return ok;
    const bool root =
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
    if (strong_key(certificate) && (root || strong_signature(certificate)))
        return 1;
    X509_STORE_CTX_set_error(check, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

Result<TlsContext> make_context(const TlsFiles& files) {
    const TlsContext context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
    SSL_CTX* ctx = context.get();
    if (ctx == nullptr)
        return make_error(ErrorKind::internal, "tls_context", "cannot make a TLS context");
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, refuse_weak);
    AMOSKYS_TRY_VOID(load_files(ctx, files));
    return context;
}

// What an agent would say to this certificate, but for the name in it.
Result<> check_own_certificate(SSL_CTX* ctx, const TlsFiles& files) {
    const bssl::UniquePtr<X509_STORE_CTX> check(X509_STORE_CTX_new());
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(ctx, &chain);
    if (!check || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(ctx),
                                      SSL_CTX_get0_certificate(ctx), chain) != 1)
        return make_error(ErrorKind::internal, "tls_context", "cannot check a certificate");
    X509_STORE_CTX_set_default(check.get(), "ssl_server");
    if (X509_verify_cert(check.get()) == 1)
        return {};
    ERR_clear_error();
    const int reason = X509_STORE_CTX_get_error(check.get());
    return make_error(ErrorKind::bad_data, "tls_certificate_unusable",
                      "certificate " + files.cert.string() + ": " +
                          X509_verify_cert_error_string(reason) + " (CA " + files.ca_cert.string() +
                          ")",
                      "`amoskys pki renew` makes a new one");
}

// What the certificate check said, or "" where it was not that.
std::string_view verify_reason(long result) {
    switch (result) {
        case X509_V_OK:
            return "";
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "certificate_expired";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "certificate_not_yet_valid";
        case X509_V_ERR_INVALID_PURPOSE:
            return "wrong_purpose";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "name_mismatch";
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        case X509_V_ERR_CERT_UNTRUSTED:
            return "unknown_ca";
        case X509_V_ERR_APPLICATION_VERIFICATION:  // refuse_weak
            return "weak_certificate";
        default:
            return "other";
    }
}

std::string_view library_reason(int reason) {
    switch (reason) {
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        case SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED:
            return "no_client_certificate";
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
            return "unknown_ca";
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
            return "certificate_expired";
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
            return "wrong_purpose";
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return "protocol_version";
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_HTTP_REQUEST:
        case SSL_R_HTTPS_PROXY_REQUEST:
        case SSL_R_UNEXPECTED_RECORD:
        case SSL_R_UNEXPECTED_MESSAGE:
            return "not_tls";
        case SSL_R_NO_APPLICATION_PROTOCOL:
        case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
            return "alpn";
        case SSL_R_NO_SHARED_CIPHER:
            return "no_shared_cipher";
        case SSL_R_NO_SHARED_GROUP:
            return "no_shared_group";
        case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS:
            return "no_shared_signature";
        default:
            return "other";
    }
}

}  // namespace

Result<TlsContext> make_server_context(const TlsFiles& files) {
    AMOSKYS_TRY(context, make_context(files));
    SSL_CTX* ctx = context.get();
    AMOSKYS_TRY_VOID(check_own_certificate(ctx, files));
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, nullptr);
    // Names of acceptable issuers, so that a client with several certificates can choose.
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(files.ca_cert.c_str()));
    return context;
}

Result<TlsContext> make_https_context(const TlsFiles& files) {
    AMOSKYS_TRY(context, make_context(files));
    SSL_CTX* ctx = context.get();
    SSL_CTX_set_alpn_select_cb(ctx, select_http, nullptr);
    SSL_CTX_set_verify(ctx, files.ca_cert.empty() ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, refuse_weak);
    if (!files.ca_cert.empty())
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(files.ca_cert.c_str()));
    return context;
}

Result<TlsContext> make_client_context(const TlsFiles& files) {
    AMOSKYS_TRY(context, make_context(files));
    if (SSL_CTX_set_alpn_protos(context.get(), alpn_wire, sizeof alpn_wire) != 0)
        return make_error(ErrorKind::internal, "tls_context", "cannot set the ALPN protocol");
    return context;
}

UnixNanos certificate_not_after_ns(SSL_CTX* context) {
    return crypto::not_after_ns(SSL_CTX_get0_certificate(context));
}

Result<> expect_server_name(SSL* handle, const std::string& host) {
    boost::system::error_code ec;
    boost::asio::ip::make_address(host, ec);
    X509_VERIFY_PARAM* param = SSL_get0_param(handle);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool ok = !ec ? X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1
                        : X509_VERIFY_PARAM_set1_host(param, host.data(), host.size()) == 1 &&
                              SSL_set_tlsext_host_name(handle, host.c_str()) == 1;
    if (!ok)
        return make_error(ErrorKind::usage, "server_name_invalid",
                          "\"" + host + "\" cannot be the name of a server");
    return {};
}

bool agreed_on_protocol(SSL* handle) {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(handle, &name, &size);
    return std::string_view(reinterpret_cast<const char*>(name), size) == alpn_name;
}

std::string peer_common_name(SSL* handle) {
    const bssl::UniquePtr<X509> cert(SSL_get_peer_certificate(handle));
    if (!cert)
        return {};
    X509_NAME* subject = X509_get_subject_name(cert.get());
    const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0)
        return {};
    unsigned char* utf8 = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
    if (size < 0)
        return {};
    std::string name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    return name.find('\0') == std::string::npos ? name : std::string();
}

std::string_view handshake_reason(const boost::system::error_code& ec, SSL* handle) {
    if (ec == boost::asio::error::timed_out)
        return "timeout";
    if (ec.category() != boost::asio::error::get_ssl_category()) {
        if (ec == boost::asio::error::eof || ec == boost::asio::error::connection_reset ||
            ec == boost::asio::error::broken_pipe)
            return "closed";
        return "other";
    }
    // The check of the certificate comes first: what the library says of a CA's signature that does
    // not fit is the arithmetic's own error.
    const auto verify = verify_reason(SSL_get_verify_result(handle));
    if (!verify.empty() && verify != "other")
        return verify;
    return library_reason(ERR_GET_REASON(static_cast<std::uint32_t>(ec.value())));
}

}  // namespace amoskys::io
