// TLS 1.3 contexts (BoringSSL) for both sides: mutual authentication, ALPN "amoskys/1", no tickets,
// no 0-RTT.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/result.h"

namespace amoskys::io {

struct TlsFiles {
    std::filesystem::path ca_cert, cert, key;
};

// Key files that others can read are refused (permission). ECDSA and RSA chains are read.
Result<std::shared_ptr<boost::asio::ssl::context>> make_server_context(const TlsFiles& files);
Result<std::shared_ptr<boost::asio::ssl::context>> make_client_context(const TlsFiles& files);

// Client side, before the handshake: the name or address that the server's certificate must bear,
// and SNI.
void expect_server_name(SSL* ssl, const std::string& host);
// After the handshake: the CN of the peer's certificate, "" where it has none or more than one.
std::string peer_common_name(SSL* ssl);
// A short reason for a failed handshake, for messages and metrics: "no_client_certificate",
// "unknown_ca", "certificate_expired", "protocol_version", "not_tls", "name_mismatch", "alpn",
// "other".
std::string_view handshake_reason(const boost::system::error_code& ec, SSL* ssl);

}  // namespace amoskys::io
