#include "core/module/module.h"

#include "modules/collectors/flow/collector.h"

namespace amoskys::modules {
namespace {

using flow::FlowConfig;

constexpr config::Option options[] = {
    config::option<&FlowConfig::read>(
        "read", "", "capture file (pcap, pcapng) instead of interfaces; - is stdin; repeatable", {},
        {.command_line_only = true, .short_flag = 'r', .repeat = true, .instead_of = "interfaces"}),
    config::option<&FlowConfig::interfaces>(
        "interfaces", "", "interfaces to capture on; repeatable", {}, {.short_flag = 'i'}),
    config::option<&FlowConfig::filter>("filter", "",
                                        "what to look at, in the language of pcap-filter(7)"),
    config::option<&FlowConfig::snapshot>(
        "snapshot", "bytes", "captured of each packet, at most; 128 do for counting", {64, 262144}),
    config::option<&FlowConfig::buffer>("buffer", "", "ring of each interface in the kernel",
                                        {1 << 20, 1 << 30}),
    config::option<&FlowConfig::promiscuous>("promiscuous", "",
                                             "capture packets that are not for this host too"),
    config::option<&FlowConfig::duration>(
        "duration", "", "time to capture on interfaces with --once", {0.1, 86400}),
    config::option<&FlowConfig::checksums>(
        "checksums", "", "wrong ones are not counted in the flow; auto: verify in files only", {},
        {.choices = "auto|verify|ignore"}),
    config::option<&FlowConfig::table_max>(
        "table_max", "", "memory of the flow table; 464 bytes a flow", {1 << 20, 64.0 * (1 << 30)}),
    config::option<&FlowConfig::tcp_timeout>("tcp_timeout", "", "a silent TCP flow ends after",
                                             {1, 86400}),
    config::option<&FlowConfig::udp_timeout>(
        "udp_timeout", "", "a silent UDP flow, or TCP handshake, ends after", {1, 86400}),
    config::option<&FlowConfig::dns_timeout>(
        "dns_timeout", "", "a silent UDP flow with port 53 ends after", {1, 86400}),
    config::option<&FlowConfig::icmp_timeout>(
        "icmp_timeout", "", "a silent flow of another protocol ends after", {1, 86400}),
    config::option<&FlowConfig::active_timeout>(
        "active_timeout", "", "a flow that goes on gives an interim record every", {10, 86400}),
    config::option<&FlowConfig::attempt_timeout>(
        "attempt_timeout", "", "a SYN without an answer ends its flow after", {0.1, 3600}),
    config::option<&FlowConfig::close_delay>(
        "close_delay", "", "a closed TCP flow waits for late packets for", {0, 3600}),
    config::option<&FlowConfig::community_id_seed>(
        "community_id_seed", "", "seed of the Community ID; the same on all sensors", {0, 65535}),
    config::option<&FlowConfig::services>(
        "services", "", "look into the first payloads: service, TLS and DNS names, HTTP host"),
};

constexpr std::string_view privileges[] = {
    "CAP_NET_RAW: captures on interfaces; the capturing thread gives up all capabilities once they "
    "are open",
};

constexpr std::string_view details =
    "Puts packets together into flows, one event each: addresses, ports, packets and bytes both "
    "ways, TCP state and\n"
    "history as in Zeek's conn.log, Community ID, delays, retransmissions, gaps. Looks into VLAN, "
    "MPLS, PPPoE, GRE,\n"
    "ERSPAN, IP-in-IP, VXLAN, Geneve, GTP-U and Teredo; fragments are put together.\n"
    "\n"
    "From a file (-r) time is that of the packets, and it ends with the file. With --once on "
    "interfaces it ends after\n"
    "`duration`. Flows that are open at the end are published with the reason `end`.\n"
    "\n"
    "A flow that lasts longer than `active_timeout` gives several records (`part`); each counts "
    "from where the one\n"
    "before ended, so that sums are right. When the table is full a closing flow makes room, else "
    "a silent one, else\n"
    "the oldest that nobody answered."
    "\n\nExamples:\n"
    "  amoskys agent flow --interfaces eth0 --bus 127.0.0.1:50051\n"
    "  amoskys agent flow -r FILE.pcap --once --stdout -o ndjson\n";

}  // namespace

extern const module::ModuleInfo flow_module;
const module::ModuleInfo flow_module{
    .name = "flow",
    .kind = module::Kind::collector,
    .summary = "collect network flows from interfaces or capture files",
    .details = details,
    .config_root = "agent.flow",
    .options = options,
    .make_config = &config::make_config<FlowConfig>,
    .metrics = flow::flow_metrics,
    .privileges = privileges,
    .make_collector = &flow::FlowCollector::make,
    .spool_sync = std::chrono::milliseconds(100),
};

}  // namespace amoskys::modules
