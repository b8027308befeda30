#include "modules/collectors/flow/application.h"

#include <algorithm>
#include <array>

#include "modules/collectors/flow/byte_reader.h"

namespace amoskys::flow {
namespace {

constexpr std::size_t max_line = 1024, max_dns_name = 255;

bool starts_with(ByteView bytes, std::string_view text) {
    return as_text(bytes).starts_with(text);
}

std::string_view http_method(std::string_view text) {
    for (const std::string_view method :
         {"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "TRACE ",
          "PROPFIND ", "NOTIFY ", "M-SEARCH ", "SUBSCRIBE "})
        if (text.starts_with(method))
            return method.substr(0, method.size() - 1);
    return {};
}

bool same_letters(std::string_view a, std::string_view lower) {
    return a.size() == lower.size() &&
           std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
               return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + 32) : x) == y;
           });
}

bool is_snmp(ByteView in) {
    ByteReader reader(in);
    if (reader.u8() != 0x30)
        return false;
    const std::uint8_t length = reader.u8();
    if (length >= 0x80)
        reader.take(length & 0x7fU);
    const bool integer = reader.u8() == 2 && reader.u8() == 1;
    const std::uint8_t version = reader.u8();
    return integer && reader.ok() && (version == 0 || version == 1 || version == 3);
}

bool is_mqtt(ByteView in) {
    return in.size() >= 10 && in[0] == 0x10 &&
           (starts_with(in.subspan(2), std::string_view("\0\4MQTT", 6)) ||
            starts_with(in.subspan(3), std::string_view("\0\4MQTT", 6)) ||
            starts_with(in.subspan(2), std::string_view("\0\6MQIsdp", 8)));
}

bool is_modbus(ByteView in) {
    return in.size() >= 8 && in[2] == 0 && in[3] == 0 &&
           std::size_t{in[4]} * 256 + in[5] == in.size() - 6;
}

// "<13>" at the start.
bool is_syslog(ByteView in) {
    if (in.size() < 4 || in[0] != '<')
        return false;
    std::size_t at = 1;
    unsigned value = 0;
    while (at < in.size() && at < 4 && in[at] >= '0' && in[at] <= '9')
        value = value * 10 + (in[at++] - '0');
    return at > 1 && at < in.size() && in[at] == '>' && value <= 191;
}

bool is_quic(ByteView in) {
    if (in.size() < 20 || (in[0] & 0xc0U) != 0xc0U)
        return false;
    const std::uint32_t version = load_be32(in.data() + 1);
    return version == 1 || version == 0x6b3343cf || version >> 8U == 0xff0000;
}

bool is_stun(ByteView in) {
    return in.size() >= 20 && (in[0] & 0xc0U) == 0 && load_be32(in.data() + 4) == 0x2112a442;
}

bool is_ntp(ByteView in) {
    const unsigned version = in.empty() ? 0 : (in[0] >> 3U) & 7U;
    return in.size() >= 48 && version >= 1 && version <= 4;
}

// ISO transport on TCP: S7, RDP.
Service of_tpkt(ByteView in, Ports ports) {
    if (in.size() < 7 || in[0] != 3 || in[1] != 0 || std::size_t{in[2]} * 256 + in[3] > 8192)
        return Service::none;
    if (ports.either(3389))
        return Service::rdp;
    return ports.either(102) ? Service::s7comm : Service::none;
}

Service banner(ByteView in, Ports ports) {
    if (starts_with(in, "SSH-"))
        return Service::ssh;
    if (starts_with(in, "220") && in.size() > 3 && (in[3] == ' ' || in[3] == '-'))
        return ports.either(25) || ports.either(587) ? Service::smtp : Service::ftp;
    if (starts_with(in, "EHLO ") || starts_with(in, "HELO "))
        return Service::smtp;
    return Service::none;
}

