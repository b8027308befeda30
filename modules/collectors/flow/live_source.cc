// Interfaces of this host, through libpcap (on Linux a ring shared with the kernel, TPACKET_V3).
#include <pcap/pcap.h>
#include <poll.h>

#include "core/log/log.h"
#include "modules/collectors/flow/source.h"

namespace amoskys::flow {
namespace {

constexpr int poll_ms = 100;
constexpr int frames_per_turn = 4096;
// Frames stay in the kernel's ring for up to its block timeout: time must not overtake them.
constexpr UnixNanos behind_ns = 1'000'000'000;

using Handle = std::unique_ptr<pcap_t, void (*)(pcap_t*)>;

struct Interface {
    std::string name;
    Handle handle;
    LinkType link;
    std::uint32_t number;
    bool nanoseconds;
    CaptureCounts counts;
    std::uint32_t last_received, last_dropped, last_by_interface;  // libpcap's wrap at 32 bits
};

std::string names_of_interfaces() {
    char why[PCAP_ERRBUF_SIZE] = "";
    pcap_if_t* list = nullptr;
    if (pcap_findalldevs(&list, why) != 0)
        return {};
    std::string out;
    for (const pcap_if_t* item = list; item != nullptr; item = item->next)
        if ((item->flags & PCAP_IF_UP) != 0)
            out += (out.empty() ? "" : ", ") + std::string(item->name);
    pcap_freealldevs(list);
    return out;
}

Error cannot_open(const std::string& name, pcap_t* handle, int status) {
    const std::string detail = pcap_geterr(handle);
    std::string message = "cannot capture on " + name + ": " + pcap_statustostr(status);
    if (!detail.empty())
        message += " (" + detail + ")";
    if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED)
        return make_error(ErrorKind::permission, "flow_no_capability", message,
                          "capturing needs CAP_NET_RAW: run as root, or give the executable the "
                          "capability (setcap cap_net_raw+ep, AmbientCapabilities=)");
    if (status == PCAP_ERROR_NO_SUCH_DEVICE)
        return make_error(ErrorKind::no_input, "flow_no_interface", message,
                          "interfaces that are up: " + names_of_interfaces());
    return make_error(ErrorKind::unavailable, "flow_interface", message);
}

Result<> set_filter(pcap_t* handle, const std::string& name, const std::string& expression) {
    bpf_program program{};
    constexpr int optimize = 1;
    if (pcap_compile(handle, &program, expression.c_str(), optimize, PCAP_NETMASK_UNKNOWN) != 0)
        return make_error(ErrorKind::usage, "flow_bad_filter",
                          "agent.flow.filter: '" + expression + "': " + pcap_geterr(handle),
                          "the language is that of pcap-filter(7), as in tcpdump");
    const int set = pcap_setfilter(handle, &program);
    pcap_freecode(&program);
    if (set != 0)
        return make_error(ErrorKind::unavailable, "flow_filter",
                          name + ": the filter cannot be set: " + pcap_geterr(handle));
    return {};
}

Result<Interface> open_interface(const std::string& name, const LiveOptions& options) {
    char why[PCAP_ERRBUF_SIZE] = "";
    Handle handle(pcap_create(name.c_str(), why), &pcap_close);
    if (handle == nullptr)
        return make_error(ErrorKind::unavailable, "flow_interface", name + ": " + why);
    pcap_set_snaplen(handle.get(), static_cast<int>(options.snapshot_bytes));
    pcap_set_promisc(handle.get(), options.promiscuous ? 1 : 0);
    pcap_set_timeout(handle.get(), poll_ms);
    pcap_set_buffer_size(handle.get(), static_cast<int>(options.buffer_bytes));
    const bool nanoseconds =
        pcap_set_tstamp_precision(handle.get(), PCAP_TSTAMP_PRECISION_NANO) == 0;
    const int status = pcap_activate(handle.get());
    if (status < 0)
        return cannot_open(name, handle.get(), status);
    if (status > 0)
        log::warning("flow", "capture_warning", name + ": " + pcap_statustostr(status));
    const auto link = static_cast<LinkType>(pcap_datalink(handle.get()));
    if (!known_link(link))
        return make_error(ErrorKind::unavailable, "flow_link_type",
                          name + ": link type " + std::to_string(static_cast<std::uint32_t>(link)) +
                              " is not known here");
    if (!options.filter.empty())
        AMOSKYS_TRY_VOID(set_filter(handle.get(), name, options.filter));
    if (pcap_setnonblock(handle.get(), 1, why) != 0)
        return make_error(ErrorKind::unavailable, "flow_interface", name + ": " + why);
    return Interface{name, std::move(handle), link, 0, nanoseconds, {}, 0, 0, 0};
}

class LiveSource final : public PacketSource {
  public:
    explicit LiveSource(std::vector<Interface> interfaces) : interfaces_(std::move(interfaces)) {
        for (std::uint32_t i = 0; i < interfaces_.size(); ++i) {
            interfaces_[i].number = i;
            waiting_.push_back({.fd = pcap_get_selectable_fd(interfaces_[i].handle.get()),
                                .events = POLLIN,
                                .revents = 0});
        }
    }

