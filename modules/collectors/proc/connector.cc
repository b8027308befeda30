#include "modules/collectors/proc/connector.h"

#include <cstring>

namespace amoskys::proc {
namespace {

constexpr std::size_t netlink_header = 16, connector_header = 20, event_header = 16;
constexpr std::uint16_t netlink_done = 3;

enum What : std::uint32_t {
    none = 0,
    fork = 1,
    exec = 2,
    uid = 4,
    ptrace = 0x100,
    exit_ = 0x80000000U,
};

template <class T>
T load(ByteView from, std::size_t at) {
    T out{};
    std::memcpy(&out, from.data() + at, sizeof out);
    return out;
}

}  // namespace

void ConnectorDecoder::decode(ByteView datagram, std::vector<LifeCycleEvent>& out) {
    while (datagram.size() >= netlink_header) {
        const auto length = load<std::uint32_t>(datagram, 0);
        if (length < netlink_header || length > datagram.size())
            break;
        const auto message = datagram.first(length);
        const bool ours = load<std::uint16_t>(message, 4) == netlink_done &&
                          message.size() >= netlink_header + connector_header + event_header &&
                          load<std::uint32_t>(message, netlink_header) == 1 &&
                          load<std::uint32_t>(message, netlink_header + 4) == 1;
        if (ours)
            decode_event(message, out);
        else
            ++counts_.malformed;
        const std::size_t step = (static_cast<std::size_t>(length) + 3) & ~std::size_t{3};
        datagram = datagram.subspan(std::min(step, datagram.size()));
    }
    if (!datagram.empty())
        ++counts_.malformed;
}

void ConnectorDecoder::decode_event(ByteView whole, std::vector<LifeCycleEvent>& out) {
    const auto message = whole.subspan(netlink_header + connector_header);
    const auto what = load<std::uint32_t>(message, 0);
    const auto data = message.subspan(event_header);
    const auto word = [&](std::size_t index) {
        return data.size() >= (index + 1) * 4 ? load<std::uint32_t>(data, index * 4) : 0;
    };
    // Answers have numbers too, and go to all who listen.
    follow(load<std::uint32_t>(message, 4), load<std::uint32_t>(whole, netlink_header + 8));
    if (what == none) {
        if (load<std::uint32_t>(whole, netlink_header + 12) == token_ + 1)
            answer_ = word(0);
        return;
    }
    ++counts_.received;
    constexpr std::size_t fewest_words = 4;  // of the kinds below
    if (data.size() < fewest_words * 4) {
        ++counts_.malformed;
        return;
    }
    LifeCycleEvent event;
    event.time_ns = load<std::uint64_t>(message, 8);
    bool thread = false;
    switch (what) {
        case fork:
            event.kind = LifeCycleEvent::Kind::fork;
            event.other = word(1);
            event.pid = word(2);
            thread = word(2) != word(3);
            break;
        case exec:
            // The one thread that goes on has the process's number.
            event.kind = LifeCycleEvent::Kind::exec;
            event.pid = word(1);
            break;
        case exit_:
            event.kind = LifeCycleEvent::Kind::exit;
            event.pid = word(1);
            event.status = word(2);
            thread = word(0) != word(1);
            break;
        case uid:
            event.kind = LifeCycleEvent::Kind::ids;
            event.pid = word(1);
            event.uid = word(2);
            event.euid = word(3);
            break;
        case ptrace:
            event.kind = LifeCycleEvent::Kind::ptrace;
            event.pid = word(1);
            event.other = word(3);
            break;
        default:
            return;
    }
    if (!thread)
        out.push_back(event);
}

void ConnectorDecoder::follow(std::uint32_t cpu, std::uint32_t sequence) {
    if (cpu >= max_cpus)
        return;
    if (last_.size() <= cpu)
        last_.resize(cpu + 1);
    auto& last = last_[cpu];
    // Modulo 2^32. A step back is a kernel that counts anew, not a loss of four thousand million.
    const std::uint32_t gap = last ? sequence - *last - 1 : 0;
    if (gap < 0x80000000U)
        counts_.lost += gap;
    last = sequence;
}

std::optional<std::uint32_t> ConnectorDecoder::take_answer() {
    auto out = answer_;
    answer_.reset();
    return out;
}

}  // namespace amoskys::proc
