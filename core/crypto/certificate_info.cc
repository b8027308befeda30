// read_certificate(): what people see of a certificate.
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/x509.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/crypto/certificate.h"
#include "core/crypto/hash.h"
#include "core/crypto/pki.h"

namespace amoskys::crypto {
namespace {

std::string key_type(const X509* certificate) {
    bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(const_cast<X509*>(certificate)));
    take_openssl_errors();
    if (!key)
        return "unknown";
    switch (EVP_PKEY_id(key.get())) {
        case EVP_PKEY_RSA:
            return fmt::format("RSA {}", EVP_PKEY_bits(key.get()));
        case EVP_PKEY_ED25519:
            return "Ed25519";
        case EVP_PKEY_EC: {
            const EC_GROUP* group = EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key.get()));
            const char* name = EC_curve_nid2nist(EC_GROUP_get_curve_name(group));
            return fmt::format("ECDSA {}", name != nullptr ? name : "other curve");
        }
        default:
            return "unknown";
    }
}

std::string name_cn(const X509_NAME* name) {
    const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (index < 0)
        return "";
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
    return printable(as_text(
        {ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))}));
}

std::string serial_hex(const X509* certificate) {
    const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
    return to_hex(
        {ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))});
}

CertificateInfo describe(const std::filesystem::path& file, X509* certificate) {
    CertificateInfo info;
    info.file = file.string();
    info.subject_cn = common_name(certificate);
    info.issuer_cn = name_cn(X509_get_issuer_name(certificate));
    info.serial_hex = serial_hex(certificate);
    info.key_type = key_type(certificate);
    info.not_before_ns = not_before_ns(certificate);
    info.not_after_ns = not_after_ns(certificate);
    info.sans = subject_alt_names(certificate);
    std::uint8_t* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    const bssl::UniquePtr<std::uint8_t> owned(der);
    if (size > 0)
        info.fingerprint_sha256 = to_hex(sha256(ByteView(der, static_cast<std::size_t>(size))));
    return info;
}

}  // namespace

std::string common_name(const X509* certificate) {
    return name_cn(X509_get_subject_name(certificate));
}

Result<CertificateInfo> read_certificate(const std::filesystem::path& file) {
    AMOSKYS_TRY(certificate, load_certificate(file));
    return describe(file, certificate.get());
}

Result<std::vector<CertificateInfo>> read_certificates(const std::filesystem::path& file) {
    AMOSKYS_TRY(bundle, load_certificates(file));
    std::vector<CertificateInfo> all;
    for (const auto& certificate : bundle)
        all.push_back(describe(file, certificate.get()));
    return all;
}

}  // namespace amoskys::crypto
