#include "modules/collectors/snmp/session.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <set>
#include <thread>

#include "core/base/check.h"
#include "core/base/file.h"
#include "modules/collectors/snmp/netsnmp_api.h"

namespace amoskys::snmp {
namespace {

using Steady = std::chrono::steady_clock;
std::atomic<bool> running{false};  // one thread per process: see the header

// File descriptors that polls may use; the soft limit is raised as far as the system allows.
std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 512;
    const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, 65'536);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur > 512 ? static_cast<std::size_t>(limit.rlim_cur) - 256 : 128;
}

// net-snmp connects TCP with a blocking call, which a silent host would hold for minutes. The
// session is opened only after a connection of our own, made without waiting, went through.
FileDescriptor begin_connect(const Peer& peer, int& failed_errno) {
    const bool v6 = peer.transport.ends_with('6');
    FileDescriptor fd(
        ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in6 six{};
    sockaddr_in four{};
    six.sin6_family = AF_INET6;
    four.sin_family = AF_INET;
    six.sin6_port = four.sin_port = htons(peer.port);
    inet_pton(AF_INET6, peer.address.c_str(), &six.sin6_addr);
    inet_pton(AF_INET, peer.address.c_str(), &four.sin_addr);
    const auto* address =
        v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    failed_errno = 0;
    if (!fd ||
        (::connect(fd.get(), address, v6 ? sizeof six : sizeof four) != 0 && errno != EINPROGRESS))
        failed_errno = errno;
    return fd;
}

struct Active {
    std::unique_ptr<PollJob> job;
    NetsnmpSession session;
    FileDescriptor connecting;  // TCP, before the session
    bool opened = false;
    bool holds_slot = false;
    Steady::time_point started, sent, deadline;
    Steady::time_point timer;  // its entry in the timer set
    std::list<Active>::iterator self;
};

}  // namespace

struct SessionThread::Impl {
    Impl(const SessionOptions& o, const Clock& c, Deliver d)
        : options(o), clock(c), deliver(std::move(d)) {}

    void run();
    void wake() const {
        const std::uint64_t one = 1;
        // A full counter means that a wake-up is pending already.
        [[maybe_unused]] const ssize_t written = ::write(event_fd.get(), &one, sizeof one);
    }
    void take_inbox();
    void start_waiting();
    void begin(std::unique_ptr<PollJob> job);
    void open_session(Active& active);
    void connected(Active& active);
    void send_next(Active& active);
    void pump(Active& active);
    void finish(Active& active);
    void set_timer(Active& active, Steady::time_point when);
    void release_slot(Active& active);
    void on_timer(Active& active, Steady::time_point now);
    void fire_timers();
    int wait_ms() const;
    bool watch(int fd, std::uint32_t events, Active* active) const;

    const SessionOptions options;
    const Clock& clock;
    const Deliver deliver;
    FileDescriptor epoll_fd, event_fd;
    std::thread thread;

    std::mutex mutex;  // guards the next three
    std::deque<std::unique_ptr<PollJob>> inbox;
    std::size_t queued = 0;  // in the inbox and in the two queues below
    bool stop = false;

    // Of the thread alone:
    std::deque<std::unique_ptr<PollJob>> urgent, other;
    std::list<Active> active;
    std::set<std::pair<Steady::time_point, Active*>> timers;
    std::size_t in_flight = 0, max_open = 0;
};

SessionThread::SessionThread(const SessionOptions& options, const Clock& clock, Deliver deliver)
    : impl_(std::make_unique<Impl>(options, clock, std::move(deliver))) {}

SessionThread::~SessionThread() {
    if (!impl_->thread.joinable())
        return;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stop = true;
    }
    impl_->wake();
    impl_->thread.join();
    running = false;
}

Result<> SessionThread::start() {
    check(!running.exchange(true), "one SNMP session thread at a time");
    impl_->epoll_fd = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
    impl_->event_fd = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!impl_->epoll_fd || !impl_->event_fd ||
        !impl_->watch(impl_->event_fd.get(), EPOLLIN, nullptr)) {
        running = false;
        return errno_error("snmp_thread", "creating the SNMP session thread's descriptors", errno);
    }
    impl_->max_open = raise_descriptor_limit();
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
    return {};
}

Result<> SessionThread::submit(std::unique_ptr<PollJob> job) {
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->queued >= impl_->options.max_queued)
            return make_error(
                ErrorKind::unavailable, "snmp_queue_full",
                "SNMP: " + std::to_string(impl_->queued) + " polls are waiting already");
        ++impl_->queued;
        impl_->inbox.push_back(std::move(job));
    }
    impl_->wake();
    return {};
}

