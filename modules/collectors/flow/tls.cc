#include "modules/collectors/flow/tls.h"

#include <algorithm>

#include "core/crypto/hash.h"
#include "modules/collectors/flow/byte_reader.h"

namespace amoskys::flow {
namespace {

constexpr std::uint8_t content_handshake = 22, client_hello_type = 1, server_hello_type = 2;
constexpr std::uint16_t extension_sni = 0, extension_signatures = 13, extension_alpn = 16,
                        extension_versions = 43;
constexpr std::size_t max_list = 256, max_alpn = 8;

// RFC 8701: values that mean nothing.
bool is_grease(std::uint16_t value) {
    return (value & 0x0f0fU) == 0x0a0aU && (value >> 8U) == (value & 0xffU);
}

void read_list(ByteView bytes, std::vector<std::uint16_t>& out) {
    ByteReader in(bytes);
    while (in.left() >= 2 && out.size() < max_list)
        if (const std::uint16_t value = in.u16(); !is_grease(value))
            out.push_back(value);
}

// Joins the handshake bytes of the records at the start of the stream, as far as they are there.
Bytes handshake_bytes(ByteView stream, bool& is_tls) {
    Bytes out;
    ByteReader in(stream);
    is_tls = false;
    while (in.left() >= 5) {
        const std::uint8_t content = in.u8();
        const std::uint16_t version = in.u16();
        const std::uint16_t length = in.u16();
        if (content != content_handshake || version >> 8U != 3 || length == 0 || length > 16384)
            break;
        is_tls = true;
        const ByteView body = in.take(std::min<std::size_t>(length, in.left()));
        out.insert(out.end(), body.begin(), body.end());
    }
    return out;
}

HelloState message_body(ByteView message, std::uint8_t type, ByteView& body) {
    ByteReader in(message);
    const std::uint8_t found = in.u8();
    const std::uint32_t length = in.u24();
    if (!in.ok())
        return HelloState::more;
    if (found != type || length > 65536)
        return HelloState::none;
    if (in.left() < length)
        return HelloState::more;
    body = in.take(length);
    return HelloState::found;
}

HelloState stream_body(ByteView stream, std::uint8_t type, Bytes& joined, ByteView& body) {
    if (stream.size() < 5)
        return stream.empty() || stream[0] == content_handshake ? HelloState::more
                                                                : HelloState::none;
    bool is_tls = false;
    joined = handshake_bytes(stream, is_tls);
    return is_tls ? message_body(joined, type, body) : HelloState::none;
}

void client_extension(std::uint16_t type, ByteView data, ClientHello& out) {
    ByteReader in(data);
    switch (type) {
        case extension_sni: {
            out.with_sni = true;
            ByteReader names(in.take_16());
            if (names.u8() == 0)
                out.sni = to_string(names.take_16());
            break;
        }
        case extension_signatures:
            read_list(in.take_16(), out.signature_algorithms);
            break;
        case extension_alpn: {
            ByteReader names(in.take_16());
            while (names.left() > 0 && out.alpn.size() < max_alpn)
                if (const ByteView name = names.take_8(); !name.empty())
                    out.alpn.push_back(to_string(name));
            break;
        }
        case extension_versions: {
            std::vector<std::uint16_t> offered;
            read_list(in.take_8(), offered);
            for (const std::uint16_t version : offered)
                out.version = std::max(out.version, version);
            break;
        }
        default:
            break;
    }
}

HelloState read_client(ByteView body, ClientHello& out) {
    ByteReader in(body);
    out = {};
    out.version = in.u16();
    in.take(32);
    in.take_8();
    read_list(in.take_16(), out.ciphers);
    in.take_8();
    if (!in.ok())
        return HelloState::none;
    ByteReader extensions(in.left() > 0 ? in.take_16() : ByteView());
    while (extensions.left() >= 4 && out.extensions.size() < max_list) {
        const std::uint16_t type = extensions.u16();
        const ByteView data = extensions.take_16();
        if (!extensions.ok())
            break;
        if (is_grease(type))
            continue;
        out.extensions.push_back(type);
        client_extension(type, data, out);
    }
    return HelloState::found;
}

std::string hex_list(std::vector<std::uint16_t> values) {
    std::string out;
    for (const std::uint16_t value : values) {
        const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(value >> 8U),
                                       static_cast<std::uint8_t>(value & 0xffU)};
        out += (out.empty() ? "" : ",") + to_hex(bytes);
    }
    return out;
}

std::string short_hash(const std::string& text) {
    if (text.empty())
        return std::string(12, '0');
    return to_hex(crypto::sha256(as_bytes(text))).substr(0, 12);
}

std::string two_digits(std::size_t count) {
    const std::string text = std::to_string(std::min<std::size_t>(count, 99));
    return text.size() < 2 ? "0" + text : text;
}

// First and last letter; of bytes that are no letters or digits the hexadecimal form's.
std::string alpn_mark(const ClientHello& hello) {
    if (hello.alpn.empty())
        return "00";
    const std::string& name = hello.alpn.front();
    const auto plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (plain(name.front()) && plain(name.back()))
        return {name.front(), name.back()};
    const std::string hex = to_hex(as_bytes(name));
    return {hex.front(), hex.back()};
}

std::string_view version_mark(std::uint16_t version) {
    switch (version) {
        case 0x0304:
            return "13";
        case 0x0303:
            return "12";
        case 0x0302:
            return "11";
        case 0x0301:
            return "10";
        case 0x0300:
            return "s3";
        default:
            return "00";
    }
}

}  // namespace