    Result<bool> pump(Engine& engine) override {
        ::poll(waiting_.data(), waiting_.size(), poll_ms);
        for (Interface& interface : interfaces_) {
            Turn turn{engine, interface};
            const int got = pcap_dispatch(interface.handle.get(), frames_per_turn, &take,
                                          reinterpret_cast<u_char*>(&turn));
            if (got < 0 && got != PCAP_ERROR_BREAK)
                return make_error(ErrorKind::unavailable, "flow_interface",
                                  interface.name + ": " + pcap_geterr(interface.handle.get()));
        }
        const UnixNanos now = system_clock().now_ns();
        engine.advance(now > behind_ns ? now - behind_ns : 0);
        return true;
    }

    std::vector<std::pair<std::string, CaptureCounts>> counts() override {
        std::vector<std::pair<std::string, CaptureCounts>> out;
        for (Interface& interface : interfaces_) {
            pcap_stat stat{};
            if (pcap_stats(interface.handle.get(), &stat) == 0) {
                const auto add = [](std::uint64_t& total, std::uint32_t& last, std::uint32_t now) {
                    total += static_cast<std::uint32_t>(now - last);
                    last = now;
                };
                add(interface.counts.received, interface.last_received, stat.ps_recv);
                add(interface.counts.dropped, interface.last_dropped, stat.ps_drop);
                add(interface.counts.dropped_by_interface, interface.last_by_interface,
                    stat.ps_ifdrop);
            }
            out.emplace_back(interface.name, interface.counts);
        }
        return out;
    }
    std::uint64_t filtered() const override { return 0; }  // the kernel does not say

  private:
    struct Turn {
        Engine& engine;
        const Interface& interface;
    };
    static void take(u_char* user, const pcap_pkthdr* header, const u_char* data) {
        const Turn& turn = *reinterpret_cast<const Turn*>(user);
        Frame frame;
        frame.data = {data, header->caplen};
        frame.wire_bytes = header->len;
        frame.link = turn.interface.link;
        frame.interface = turn.interface.number;
        frame.time_ns =
            static_cast<UnixNanos>(header->ts.tv_sec) * 1'000'000'000 +
            static_cast<UnixNanos>(header->ts.tv_usec) * (turn.interface.nanoseconds ? 1U : 1000U);
        turn.engine.frames({&frame, 1});
    }

    std::vector<Interface> interfaces_;
    std::vector<pollfd> waiting_;
};

}  // namespace

Result<std::unique_ptr<PacketSource>> open_live(const LiveOptions& options) {
    std::vector<Interface> interfaces;
    for (const std::string& name : options.interfaces) {
        AMOSKYS_TRY(interface, open_interface(name, options));
        interfaces.push_back(std::move(interface));
    }
    return std::unique_ptr<PacketSource>(std::make_unique<LiveSource>(std::move(interfaces)));
}

}  // namespace amoskys::flow
