#include "modules/collectors/snmp/collector.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <mutex>
#include <set>

#include "core/base/text.h"
#include "core/log/log.h"
#include "modules/collectors/snmp/metrics.h"

namespace amoskys::snmp {
namespace {

constexpr std::string_view component = "snmp";

std::string spoken(Duration duration) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

std::string joined(const std::vector<std::string>& names, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
        text += (i == 0 ? "" : ",") + names[i];
    if (names.size() > most)
        text += ",...";
    return text;
}

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

// Finished polls on their way from the session thread to the loop. At most one per device is under
// way, which bounds it.
struct SnmpCollector::Inbox : std::enable_shared_from_this<Inbox> {
    explicit Inbox(io::asio::io_context& io_context) : io(io_context), event(io_context) {}

    void push(std::unique_ptr<PollJob> job) {
        const std::lock_guard lock(mutex);
        jobs.push_back(std::move(job));
        if (!std::exchange(posted, true))
            io::asio::post(io, [self = shared_from_this()] { self->event.notify(); });
    }
    std::deque<std::unique_ptr<PollJob>> take() {
        const std::lock_guard lock(mutex);
        posted = false;
        return std::exchange(jobs, {});
    }

    io::asio::io_context& io;
    io::Event event;
    std::mutex mutex;  // guards the next two
    std::deque<std::unique_ptr<PollJob>> jobs;
    bool posted = false;
};

SnmpCollector::SnmpCollector(const module::CollectorContext& context,
                             std::shared_ptr<const SnmpConfig> config,
                             std::shared_ptr<const Profile> profile, std::vector<Target> targets)
    : context_(context), config_(std::move(config)), profile_(std::move(profile)) {
    const auto now = context_.clock.steady();
    const std::size_t count = targets.size();
    for (std::size_t i = 0; i < count; ++i) {
        Device& device = devices_.emplace_back();
        device.target = std::move(targets[i]);
        // Many devices start spread over the interval; few start at once.
        device.due = now;
        if (!context_.once && count > config_->max_in_flight)
            device.due += std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                config_->interval * static_cast<std::int64_t>(i) /
                static_cast<std::int64_t>(count));
    }
}

io::Task<Result<>> SnmpCollector::run(module::Emitter& emitter) {
    auto inbox = std::make_shared<Inbox>(context_.io);
    SessionOptions options;
    options.max_in_flight = config_->max_in_flight;
    options.max_queued = devices_.size();
    SessionThread sessions(options, context_.clock,
                           [inbox](std::unique_ptr<PollJob> job) { inbox->push(std::move(job)); });
    AMOSKYS_CO_TRY_VOID(sessions.start());
    io::TaskGroup lookups(context_.io);
    auto result = co_await poll_until_done(emitter, sessions, *inbox, lookups);
    lookups.cancel();
    auto ended = co_await lookups.join();
    if (result && !ended)
        co_return ended;
    co_return result;
}

io::Task<Result<>> SnmpCollector::poll_until_done(module::Emitter& emitter, SessionThread& sessions,
                                                  Inbox& inbox, io::TaskGroup& lookups) {
    for (;;) {
        AMOSKYS_CO_TRY_VOID(submit_due(sessions, inbox, lookups));
        auto jobs = inbox.take();
        for (auto& job : jobs) {
            auto taken = co_await take(emitter, std::move(job));
            if (!taken)
                co_return taken;
        }
        if (unflushed_ && polling_ == 0) {
            unflushed_ = false;
            auto flushed = co_await emitter.flush();
            if (!flushed)
                co_return flushed;
        }
        if (context_.once && polling_ == 0)
            co_return once_result();
        const Duration wait = polling_ == devices_.size() || context_.once
                                  ? Duration::max()
                                  : Duration(next_due() - context_.clock.steady());
        const bool go_on = co_await inbox.event.wait_for(std::max(wait, Duration::zero()));
        if (!go_on)
            co_return Result<>();
    }
}

std::chrono::steady_clock::time_point SnmpCollector::next_due() const {
    return std::ranges::min_element(devices_, {}, &Device::due)->due;
}

Result<> SnmpCollector::submit_due(SessionThread& sessions, Inbox& inbox, io::TaskGroup& lookups) {
    const auto now = context_.clock.steady();
    const auto interval =
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(config_->interval);
    for (std::size_t i = 0; i < devices_.size(); ++i) {
        Device& device = devices_[i];
        if (device.due > now)
            continue;
        if (context_.once)
            device.due = std::chrono::steady_clock::time_point::max();
        else
            device.due += interval * ((now - device.due) / interval + 1);
        if (device.polling) {
            context_.metrics.counter(polls_metric, "skipped").add();
            if (log::allow("snmp.slow." + device.target.text, 1))
                log::warning(component, "device_slower_than_interval",
                             "its last poll is still under way; this one is skipped",
                             {{"target", device.target.text},
                              {"interval", format_duration(config_->interval)}});
            continue;
        }
        device.polling = true;
        ++polling_;
        boost::system::error_code not_numeric;
        auto job = make_job(i);
        const auto address = io::asio::ip::make_address(job->peer.address, not_numeric);
        if (not_numeric) {
            lookups.spawn("snmp.look_up", look_up_and_submit(sessions, inbox, i));
        } else if (address.is_v6() != job->peer.transport.ends_with('6')) {
            job->failure = "the address does not fit the transport " + job->peer.transport;
            inbox.push(std::move(job));
        } else {
            AMOSKYS_TRY_VOID(sessions.submit(std::move(job)));
        }
    }
    return {};
}

std::unique_ptr<PollJob> SnmpCollector::make_job(std::size_t index) const {
    const Device& device = devices_[index];
    Peer peer;
    peer.transport = device.target.transport;
    peer.address = device.target.host;
    peer.port = device.target.port;
    peer.version = config_->version == "1" ? Version::v1 : Version::v2c;
    peer.community = config_->community;
    peer.timeout = config_->timeout;
    peer.retries = static_cast<unsigned>(config_->retries);
    PollLimits limits;
    limits.max_repetitions = static_cast<std::uint32_t>(config_->max_repetitions);
    limits.max_rows = config_->max_rows;
    auto job = std::make_unique<PollJob>(index, std::move(peer),
                                         DevicePoll(profile_, peer.version, limits, device.memory));
    job->urgent = device.status == "online" || device.status == "partial";
    return job;
}

// Name lookup waits on the loop, beside everything else; a name that is not found is that device's
// loss alone.
io::Task<Result<>> SnmpCollector::look_up_and_submit(SessionThread& sessions, Inbox& inbox,
                                                     std::size_t index) {
    auto job = make_job(index);
    auto addresses = co_await io::resolve(job->peer.address);
    if (!addresses) {
        job->failure = addresses.error().message;
        inbox.push(std::move(job));
        co_return Result<>();
    }
    const bool v6 = job->peer.transport.ends_with('6');
    for (const auto& address : *addresses)
        if (address.is_v6() == v6) {
            job->peer.address = address.to_string();
            co_return sessions.submit(std::move(job));
        }
    job->failure = "the name has no IPv" + std::string(v6 ? "6" : "4") + " address";
    inbox.push(std::move(job));
    co_return Result<>();
}

io::Task<Result<>> SnmpCollector::take(module::Emitter& emitter, std::unique_ptr<PollJob> job) {
    Device& device = devices_[job->target];
    device.polling = false;
    --polling_;
    const bool read = job->poll.result().answered;
    std::vector<messaging::DeviceTelemetry> records =
        read ? read_device(device, *job) : lost_device(device, *job);
    if (context_.once && metrics_ == 0) {
        // A run that reads nothing at all fails and stores nothing.
        std::ranges::move(records, std::back_inserter(held_));
        co_return Result<>();
    }
    if (!held_.empty()) {
        auto held = co_await emit_all(emitter, std::exchange(held_, {}));
        if (!held)
            co_return held;
    }
    auto emitted = co_await emit_all(emitter, std::move(records));
    co_return emitted;
}

io::Task<Result<>> SnmpCollector::emit_all(module::Emitter& emitter,
                                           std::vector<messaging::DeviceTelemetry> records) {
    for (messaging::DeviceTelemetry& record : records) {
        context_.metrics.counter(records_metric).add();
        context_.metrics.counter(collected_bytes_metric).add(record.ByteSizeLong());
        unflushed_ = true;
        auto emitted = co_await emitter.emit(std::move(record));
        if (!emitted)
            co_return emitted;
    }
    co_return Result<>();
}

void SnmpCollector::set_status(Device& device, std::string_view status, UnixNanos now_ns) {
    if (device.status == status)
        return;
    device.status = status;
    device.status_since_ns = now_ns;
    const auto in = [this](std::string_view wanted) {
        return static_cast<double>(std::ranges::count(devices_, wanted, &Device::status));
    };
    context_.metrics.gauge(devices_metric, "online").set(in("online") + in("partial"));
    context_.metrics.gauge(devices_metric, "offline").set(in("offline"));
}

void SnmpCollector::count(const PollJob& job, std::string_view result) {
    metrics::Registry& all = context_.metrics;
    all.counter(polls_metric, result).add();
    all.counter(retries_metric).add(job.retried);
    all.histogram(duration_metric).observe(seconds(job.elapsed));
}

std::vector<messaging::DeviceTelemetry> SnmpCollector::read_device(Device& device, PollJob& job) {
    const PollResult& result = job.poll.result();
    const std::string_view status = status_of(result);
    DeviceContext about;
    about.device_id = device.target.device_id;
    about.address = job.peer.address;
    about.time_ns = job.first_answer_ns;
    about.interval_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(config_->interval).count());
    about.response_time_ms = seconds(job.first_answer_after) * 1000;
    about.previous_status = device.status;
    about.since_ns = device.status_since_ns;
    Decoded decoded = decode(*profile_, result, about);
    if (device.status == "offline")
        log::info(component, "device_online", "answers again", {{"target", device.target.text}});
    if (result.cut_short && log::allow("snmp.partial." + device.target.text, 1))
        log::warning(
            component, "device_partial", "stopped answering during the poll; what came is kept",
            {{"target", device.target.text}, {"responses", std::uint64_t{result.responses}}});
    if (job.elapsed > config_->interval / 2 && log::allow("snmp.slow." + device.target.text, 1))
        log::warning(component, "device_slow", "a poll takes more than half of the interval",
                     {{"target", device.target.text}, {"took", format_duration(job.elapsed)}});
    set_status(device, status, job.first_answer_ns);
    device.memory = std::move(job.poll.memory());
    count(job, result.cut_short ? "partial" : "ok");
    metrics::Registry& all = context_.metrics;
    all.counter(requests_metric).add(result.requests);
    all.counter(varbinds_metric).add(result.varbinds);
    all.counter(metrics_metric).add(decoded.metrics);
    all.counter(missing_metric).add(decoded.missing.size());
    all.counter(unreadable_metric).add(decoded.unreadable.size());
    for (const FaultNote& note : result.faults)
        all.counter(faults_metric, fault_name(note.fault)).add();
    log_missing(device, decoded);
    metrics_ += decoded.metrics;
    if (decoded.metrics == 0 && first_loss_.empty())
        first_loss_ = device.target.text + ": answers, but has none of the " +
                      std::to_string(profile_->stored_metrics()) + " metrics of profile " +
                      profile_->name + " (view of this community)";
    return std::move(decoded.records);
}

