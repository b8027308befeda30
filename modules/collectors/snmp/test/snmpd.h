// Debian's snmpd on a loopback port of its own, and snmpwalk beside it, for tests. Ends with the
// object.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace amoskys::snmp {

class Snmpd {
  public:
    // Null where snmpd or snmpwalk is not installed. `access`: lines of its configuration.
    static std::unique_ptr<Snmpd> start(const std::string& access);
    ~Snmpd();
    Snmpd(const Snmpd&) = delete;
    Snmpd& operator=(const Snmpd&) = delete;

    std::string address(const std::string& transport = "udp") const {
        return transport + (transport.ends_with('6') ? ":[::1]:" : ":127.0.0.1:") +
               std::to_string(port_);
    }
    int port() const { return port_; }
    void stop();  // SIGSTOP: it is there, but does not answer

    // OID without leading dot -> value, as snmpwalk prints it.
    std::map<std::string, std::string> walk(const std::string& oid) const;

  private:
    Snmpd() = default;
    std::string folder_;
    int pid_ = -1, port_ = 0;
};

bool has_ipv6();  // of the loopback interface

// A port of 127.0.0.1 on which nothing listens, by UDP or TCP (at this moment).
int free_udp_port();

}  // namespace amoskys::snmp
