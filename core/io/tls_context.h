// TLS 1.3 contexts (BoringSSL) for both sides: mutual authentication, ALPN "amoskys/1", no tickets,
// no 0-RTT. Only the given CA is trusted. A client's certificate must be good for client
// authentication, a server's for server authentication (EKU); RSA below 2048 bits, curves below 256
// and signatures with SHA-1 or MD5 are refused in the whole chain. Contexts are immutable once
// made: a reload makes a new one.
#pragma once

#include <openssl/base.h>

#include <boost/system/error_code.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys::io {

struct TlsFiles {
    std::filesystem::path ca_cert, cert, key;
};

// Key files that others can read are refused (permission). ECDSA and RSA chains are read.
// A bus's own certificate must be in its time and verify against its CA: bad_data
// "tls_certificate_unusable".
using TlsContext = std::shared_ptr<SSL_CTX>;
Result<TlsContext> make_server_context(const TlsFiles& files);
Result<TlsContext> make_client_context(const TlsFiles& files);
// For browsers: TLS 1.3, ALPN "http/1.1". Of a client a certificate by ca_cert is asked for, and
// one that is given must hold; an empty ca_cert asks for none.
Result<TlsContext> make_https_context(const TlsFiles& files);
UnixNanos certificate_not_after_ns(SSL_CTX* context);  // of the own one

// Client side, before the handshake: the name or address that the server's certificate must bear,
// and SNI.
Result<> expect_server_name(SSL* ssl, const std::string& host);
// Both sides, after the handshake: the peer agreed on "amoskys/1". A client that offers no ALPN at
// all gets through the handshake itself.
bool agreed_on_protocol(SSL* ssl);
// After the handshake: the CN of the peer's certificate, "" where it has none or more than one.
std::string peer_common_name(SSL* ssl);
// A short reason for a failed handshake (or first read), for messages and metrics, of this set:
// no_client_certificate unknown_ca certificate_expired certificate_not_yet_valid wrong_purpose
// weak_certificate name_mismatch protocol_version no_shared_cipher no_shared_group
// no_shared_signature not_tls alpn closed timeout other.
std::string_view handshake_reason(const boost::system::error_code& ec, SSL* ssl);

}  // namespace amoskys::io