// Says what a device lacks when that changes, not every time.
void SnmpCollector::log_missing(Device& device, Decoded& decoded) {
    if (!decoded.unreadable.empty() && log::allow("snmp.unreadable." + device.target.text, 1))
        log::warning(component, "values_unreadable",
                     "values are not of the type that the profile says",
                     {{"target", device.target.text}, {"metrics", joined(decoded.unreadable, 20)}});
    if (decoded.missing == device.missing)
        return;
    device.missing = std::move(decoded.missing);
    const std::size_t all = profile_->stored_metrics();
    const std::size_t have = all - device.missing.size();
    const std::string text =
        device.missing.empty()
            ? "has all metrics of the profile"
            : "has " + std::to_string(have) + " of the profile's " + std::to_string(all) +
                  " metrics; missing: " + std::to_string(device.missing.size());
    log::info(component, "metrics_missing", text,
              {{"target", device.target.text}, {"missing", joined(device.missing, 100)}});
}

std::string SnmpCollector::loss_reason(const PollJob& job) const {
    if (!job.failure.empty())
        return job.failure;
    return "no answer in " + std::to_string(config_->retries + 1) +
           (config_->retries == 0 ? " try of " : " tries of ") + spoken(config_->timeout) +
           " (dead host, wrong port, wrong community, or a firewall)";
}