HelloState client_hello(ByteView stream, ClientHello& out) {
    Bytes joined;
    ByteView body;
    const HelloState state = stream_body(stream, client_hello_type, joined, body);
    return state == HelloState::found ? read_client(body, out) : state;
}

HelloState client_hello_message(ByteView message, ClientHello& out) {
    ByteView body;
    const HelloState state = message_body(message, client_hello_type, body);
    return state == HelloState::found ? read_client(body, out) : state;
}

HelloState server_hello(ByteView stream, ServerHello& out) {
    Bytes joined;
    ByteView body;
    const HelloState state = stream_body(stream, server_hello_type, joined, body);
    if (state != HelloState::found)
        return state;
    ByteReader in(body);
    out = {};
    out.version = in.u16();
    in.take(32);
    in.take_8();
    in.take(3);
    if (!in.ok())
        return HelloState::none;
    ByteReader extensions(in.left() > 0 ? in.take_16() : ByteView());
    while (extensions.left() >= 4) {
        const std::uint16_t type = extensions.u16();
        ByteReader data(extensions.take_16());
        if (type == extension_versions)
            out.version = data.u16();
        if (type == extension_alpn) {
            ByteReader names(data.take_16());
            out.alpn = to_string(names.take_8());
        }
    }
    return HelloState::found;
}

std::string ja4(const ClientHello& hello, char transport) {
    std::vector<std::uint16_t> ciphers = hello.ciphers, extensions = hello.extensions;
    std::sort(ciphers.begin(), ciphers.end());
    std::erase_if(extensions, [](std::uint16_t type) {
        return type == extension_sni || type == extension_alpn;
    });
    std::sort(extensions.begin(), extensions.end());
    std::string second = hex_list(extensions);
    if (!hello.signature_algorithms.empty())
        second += "_" + hex_list(hello.signature_algorithms);
    std::string out(1, transport);
    out += version_mark(hello.version);
    out += hello.with_sni ? 'd' : 'i';
    out += two_digits(hello.ciphers.size()) + two_digits(hello.extensions.size()) +
           alpn_mark(hello) + "_" + short_hash(hex_list(ciphers)) + "_" + short_hash(second);
    return out;
}

std::string tls_version_text(std::uint16_t version) {
    switch (version) {
        case 0x0304:
            return "TLSv1.3";
        case 0x0303:
            return "TLSv1.2";
        case 0x0302:
            return "TLSv1.1";
        case 0x0301:
            return "TLSv1.0";
        case 0x0300:
            return "SSLv3";
        default: {
            const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(version >> 8U),
                                           static_cast<std::uint8_t>(version & 0xffU)};
            return "0x" + to_hex(bytes);
        }
    }
}

}  // namespace amoskys::flow
