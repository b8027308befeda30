#include "core/crypto/certificate.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/crypto/hash.h"

namespace amoskys::crypto {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr UnixNanos clock_skew_ns = 300 * second_ns;

std::string bio_text(BIO* bio) {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    check(BIO_mem_contents(bio, &data, &size) == 1, "a memory BIO has contents");
    return to_string({data, size});
}

bssl::UniquePtr<BIO> reading(std::string_view text) {
    return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int no_passphrase(char*, int, int, void*) {
    return -1;
}

bool add_extension(X509* certificate, X509V3_CTX* context, int nid, const char* value) {
    bssl::UniquePtr<X509_EXTENSION> extension(X509V3_EXT_nconf_nid(nullptr, context, nid, value));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_sans(X509* certificate, const std::vector<std::string>& sans) {
    if (sans.empty())
        return true;
    bssl::UniquePtr<GENERAL_NAMES> names(sk_GENERAL_NAME_new_null());
    for (const std::string& san : sans) {
        std::array<std::uint8_t, 16> address;
        std::size_t size = 0;
        if (::inet_pton(AF_INET, san.c_str(), address.data()) == 1)
            size = 4;
        else if (::inet_pton(AF_INET6, san.c_str(), address.data()) == 1)
            size = 16;
        bssl::UniquePtr<GENERAL_NAME> name(GENERAL_NAME_new());
        bssl::UniquePtr<ASN1_STRING> value(
            ASN1_STRING_type_new(size != 0 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
        const void* data = size != 0 ? static_cast<const void*>(address.data()) : san.data();
        const auto length = static_cast<int>(size != 0 ? size : san.size());
        if (!name || !value || ASN1_STRING_set(value.get(), data, length) != 1)
            return false;
        GENERAL_NAME_set0_value(name.get(), size != 0 ? GEN_IPADD : GEN_DNS, value.release());
        if (!bssl::PushToStack(names.get(), std::move(name)))
            return false;
    }
    return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

bool set_serial(X509* certificate) {
    std::array<std::uint8_t, 16> serial;
    random_bytes(serial);
    serial[0] =
        static_cast<std::uint8_t>((serial[0] & 0x7fU) | 0x40U);  // positive, always 128 bits
    bssl::UniquePtr<BIGNUM> number(BN_bin2bn(serial.data(), serial.size(), nullptr));
    return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
}

bool set_times(X509* certificate, UnixNanos from_ns, UnixNanos to_ns) {
    return ASN1_TIME_set(X509_getm_notBefore(certificate),
                         static_cast<time_t>(from_ns / second_ns)) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), static_cast<time_t>(to_ns / second_ns));
}

bool add_extensions(X509* certificate, X509V3_CTX* context, CertificateUse use) {
    const bool authority = use == CertificateUse::authority;
    const bool common =
        add_extension(certificate, context, NID_basic_constraints,
                      authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
        add_extension(certificate, context, NID_key_usage,
                      authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
        add_extension(certificate, context, NID_subject_key_identifier, "hash") &&
        add_extension(certificate, context, NID_authority_key_identifier, "keyid:always");
    return common && (authority ||
                      add_extension(certificate, context, NID_ext_key_usage,
                                    use == CertificateUse::server ? "serverAuth" : "clientAuth"));
}

UnixNanos to_unix(const ASN1_TIME* time) {
    bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
    int days = 0, seconds = 0;
    if (!epoch || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1 || days < 0 ||
        seconds < 0)
        return 0;
    constexpr std::uint64_t max_seconds = std::numeric_limits<UnixNanos>::max() / second_ns;
    const auto total = static_cast<std::uint64_t>(days) * 86400 + static_cast<unsigned>(seconds);
    return std::min(total, max_seconds) * second_ns;
}

}  // namespace

bool valid_dns_name(std::string_view text) {
    if (text.empty() || text.size() > 253)
        return false;
    const auto labels = split(text, '.');
    return std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
        return !label.empty() && label.size() <= 63 && label.front() != '-' &&
               label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
                   return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
               });
    });
}

bool valid_address(std::string_view text) {
    std::array<std::uint8_t, 16> address;
    const std::string copy(text);
    return ::inet_pton(AF_INET, copy.c_str(), address.data()) == 1 ||
           ::inet_pton(AF_INET6, copy.c_str(), address.data()) == 1;
}

bssl::UniquePtr<EVP_PKEY> make_p256_key() {
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
    check(ec && key && EC_KEY_generate_key(ec.get()) == 1 &&
              EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) == 1,
          "a P-256 key can be made");
    return key;
}

SecretText private_key_pem(EVP_PKEY* key) {
    bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
    check(
        bio && PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "a private key can be written to memory");
    return SecretText(bio_text(bio.get()));
}