std::vector<messaging::DeviceTelemetry> SnmpCollector::lost_device(Device& device,
                                                                   const PollJob& job) {
    const std::string reason = loss_reason(job);
    DeviceContext about;
    about.device_id = device.target.device_id;
    about.address = job.peer.address;
    about.time_ns = context_.clock.now_ns();
    about.interval_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(config_->interval).count());
    about.previous_status = device.status;
    about.since_ns = device.status_since_ns;
    // With --once and nothing read the error says it; beside devices that were read, the log does.
    if (device.status != "offline" && !(context_.once && devices_.size() == 1) &&
        log::allow("snmp.offline", 100))
        log::warning(component, "device_offline", reason, {{"target", device.target.text}});
    if (first_loss_.empty())
        first_loss_ = device.target.text + ": " + reason;
    set_status(device, "offline", about.time_ns);
    count(job, job.failure.empty() ? "no_answer" : "not_sent");
    return {offline_record(about, reason)};
}

Result<> SnmpCollector::once_result() const {
    if (metrics_ > 0)
        return {};
    std::string message = first_loss_;
    if (devices_.size() > 1)
        message = "none of " + std::to_string(devices_.size()) +
                  " targets gave a value; the first: " + message;
    return make_error(ErrorKind::unavailable, "snmp_nothing_read", std::move(message));
}

Result<std::unique_ptr<module::Collector>> make_snmp_collector(
    const module::CollectorContext& context) {
    auto config = std::static_pointer_cast<const SnmpConfig>(context.config);
    if (config->target.empty())
        return make_error(ErrorKind::config, "snmp_no_target",
                          "agent.snmp.target: no device to poll is given",
                          "as in: --target udp:192.0.2.7:161");
    AMOSKYS_TRY(profile, find_profile(config->profile));
    std::vector<Target> targets;
    std::set<std::string> ids;
    for (const std::string& text : config->target) {
        AMOSKYS_TRY(target, parse_target(text));
        if (!ids.insert(target.device_id).second)
            return make_error(ErrorKind::config, "snmp_target_twice",
                              "agent.snmp.target: " + printable(text) + ": device id " +
                                  target.device_id + " is taken by an earlier target",
                              "give it a name of its own: NAME=" + printable(target.text));
        targets.push_back(std::move(target));
    }
    std::unique_ptr<module::Collector> collector = std::make_unique<SnmpCollector>(
        context, std::move(config), std::move(profile), std::move(targets));
    return collector;
}

}  // namespace amoskys::snmp
