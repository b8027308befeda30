#include "modules/collectors/snmp/session.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/base/file.h"
#include "modules/collectors/snmp/transport.h"

namespace amoskys::snmp {
namespace {

using Steady = std::chrono::steady_clock;

std::int64_t seconds_of(Steady::time_point when) {
    return std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
}

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

struct Active {
    std::unique_ptr<PollJob> job;
    Transport transport;
    bool connecting = false;  // TCP
    bool holds_slot = false;
    unsigned tries = 0;  // of the current request
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
    void connected(Active& active);
    void send_next(Active& active);
    void send_again(Active& active);
    bool put(Active& active);
    void receive(Active& active);
    bool take(Active& active, ByteView message);
    void fail(Active& active, std::string reason);
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
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(Transport::max_datagram);
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
}

Result<> SessionThread::start() {
    impl_->epoll_fd = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
    impl_->event_fd = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!impl_->epoll_fd || !impl_->event_fd ||
        !impl_->watch(impl_->event_fd.get(), EPOLLIN, nullptr))
        return errno_error("snmp_thread", "creating the SNMP session thread's descriptors", errno);
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
                receive(*one);
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
    if (!one.transport.open(one.job->peer.address))
        return fail(one, "connecting: " + one.transport.error());
    one.connecting = one.transport.is_stream();
    if (!watch(one.transport.fd(), one.connecting ? EPOLLOUT : EPOLLIN, &one))
        return fail(one, std::string("watching the socket: ") + std::strerror(errno));
    if (!one.connecting)
        return send_next(one);
    one.deadline = one.started + one.job->peer.timeout;
    set_timer(one, std::min(one.deadline, one.sent + options.slot_hold));
}

void SessionThread::Impl::connected(Active& one) {
    one.connecting = false;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &one;
    if (!one.transport.connected())
        return fail(one, "connecting: " + one.transport.error());
    if (epoll_ctl(epoll_fd.get(), EPOLL_CTL_MOD, one.transport.fd(), &event) != 0)
        return fail(one, std::string("watching the socket: ") + std::strerror(errno));
    send_next(one);
}

void SessionThread::Impl::fail(Active& one, std::string reason) {
    one.job->failure = std::move(reason);
    one.job->poll.on_send_failure();
    finish(one);
}

void SessionThread::Impl::send_next(Active& one) {
    auto request = one.job->poll.next_request();
    if (!request)
        return finish(one);
    one.job->dialog.begin(std::move(*request));
    one.tries = 0;
    put(one);
}

// The message of the current request, once more or for the first time.
bool SessionThread::Impl::put(Active& one) {
    const auto now = Steady::now();
    const Bytes message = one.job->dialog.octets(seconds_of(now));
    if (!one.transport.send(message)) {
        fail(one, "sending: " + one.transport.error());
        return false;
    }
    if (!one.holds_slot) {
        one.holds_slot = true;
        ++in_flight;
    }
    one.sent = now;
    one.deadline = now + one.job->peer.timeout * (1U << std::min(one.tries, 16U));
    set_timer(one, std::min(one.deadline, one.sent + options.slot_hold));
    return true;
}

void SessionThread::Impl::send_again(Active& one) {
    PollJob& job = *one.job;
    if (one.tries == job.peer.retries || one.transport.is_stream()) {
        job.poll.on_timeout();
        return send_next(one);
    }
    ++one.tries;
    ++job.retried;
    if (!put(one))
        return;
    if (one.tries == job.peer.retries && !job.poll.result().answered) {
        const Bytes probe = job.dialog.probe(seconds_of(one.sent));
        if (!probe.empty() && !one.transport.send(probe))
            fail(one, "sending: " + one.transport.error());
    }
}

void SessionThread::Impl::receive(Active& one) {
    for (;;) {
        ByteView message;
        switch (one.transport.read(buffer, message)) {
            case Transport::State::idle:
                return;
            case Transport::State::refused:
                one.job->refused = true;  // it may be starting: the tries go on
                return;
            case Transport::State::failed:
                return fail(one, one.transport.error());
            case Transport::State::message:
                // Another datagram that waits wakes us again; what lies in a stream's buffer does
                // not.
                if (!take(one, message) || !one.transport.is_stream())
                    return;
                break;
        }
    }
}

// False where `one` is over.
bool SessionThread::Impl::take(Active& one, ByteView message) {
    PollJob& job = *one.job;
    const std::size_t before = active.size();
    Response answer;
    switch (job.dialog.receive(message, seconds_of(Steady::now()), answer)) {
        case Dialog::Outcome::ignored:
            return true;
        case Dialog::Outcome::again:
            return put(one);
        case Dialog::Outcome::refused:
            fail(one, job.dialog.reason());
            return false;
        case Dialog::Outcome::answer:
            break;
    }
    if (job.first_answer_ns == 0) {
        job.first_answer_ns = clock.now_ns();
        job.first_answer_at = Steady::now();
        job.first_answer_after = job.first_answer_at - one.sent;
    }
    if (answer.status == ErrorStatus::no_access && !job.poll.result().answered) {
        fail(one,
             "the device refuses access (authorizationError): no view for this user, level "
             "and context");
        return false;
    }
    job.poll.on_response(std::move(answer));
    send_next(one);
    return active.size() == before;
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
    if (one.connecting)
        return fail(one, "connecting: timed out");
    send_again(one);
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
    active.erase(one.self);  // closes the socket, which leaves epoll by that
    deliver(std::move(job));
}

}  // namespace amoskys::snmp