std::string line_value(std::string_view line, std::size_t colon) {
    line.remove_prefix(colon + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t'))
        line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r'))
        line.remove_suffix(1);
    return std::string(line.substr(0, max_line));
}

}  // namespace

std::string_view service_name(Service service) {
    constexpr std::string_view names[] = {
        "",      "tls",    "http",    "dns",    "ssh",   "ntp",         "dhcp",  "dhcp6",  "snmp",
        "mqtt",  "modbus", "quic",    "syslog", "hl7",   "dicom",       "dnp3",  "bacnet", "s7comm",
        "rdp",   "smb",    "ftp",     "smtp",   "sip",   "rtsp",        "ldap",  "tftp",   "coap",
        "stun",  "radius", "netbios", "iec104", "opcua", "ethernet_ip", "vxlan", "geneve", "gtp",
        "teredo"};
    static_assert(std::size(names) == static_cast<std::size_t>(Service::count_));
    return names[static_cast<std::size_t>(service)];
}

Service service_of_tcp(ByteView in, Ports ports) {
    if (in.size() >= 3 && in[0] == 22 && in[1] == 3 && in[2] <= 4)
        return Service::tls;
    const std::string_view text = as_text(in);
    if (!http_method(text).empty() || text.starts_with("HTTP/1."))
        return text.find("RTSP/1.") < 200 ? Service::rtsp : Service::http;
    if (const Service found = banner(in, ports); found != Service::none)
        return found;
    if (is_mqtt(in))
        return Service::mqtt;
    if (ports.either(502) && is_modbus(in))
        return Service::modbus;
    if (starts_with(in, "\x0bMSH|"))
        return Service::hl7;
    if (in.size() >= 8 &&
        (starts_with(in.subspan(4), "\xffSMB") || starts_with(in.subspan(4), "\xfeSMB")))
        return Service::smb;
    if (in.size() >= 10 && in[0] == 5 && in[1] == 0x64)
        return Service::dnp3;
    if (in.size() >= 6 && in[0] == 0x68 && ports.either(2404))
        return Service::iec104;
    if (starts_with(in, "HELF") || starts_with(in, "ACKF") || starts_with(in, "OPNF"))
        return Service::opcua;
    if (ports.either(44818) && in.size() >= 24)
        return Service::ethernet_ip;
    if (ports.either(104) && in.size() >= 10 && in[0] == 1 && in[1] == 0)
        return Service::dicom;
    if (ports.either(389) && in.size() >= 7 && in[0] == 0x30)
        return Service::ldap;
    if (starts_with(in, "SIP/2.0") || text.find(" SIP/2.0\r\n") < 300)
        return Service::sip;
    if (starts_with(in, "RTSP/1.") || text.find(" RTSP/1.") < 300)
        return Service::rtsp;
    if (ports.either(514) && is_syslog(in))
        return Service::syslog;
    std::string name;
    if (ports.either(53) && in.size() > 2 && dns_question(in.subspan(2), false, name))
        return Service::dns;
    return of_tpkt(in, ports);
}

Service service_of_udp(ByteView in, Ports ports) {
    std::string name;
    const bool dns_port = ports.either(53) || ports.either(5353) || ports.either(5355);
    if (dns_port && dns_question(in, false, name))
        return Service::dns;
    if (ports.either(137) && dns_question(in, true, name))
        return Service::netbios;
    if (is_quic(in))
        return Service::quic;
    if (is_stun(in))
        return Service::stun;
    if (ports.either(123) && is_ntp(in))
        return Service::ntp;
    if (in.size() >= 240 && load_be32(in.data() + 236) == 0x63825363)
        return Service::dhcp;
    if (ports.either(546) || ports.either(547))
        return Service::dhcp6;
    if ((ports.either(161) || ports.either(162)) && is_snmp(in))
        return Service::snmp;
    if (ports.either(514) && is_syslog(in))
        return Service::syslog;
    if (ports.either(47808) && in.size() >= 4 && in[0] == 0x81)
        return Service::bacnet;
    if (ports.either(20000) && in.size() >= 10 && in[0] == 5 && in[1] == 0x64)
        return Service::dnp3;
    if (ports.either(69) && in.size() >= 4 && in[0] == 0 && in[1] >= 1 && in[1] <= 2)
        return Service::tftp;
    if ((ports.either(1812) || ports.either(1813)) && in.size() >= 20 &&
        std::size_t{in[2]} * 256 + in[3] == in.size())
        return Service::radius;
    if (ports.either(5683) && in.size() >= 4 && in[0] >> 6U == 1)
        return Service::coap;
    const std::string_view text = as_text(in);
    if (starts_with(in, "SIP/2.0") || text.find(" SIP/2.0\r\n") < 300)
        return Service::sip;
    if (!http_method(text).empty() && text.find(" HTTP/1.") < 300)
        return Service::http;
    return Service::none;
}