bool SessionThread::Impl::watch(int fd, std::uint32_t events, Active* one) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = one;
    return epoll_ctl(epoll_fd.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void SessionThread::Impl::run() {
    initialise_netsnmp();
    std::array<epoll_event, 256> events{};
    for (;;) {
        const int count =
            epoll_wait(epoll_fd.get(), events.data(), static_cast<int>(events.size()), wait_ms());
        // A poll has one watched descriptor at a time, so no event outlives the poll that it points
        // to.
        for (int i = 0; i < count; ++i) {
            auto* one = static_cast<Active*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (!one) {
                std::uint64_t drained = 0;
                [[maybe_unused]] const ssize_t got =
                    ::read(event_fd.get(), &drained, sizeof drained);
            } else if (one->connecting) {
                connected(*one);
            } else {
                one->session.read();
                pump(*one);
            }
        }
        fire_timers();
        {
            const std::lock_guard lock(mutex);
            if (stop)
                break;
        }
        take_inbox();
        start_waiting();
    }
    active.clear();
}

int SessionThread::Impl::wait_ms() const {
    if (timers.empty())
        return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers.begin()->first - Steady::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void SessionThread::Impl::take_inbox() {
    const std::lock_guard lock(mutex);
    for (auto& job : inbox)
        (job->urgent ? urgent : other).push_back(std::move(job));
    inbox.clear();
}

void SessionThread::Impl::start_waiting() {
    while (in_flight < options.max_in_flight && active.size() < max_open &&
           !(urgent.empty() && other.empty())) {
        auto& queue = urgent.empty() ? other : urgent;
        auto job = std::move(queue.front());
        queue.pop_front();
        {
            const std::lock_guard lock(mutex);
            --queued;
        }
        begin(std::move(job));
    }
}

void SessionThread::Impl::begin(std::unique_ptr<PollJob> job) {
    Active& one = active.emplace_back();
    one.self = std::prev(active.end());
    one.job = std::move(job);
    one.started = one.sent = Steady::now();
    one.holds_slot = true;
    ++in_flight;
    if (!one.job->peer.transport.starts_with("tcp"))
        return open_session(one);
    int failed = 0;
    one.connecting = begin_connect(one.job->peer, failed);
    if (failed != 0 || !watch(one.connecting.get(), EPOLLOUT, &one)) {
        one.job->failure =
            std::string("connecting: ") + std::strerror(failed != 0 ? failed : errno);
        return finish(one);
    }
    one.deadline = one.started + one.job->peer.timeout;
    set_timer(one, std::min(one.deadline, one.sent + options.slot_hold));
}

void SessionThread::Impl::connected(Active& one) {
    int failed = 0;
    socklen_t size = sizeof failed;
    getsockopt(one.connecting.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    one.connecting = {};
    if (failed != 0) {
        one.job->failure = std::string("connecting: ") + std::strerror(failed);
        return finish(one);
    }
    open_session(one);
}

void SessionThread::Impl::open_session(Active& one) {
    if (auto opened = one.session.open(one.job->peer); !opened) {
        one.job->failure = opened.error().message;
        return finish(one);
    }
    if (!watch(one.session.fd(), EPOLLIN, &one)) {
        one.job->failure = std::string("watching the socket: ") + std::strerror(errno);
        return finish(one);
    }
    one.opened = true;
    send_next(one);
}

void SessionThread::Impl::send_next(Active& one) {
    const auto request = one.job->poll.next_request();
    if (!request)
        return finish(one);
    if (auto sent = one.session.send(*request); !sent) {
        one.job->failure = sent.error().message;
        one.job->poll.on_send_failure();
        return finish(one);
    }
    if (!one.holds_slot) {
        one.holds_slot = true;
        ++in_flight;
    }
    one.sent = Steady::now();
    one.deadline = one.sent + one.job->peer.timeout;
    set_timer(one, std::min(one.deadline, one.sent + options.slot_hold));
}

// Acts on what net-snmp brought, if anything.
void SessionThread::Impl::pump(Active& one) {
    PollJob& job = *one.job;
    switch (one.session.take_event()) {
        case NetsnmpSession::Event::response:
            if (job.first_answer_ns == 0) {
                job.first_answer_ns = clock.now_ns();
                job.first_answer_after = Steady::now() - one.sent;
            }
            job.poll.on_response(std::move(one.session.response()));
            return send_next(one);
        case NetsnmpSession::Event::timed_out:
            job.poll.on_timeout();
            return send_next(one);
        case NetsnmpSession::Event::failed:
            job.failure = "the connection was closed";
            job.poll.on_send_failure();
            return finish(one);
        case NetsnmpSession::Event::none:
            break;
    }
    if (one.session.fd() < 0) {
        job.failure = "the connection was closed";
        job.poll.on_send_failure();
        finish(one);
    }
}

void SessionThread::Impl::set_timer(Active& one, Steady::time_point when) {
    timers.erase({one.timer, &one});
    one.timer = when;
    timers.emplace(when, &one);
}

void SessionThread::Impl::release_slot(Active& one) {
    if (std::exchange(one.holds_slot, false))
        --in_flight;
}

void SessionThread::Impl::on_timer(Active& one, Steady::time_point now) {
    if (now >= one.sent + options.slot_hold)
        release_slot(one);
    if (now < one.deadline)
        return set_timer(one, one.deadline);
    if (one.connecting) {
        one.job->failure = "connecting: timed out";
        return finish(one);
    }
    // net-snmp counts the tries; until it gives up, the next deadline is one timeout away.
    const std::uint64_t before = one.session.retried();
    one.session.on_timer();
    one.deadline = now + (one.session.retried() != before ? one.job->peer.timeout
                                                          : Duration(std::chrono::milliseconds(2)));
    set_timer(one, one.deadline);
    pump(one);
}

void SessionThread::Impl::fire_timers() {
    const auto now = Steady::now();
    while (!timers.empty() && timers.begin()->first <= now)
        on_timer(*timers.begin()->second, now);
}

void SessionThread::Impl::finish(Active& one) {
    release_slot(one);
    timers.erase({one.timer, &one});
    auto job = std::move(one.job);
    job->elapsed = Steady::now() - one.started;
    job->retried = one.session.retried();
    active.erase(one.self);  // closes the socket, which leaves epoll by that
    deliver(std::move(job));
}

}  // namespace amoskys::snmp
