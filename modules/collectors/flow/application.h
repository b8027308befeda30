// What the first bytes of a conversation say about its application: HTTP, DNS, SSH, and by the
// looks of it NTP, DHCP, SNMP, MQTT, Modbus and others. Pure; text is as it came.
#pragma once

#include <string>
#include <vector>

#include "core/base/bytes.h"

namespace amoskys::flow {

enum class Service : std::uint8_t {
    none,
    tls,
    http,
    dns,
    ssh,
    ntp,
    dhcp,
    dhcp6,
    snmp,
    mqtt,
    modbus,
    quic,
    syslog,
    hl7,
    dicom,
    dnp3,
    bacnet,
    s7comm,
    rdp,
    smb,
    ftp,
    smtp,
    sip,
    rtsp,
    ldap,
    tftp,
    coap,
    stun,
    radius,
    netbios,
    iec104,
    opcua,
    ethernet_ip,
    vxlan,
    geneve,
    gtp,
    teredo,
    count_
};
std::string_view service_name(Service service);

struct Ports {
    std::uint16_t source = 0, destination = 0;  // of the packet
    bool either(std::uint16_t port) const { return source == port || destination == port; }
};

// The service that the payload of one packet shows; none where it shows nothing.
Service service_of_tcp(ByteView payload, Ports ports);
Service service_of_udp(ByteView payload, Ports ports);

struct HttpHead {
    bool request = false;
    std::string method, host, agent, server;
};
// The head of a message, complete or as far as it goes; false where it is none.
bool http_head(ByteView payload, HttpHead& out);

// Name that is asked for, "" for none; a DNS message without TCP's length. Also mDNS, LLMNR and
// NetBIOS names. False where it is no such message.
bool dns_question(ByteView message, bool netbios, std::string& name);

// "SSH-2.0-OpenSSH_9.2" without the line end; "" where it is no banner.
std::string ssh_banner(ByteView payload);

}  // namespace amoskys::flow
