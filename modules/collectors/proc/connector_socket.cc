#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/file.h"
#include "modules/collectors/proc/connector.h"
#include "modules/collectors/proc/exe_hash.h"

namespace amoskys::proc {
namespace {

constexpr int answer_wait_ms = 500;
constexpr std::size_t datagrams_at_once = 64, datagram_bytes = 512;
constexpr std::size_t at_most_at_once = 4096;  // events; what is left stays in the kernel's buffer

class Connector final : public LifeCycleSource {
  public:
    explicit Connector(FileDescriptor socket) : socket_(std::move(socket)) {}
    std::string_view name() const override { return "CONNECTOR"; }
    int descriptor() const override { return socket_.get(); }
    LifeCycleCounts counts() const override { return decoder_.counts(); }
    Result<> receive(std::vector<LifeCycleEvent>& out) override;
    Result<> listen(std::uint64_t buffer_bytes);

  private:
    FileDescriptor socket_;
    const std::uint32_t token_ = static_cast<std::uint32_t>(::getpid());
    ConnectorDecoder decoder_{token_};
    std::array<std::array<std::uint8_t, datagram_bytes>, datagrams_at_once> buffers_{};
};

Result<> Connector::receive(std::vector<LifeCycleEvent>& out) {
    std::array<mmsghdr, datagrams_at_once> messages{};
    std::array<iovec, datagrams_at_once> parts{};
    std::array<sockaddr_nl, datagrams_at_once> senders{};
    while (out.size() < at_most_at_once) {
        for (std::size_t i = 0; i < datagrams_at_once; ++i) {
            parts[i] = {buffers_[i].data(), buffers_[i].size()};
            messages[i].msg_hdr = {};
            messages[i].msg_hdr.msg_name = &senders[i];
            messages[i].msg_hdr.msg_namelen = sizeof senders[i];
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        const int got =
            ::recvmmsg(socket_.get(), messages.data(), datagrams_at_once, MSG_DONTWAIT, nullptr);
        if (got < 0 && errno == ENOBUFS) {
            decoder_.overrun();
            continue;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != EAGAIN)
            return errno_error("proc_connector", "cannot receive process events", errno);
        for (int i = 0; i < got; ++i) {
            const auto at = static_cast<std::size_t>(i);
            if (senders[at].nl_pid == 0)  // from the kernel
                decoder_.decode({buffers_[at].data(), messages[at].msg_len}, out);
        }
        if (got < static_cast<int>(datagrams_at_once))
            break;
    }
    return {};
}

Error refused(int error) {
    if (error == EPERM || error == EACCES)
        return errno_error("proc_connector", "process events need CAP_NET_ADMIN before Linux 6.6",
                           error);
    return make_error(ErrorKind::unavailable, "proc_connector",
                      "the kernel gives no process events here (another network namespace, or "
                      "built without CONFIG_PROC_EVENTS): " +
                          errno_name(error));
}

Result<> Connector::listen(std::uint64_t buffer_bytes) {
    const int size = static_cast<int>(std::min<std::uint64_t>(buffer_bytes, 1U << 30U));
    // The first needs CAP_NET_ADMIN, as does all of this.
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = CN_IDX_PROC;
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return refused(errno);
    std::array<std::uint8_t, sizeof(nlmsghdr) + sizeof(cn_msg) + 4> request{};
    nlmsghdr header{};
    header.nlmsg_len = request.size();
    header.nlmsg_type = NLMSG_DONE;
    cn_msg message{};
    message.id = {CN_IDX_PROC, CN_VAL_PROC};
    message.ack = token_;
    message.len = 4;
    const std::uint32_t operation = PROC_CN_MCAST_LISTEN;
    std::memcpy(request.data(), &header, sizeof header);
    std::memcpy(request.data() + sizeof header, &message, sizeof message);
    std::memcpy(request.data() + sizeof header + sizeof message, &operation, sizeof operation);
    if (::send(socket_.get(), request.data(), request.size(), 0) < 0)
        return refused(errno);
    std::vector<LifeCycleEvent> before;
    pollfd ready{socket_.get(), POLLIN, 0};
    while (::poll(&ready, 1, answer_wait_ms) > 0) {
        AMOSKYS_TRY_VOID(receive(before));
        if (const auto answer = decoder_.take_answer()) {
            if (*answer != 0)
                return refused(static_cast<int>(*answer));
            return {};
        }
        before.clear();
    }
    return make_error(ErrorKind::unavailable, "proc_connector",
                      "the kernel does not answer a request for process events");
}

}  // namespace

Result<std::unique_ptr<LifeCycleSource>> open_connector(std::uint64_t buffer_bytes) {
    // Elsewhere its numbers of processes are not ours. The initial one's inode is fixed
    // (PROC_PID_INIT_INO, include/linux/proc_ns.h).
    constexpr ino_t initial_pids = 0xeffffffcU;
    struct stat own {};
    if (::stat("/proc/self/ns/pid", &own) != 0 || own.st_ino != initial_pids)
        return make_error(ErrorKind::unavailable, "proc_connector",
                          "process events are of the initial pid namespace, and this is another");
    FileDescriptor socket(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
    if (!socket)
        return refused(errno);
    auto connector = std::make_unique<Connector>(std::move(socket));
    AMOSKYS_TRY_VOID(connector->listen(buffer_bytes));
    return std::unique_ptr<LifeCycleSource>(std::move(connector));
}

}  // namespace amoskys::proc