Result<bssl::UniquePtr<X509>> make_certificate(const CertificateRequest& request, EVP_PKEY* key,
                                               const Issuer& issuer) {
    const bool self_signed = issuer.certificate == nullptr;
    UnixNanos to_ns = request.now_ns + static_cast<UnixNanos>(request.lifetime.count());
    if (!self_signed) {
        const UnixNanos limit_ns = not_after_ns(issuer.certificate);
        if (limit_ns <= request.now_ns)
            return make_error(
                ErrorKind::failed, "ca_expired",
                fmt::format("the CA certificate expired at {}", format_time(limit_ns)));
        to_ns = std::min(to_ns, limit_ns);
    }
    bssl::UniquePtr<X509> made(X509_new());
    bssl::UniquePtr<X509_NAME> subject(X509_NAME_new());
    const auto* name = reinterpret_cast<const std::uint8_t*>(request.common_name.data());
    X509V3_CTX context;
    X509V3_set_ctx(&context, self_signed ? made.get() : issuer.certificate, made.get(), nullptr,
                   nullptr, 0);
    const bool ok =
        made && subject && X509_set_version(made.get(), X509_VERSION_3) == 1 &&
        set_serial(made.get()) &&
        set_times(made.get(), request.now_ns - std::min(request.now_ns, clock_skew_ns), to_ns) &&
        X509_NAME_add_entry_by_NID(subject.get(), NID_commonName, MBSTRING_UTF8, name,
                                   static_cast<int>(request.common_name.size()), -1, 0) &&
        X509_set_subject_name(made.get(), subject.get()) == 1 &&
        X509_set_issuer_name(
            made.get(), self_signed ? subject.get() : X509_get_subject_name(issuer.certificate)) &&
        X509_set_pubkey(made.get(), key) == 1 &&
        add_extensions(made.get(), &context, request.use) && add_sans(made.get(), request.sans) &&
        X509_sign(made.get(), self_signed ? key : issuer.key, EVP_sha256()) != 0;
    if (!ok)
        return make_error(ErrorKind::internal, "certificate_failed",
                          fmt::format("make a certificate for {}: {}", request.common_name,
                                      take_openssl_errors()));
    return made;
}

std::string certificate_pem(X509* certificate) {
    bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
    check(bio && PEM_write_bio_X509(bio.get(), certificate) == 1,
          "a certificate can be written to memory");
    return bio_text(bio.get());
}

Result<bssl::UniquePtr<X509>> load_certificate(const std::filesystem::path& file) {
    AMOSKYS_TRY(all, load_certificates(file));
    return std::move(all.front());
}

Result<std::vector<bssl::UniquePtr<X509>>> load_certificates(const std::filesystem::path& file) {
    AMOSKYS_TRY(text, read_file(file, max_key_file_bytes));
    auto bio = reading(text);
    std::vector<bssl::UniquePtr<X509>> all;
    while (true) {
        bssl::UniquePtr<X509> parsed(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
        if (!parsed)
            break;
        all.push_back(std::move(parsed));
    }
    const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string why = take_openssl_errors();
    if (all.empty() || !end)
        return make_error(ErrorKind::bad_data, "certificate_format",
                          fmt::format("{} is not a certificate in PEM ({})", file.string(), why));
    return all;
}

Result<bssl::UniquePtr<EVP_PKEY>> load_private_key(const std::filesystem::path& file) {
    AMOSKYS_TRY(text, read_private_file(file));
    auto bio = reading(text.view());
    bssl::UniquePtr<EVP_PKEY> parsed(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!parsed)
        return make_error(ErrorKind::bad_data, "key_format",
                          fmt::format("{} is not a private key in PEM ({})", file.string(),
                                      take_openssl_errors()));
    return parsed;
}

UnixNanos not_before_ns(const X509* certificate) {
    return to_unix(X509_get0_notBefore(certificate));
}
UnixNanos not_after_ns(const X509* certificate) {
    return to_unix(X509_get0_notAfter(certificate));
}

std::vector<std::string> subject_alt_names(const X509* certificate) {
    bssl::UniquePtr<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    take_openssl_errors();
    std::vector<std::string> sans;
    for (std::size_t i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        const ASN1_STRING* value =
            name->type == GEN_DNS || name->type == GEN_IPADD ? name->d.ia5 : nullptr;
        if (value == nullptr)
            continue;
        const auto size = static_cast<std::size_t>(ASN1_STRING_length(value));
        const ByteView bytes(ASN1_STRING_get0_data(value), size);
        if (name->type == GEN_DNS) {
            sans.push_back(printable(as_text(bytes)));
        } else if (size == 4 || size == 16) {
            char text[INET6_ADDRSTRLEN] = {};
            ::inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
            sans.emplace_back(text);
        }
    }
    return sans;
}

}  // namespace amoskys::crypto
