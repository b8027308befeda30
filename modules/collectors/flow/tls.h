// TLS hellos (RFC 8446, RFC 6066, RFC 7301) and the JA4 fingerprint of a client
// (https://github.com/FoxIO-LLC/ja4, JA4 only). Pure; text is as it came.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"

namespace amoskys::flow {

struct ClientHello {
    std::string sni;                // "" where none is asked for
    std::vector<std::string> alpn;  // at most 8
    std::uint16_t version = 0;      // the highest that is offered
    std::vector<std::uint16_t> ciphers, extensions, signature_algorithms;  // as sent, no GREASE
    bool with_sni = false;
};

struct ServerHello {
    std::uint16_t version = 0;
    std::string alpn;  // not in TLS 1.3, where it is encrypted
};

// Handshake messages at the start of a TLS stream. `more`: it begins like one and goes on.
enum class HelloState : std::uint8_t { found, more, none };
HelloState client_hello(ByteView stream, ClientHello& out);
HelloState server_hello(ByteView stream, ServerHello& out);
// Of a handshake message without record headers, as QUIC carries it.
HelloState client_hello_message(ByteView message, ClientHello& out);

// transport: 't' TCP, 'q' QUIC.
std::string ja4(const ClientHello& hello, char transport);
std::string tls_version_text(std::uint16_t version);  // "TLSv1.3"; "0x7f1c" where unknown

}  // namespace amoskys::flow
