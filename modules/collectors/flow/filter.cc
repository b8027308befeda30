#include "modules/collectors/flow/filter.h"

#include <pcap/pcap.h>

#include "core/base/check.h"
#include "core/base/text.h"

namespace amoskys::flow {

struct Filter::Program {
    bpf_program code{};
    ~Program() { pcap_freecode(&code); }
};

Error bad_filter(const std::string& expression, const std::string& why) {
    return make_error(ErrorKind::usage, "flow_bad_filter",
                      "agent.flow.filter: '" + excerpt(expression) + "': " + why,
                      "the language is that of pcap-filter(7), as in tcpdump");
}

Result<Filter> Filter::make(const std::string& expression) {
    Filter filter;
    filter.expression_ = expression;
    if (!expression.empty()) {
        AMOSKYS_TRY(checked, filter.program_for(LinkType::ethernet));
        check(checked != nullptr, "flow filter: compiled");
    }
    return filter;
}

Result<Filter::Program*> Filter::program_for(LinkType link) {
    auto& slot = programs_[link];
    if (slot)
        return slot.get();
    const std::unique_ptr<pcap_t, void (*)(pcap_t*)> dead(
        pcap_open_dead(static_cast<int>(link), 262144), &pcap_close);
    auto program = std::make_shared<Program>();
    constexpr int optimize = 1;
    if (pcap_compile(dead.get(), &program->code, expression_.c_str(), optimize,
                     PCAP_NETMASK_UNKNOWN) != 0)
        return bad_filter(expression_, pcap_geterr(dead.get()));
    slot = std::move(program);
    return slot.get();
}

Result<bool> Filter::matches(const Frame& frame) {
    if (expression_.empty())
        return true;
    AMOSKYS_TRY(program, program_for(frame.link));
    pcap_pkthdr header{};
    header.caplen = static_cast<bpf_u_int32>(frame.data.size());
    header.len = frame.wire_bytes;
    return pcap_offline_filter(&program->code, &header, frame.data.data()) != 0;
}

}  // namespace amoskys::flow