bool http_head(ByteView payload, HttpHead& out) {
    std::string_view rest = as_text(payload);
    const std::string_view method = http_method(rest);
    out = {};
    out.request = !method.empty();
    out.method = std::string(method);
    if (!out.request && !rest.starts_with("HTTP/1."))
        return false;
    auto end = rest.find('\n');
    while (end != std::string_view::npos) {
        rest.remove_prefix(end + 1);
        end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        if (line.empty() || line == "\r")
            break;
        const auto colon = line.find(':');
        if (colon == std::string_view::npos)
            continue;
        const std::string_view name = line.substr(0, colon);
        if (out.request && out.host.empty() && same_letters(name, "host"))
            out.host = line_value(line, colon);
        else if (out.request && out.agent.empty() && same_letters(name, "user-agent"))
            out.agent = line_value(line, colon);
        else if (!out.request && out.server.empty() && same_letters(name, "server"))
            out.server = line_value(line, colon);
    }
    return true;
}

namespace {

// RFC 1002, 4.1: each half of a byte as a letter from A, sixteen bytes, the last one a type.
std::string netbios_name(const std::string& coded) {
    if (coded.size() < 32)
        return coded;
    std::string out;
    for (std::size_t i = 0; i < 30; i += 2) {
        const auto high = static_cast<unsigned>(coded[i] - 'A');
        const auto low = static_cast<unsigned>(coded[i + 1] - 'A');
        if (high > 15 || low > 15)
            return coded;
        out += static_cast<char>((high << 4U) | low);
    }
    while (!out.empty() && (out.back() == ' ' || out.back() == '\0'))
        out.pop_back();
    return out;
}

}  // namespace

bool dns_question(ByteView message, bool netbios, std::string& name) {
    name.clear();
    ByteReader in(message);
    in.take(2);
    const std::uint16_t flags = in.u16();
    const std::uint16_t questions = in.u16();
    const unsigned records = in.u16() + 0U + in.u16() + in.u16();
    const unsigned operation = (flags >> 11U) & 15U;
    if (!in.ok() || questions > 16 || records > 512 || (!netbios && operation > 6))
        return false;
    if (questions == 0)
        return records > 0 && (flags & 0x8000U) != 0;
    // The question's name is the first in the message: a pointer has nothing to point at.
    while (true) {
        const std::uint8_t length = in.u8();
        if (!in.ok() || length > 63)
            return false;
        if (length == 0)
            break;
        const ByteView label = in.take(length);
        if (!in.ok() || name.size() + length > max_dns_name)
            return false;
        if (!name.empty())
            name += '.';
        name += as_text(label);
    }
    in.take(4);
    if (netbios)
        name = netbios_name(name);
    return in.ok();
}

std::string ssh_banner(ByteView payload) {
    if (!starts_with(payload, "SSH-"))
        return {};
    const std::string_view text =
        as_text(payload.first(std::min<std::size_t>(payload.size(), 255)));
    return std::string(text.substr(0, text.find_first_of("\r\n")));
}

}  // namespace amoskys::flow
