#include "modules/collectors/snmp/collector.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <mutex>

#include "core/base/text.h"
#include "core/log/log.h"
#include "modules/collectors/snmp/metrics.h"
#include "modules/collectors/snmp/trap_receiver.h"

namespace amoskys::snmp {
namespace {

constexpr std::string_view component = "snmp";
constexpr std::string_view identity_profile = "identity";
constexpr auto batch_pause = std::chrono::seconds(1);

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
                             std::shared_ptr<const SnmpConfig> config, Profiles profiles,
                             std::vector<std::pair<Oid, std::string>> vendors,
                             std::vector<TargetSettings> targets,
                             std::shared_ptr<const Credentials> traps)
    : context_(context),
      config_(std::move(config)),
      profiles_(std::move(profiles)),
      vendors_(std::move(vendors)),
      traps_(std::move(traps)) {
    using Steady = std::chrono::steady_clock;
    const auto now = context_.clock.steady();
    const auto count = static_cast<std::int64_t>(targets.size());
    devices_.reserve(targets.size());
    for (TargetSettings& settings : targets) {
        const auto i = static_cast<std::int64_t>(devices_.size());
        Device& device = devices_.emplace_back();
        device.target = std::move(settings.target);
        device.profile = profiles_.at(settings.profile);
        device.profile_name = std::move(settings.profile);
        device.interval = std::chrono::duration_cast<Steady::duration>(settings.interval);
        device.peer = {{device.target.transport, device.target.host, device.target.port},
                       settings.timeout,
                       settings.retries};
        device.dialog.emplace(std::move(settings.credentials));
        // Many devices start spread over their interval; few start at once.
        auto due = now;
        if (!context_.once && targets.size() > config_->max_in_flight)
            due += device.interval * i / count;
        due_.emplace(due, static_cast<std::size_t>(i));
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
    TrapReceiver traps(context_, traps_, static_cast<double>(config_->trap_rate),
                       [this](const std::string& address) { return name_of(address); });
    if (!context_.once)
        AMOSKYS_CO_TRY_VOID(traps.open(config_->trap_listen));
    io::TaskGroup lookups(context_.io);
    for (auto& task : traps.tasks(emitter))
        lookups.spawn("snmp.traps", std::move(task));
    auto result = co_await poll_until_done(emitter, sessions, *inbox, lookups);
    lookups.cancel();
    auto ended = co_await lookups.join();
    if (result && !ended)
        co_return ended;
    co_return result;
}

// A device that is polled under this address; else the address itself.
std::string SnmpCollector::name_of(const std::string& address) const {
    const auto known =
        std::ranges::find(devices_, address, [](const Device& one) { return one.target.host; });
    return known == devices_.end() ? address : known->target.device_id;
}

io::Task<Result<>> SnmpCollector::poll_until_done(module::Emitter& emitter, SessionThread& sessions,
                                                  Inbox& inbox, io::TaskGroup& lookups) {
    for (;;) {
        AMOSKYS_CO_TRY_VOID(submit_due(sessions, inbox, lookups));
        auto jobs = inbox.take();
        for (auto& job : jobs) {
            if (devices_[job->target].identifying && job->poll.result().answered) {
                AMOSKYS_CO_TRY_VOID(go_on(sessions, inbox, lookups, std::move(job)));
                continue;
            }
            auto taken = co_await take(emitter, std::move(job));
            if (!taken)
                co_return taken;
        }
        // With devices spread over the interval there is hardly an end of a cycle: small batches
        // for every poll would cost a signature and a sync each; the batch's own age ends them.
        const bool pause =
            due_.empty() || due_.begin()->first - context_.clock.steady() > batch_pause;
        if (unflushed_ && polling_ == 0 && pause) {
            unflushed_ = false;
            auto flushed = co_await emitter.flush();
            if (!flushed)
                co_return flushed;
        }
        if (context_.once && polling_ == 0)
            co_return once_result();
        const Duration wait = due_.empty()
                                  ? Duration::max()
                                  : Duration(due_.begin()->first - context_.clock.steady());
        const bool go_on = co_await inbox.event.wait_for(std::max(wait, Duration::zero()));
        if (!go_on)
            co_return Result<>();
    }
}

Result<> SnmpCollector::submit_due(SessionThread& sessions, Inbox& inbox, io::TaskGroup& lookups) {
    const auto now = context_.clock.steady();
    while (!due_.empty() && due_.begin()->first <= now) {
        const auto [due, i] = *due_.begin();
        due_.erase(due_.begin());
        Device& device = devices_[i];
        if (!context_.once)
            due_.emplace(due + device.interval * ((now - due) / device.interval + 1), i);
        if (device.polling) {
            context_.metrics.counter(polls_metric, "skipped").add();
            if (log::allow("snmp.slow." + device.target.text, 1))
                log::warning(component, "device_slower_than_interval",
                             "its last poll is still under way; this one is skipped",
                             {{"target", device.target.text},
                              {"interval", format_duration(device.interval)}});
            continue;
        }
        device.polling = true;
        ++polling_;
        AMOSKYS_TRY_VOID(submit(sessions, inbox, lookups, i));
    }
    return {};
}

Result<> SnmpCollector::submit(SessionThread& sessions, Inbox& inbox, io::TaskGroup& lookups,
                               std::size_t index) {
    boost::system::error_code not_numeric;
    auto job = make_job(index);
    const auto address = io::asio::ip::make_address(job->peer.address.host, not_numeric);
    if (not_numeric) {
        lookups.spawn("snmp.look_up", look_up_and_submit(sessions, inbox, std::move(job)));
        return {};
    }
    if (address.is_v6() == job->peer.address.transport.ends_with('6'))
        return sessions.submit(std::move(job));
    job->failure = "the address does not fit the transport " + job->peer.address.transport;
    inbox.push(std::move(job));
    return {};
}

std::unique_ptr<PollJob> SnmpCollector::make_job(std::size_t index) {
    Device& device = devices_[index];
    PollLimits limits;
    limits.max_repetitions = static_cast<std::uint32_t>(config_->max_repetitions);
    limits.max_rows = config_->max_rows;
    const Version version = device.dialog->credentials().version;
    device.identifying = !device.identity;
    auto job = std::make_unique<PollJob>(
        index, device.peer, std::move(*device.dialog),
        device.identifying ? DevicePoll(profiles_.find(identity_profile)->second, version, limits)
                           : DevicePoll(device.profile, version, limits, std::move(device.memory)));
    job->urgent = device.status == "online" || device.status == "partial" || !device.identifying;
    return job;
}

// Name lookup waits on the loop, beside everything else; a name that is not found is that device's
// loss alone.
io::Task<Result<>> SnmpCollector::look_up_and_submit(SessionThread& sessions, Inbox& inbox,
                                                     std::unique_ptr<PollJob> job) {
    auto addresses = co_await io::resolve(job->peer.address.host);
    if (!addresses) {
        job->failure = addresses.error().message;
        inbox.push(std::move(job));
        co_return Result<>();
    }
    const bool v6 = job->peer.address.transport.ends_with('6');
    for (const auto& address : *addresses)
        if (address.is_v6() == v6) {
            job->peer.address.host = address.to_string();
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
    device.dialog = std::move(job->dialog);
    if (!device.identifying)
        device.memory = std::move(job->poll.memory());
    const bool read = job->poll.result().answered;
    if (read)
        note_engine(static_cast<std::size_t>(job->target));
    std::vector<messaging::DeviceTelemetry> records =
        read ? read_device(device, *job) : lost_device(device, *job);
    if (!read) {
        // It may be another one when it comes back.
        device.dialog->forget_engine();
        device.identity.reset();
        device.rates = {};
    }
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

// Once who the device is has been asked, the poll itself begins.
Result<> SnmpCollector::go_on(SessionThread& sessions, Inbox& inbox, io::TaskGroup& lookups,
                              std::unique_ptr<PollJob> job) {
    const auto index = static_cast<std::size_t>(job->target);
    Device& device = devices_[index];
    device.dialog = std::move(job->dialog);
    device.identity = identify(job->poll.profile(), job->poll.result());
    context_.metrics.counter(requests_metric).add(job->poll.result().requests);
    context_.metrics.counter(varbinds_metric).add(job->poll.result().varbinds);
    std::string name = device.profile_name;
    for (const auto& [oid, vendor] : vendors_)
        if (config_->vendor_profiles && starts_with(device.identity->object_id, oid))
            name += '+' + vendor;
    auto& profile = profiles_[name];
    if (!profile) {
        AMOSKYS_TRY(found, find_profile(name, config_->profile_dir));
        profile = std::move(found);
    }
    if (profile != device.profile) {
        device.profile = profile;
        device.memory = {};
        device.rates = {};
    }
    return submit(sessions, inbox, lookups, index);
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

DeviceContext SnmpCollector::about(const Device& device, const PollJob& job) const {
    DeviceContext out;
    out.device_id = device.target.device_id;
    out.address = job.peer.address.host;
    out.time_ns = job.first_answer_ns != 0 ? job.first_answer_ns : context_.clock.now_ns();
    out.interval_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(device.interval).count());
    const Credentials& credentials = device.dialog->credentials();
    out.security = credentials.version == Version::v1    ? "snmpv1"
                   : credentials.version == Version::v2c ? "snmpv2c"
                   : credentials.user.priv != Priv::none ? "snmpv3-authPriv"
                   : credentials.user.auth != Auth::none ? "snmpv3-authNoPriv"
                                                         : "snmpv3-noAuthNoPriv";
    out.encrypted = credentials.user.priv != Priv::none;
    out.response_time_ms = seconds(job.first_answer_after) * 1000;
    out.previous_status = device.status;
    out.since_ns = device.status_since_ns;
    return out;
}

// Two devices with one engine id cannot both be told from each other by version 3's clock and keys:
// a cloned image, or one device under two addresses.
void SnmpCollector::note_engine(std::size_t index) {
    const Device& device = devices_[index];
    const Bytes& id = device.dialog->engine_id();
    if (id.empty())
        return;
    const auto [known, fresh] = engines_.try_emplace(id, index);
    if (fresh || known->second == index)
        return;
    const Device& other = devices_[known->second];
    if (!other.polling && other.dialog->engine_id() != id) {
        known->second = index;
        return;
    }
    context_.metrics.counter(shared_engines_metric).add();
    if (log::allow("snmp.engine." + device.target.text, 1))
        log::warning(component, "engine_id_shared",
                     "this device has the SNMP engine id of another one",
                     {{"target", device.target.text},
                      {"other", other.target.text},
                      {"engine_id", to_hex(id)}});
}

std::vector<messaging::DeviceTelemetry> SnmpCollector::read_device(Device& device, PollJob& job) {
    const PollResult& result = job.poll.result();
    const std::string_view status = status_of(result);
    const double at_s = seconds(job.first_answer_at.time_since_epoch());
    DeviceContext context = about(device, job);
    context.at_s = at_s;
    context.before = &device.rates;
    context.identity = device.identity ? &*device.identity : nullptr;
    Decoded decoded = decode(*device.profile, result, context);
    if (device.status == "offline")
        log::info(component, "device_online", "answers again", {{"target", device.target.text}});
    if (result.cut_short && log::allow("snmp.partial." + device.target.text, 1))
        log::warning(
            component, "device_partial", "stopped answering during the poll; what came is kept",
            {{"target", device.target.text}, {"responses", std::uint64_t{result.responses}}});
    if (job.elapsed > device.interval / 2 && log::allow("snmp.slow." + device.target.text, 1))
        log::warning(component, "device_slow", "a poll takes more than half of the interval",
                     {{"target", device.target.text}, {"took", format_duration(job.elapsed)}});
    set_status(device, status, job.first_answer_ns);
    if (!result.cut_short)
        device.rates = Derivation::remember(*device.profile, job.poll.result(), at_s);
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
                      std::to_string(device.profile->stored_metrics()) + " metrics of profile " +
                      device.profile->name + " (view of this community)";
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
    const std::size_t all = device.profile->stored_metrics();
    const std::size_t have = all - device.missing.size();
    const std::string text =
        device.missing.empty()
            ? "has all metrics of the profile"
            : "has " + std::to_string(have) + " of the profile's " + std::to_string(all) +
                  " metrics; missing: " + std::to_string(device.missing.size());
    log::info(component, "metrics_missing", text,
              {{"target", device.target.text}, {"missing", joined(device.missing, 100)}});
}

std::string SnmpCollector::loss_reason(const Device& device, const PollJob& job) const {
    if (!job.failure.empty())
        return job.failure;
    const std::string tries = "no answer in " + std::to_string(device.peer.retries + 1) +
                              (device.peer.retries == 0 ? " try of " : " tries of ") +
                              spoken(device.peer.timeout) +
                              (device.peer.retries == 0 ? "" : ", doubling");
    if (const std::string silence = device.dialog->silence(); !silence.empty())
        return tries + ": " + silence;
    if (job.refused)
        return tries + ": nothing listens on this port (the host says port unreachable)";
    return tries + (device.dialog->credentials().version == Version::v3
                        ? " (dead host, wrong port, or a firewall)"
                        : " (dead host, wrong port, wrong community, or a firewall)");
}

std::vector<messaging::DeviceTelemetry> SnmpCollector::lost_device(Device& device,
                                                                   const PollJob& job) {
    const std::string reason = loss_reason(device, job);
    const DeviceContext context = about(device, job);
    // With --once and nothing read the error says it; beside devices that were read, the log does.
    if (device.status != "offline" && !(context_.once && devices_.size() == 1) &&
        log::allow("snmp.offline", 100))
        log::warning(component, "device_offline", reason, {{"target", device.target.text}});
    if (first_loss_.empty())
        first_loss_ = device.target.text + ": " + reason;
    set_status(device, "offline", context.time_ns);
    count(job, job.failure.empty() ? "no_answer" : "not_sent");
    return {offline_record(context, reason)};
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

namespace {

void log_weak_ciphers(const std::vector<TargetSettings>& targets) {
    std::size_t des = 0, md5 = 0;
    for (const TargetSettings& one : targets) {
        des += one.credentials->user.priv == Priv::des ? 1 : 0;
        md5 += one.credentials->user.auth == Auth::md5 ? 1 : 0;
    }
    if (des != 0)
        log::warning(component, "des_is_broken",
                     "DES is broken by anyone who records the traffic: use aes",
                     {{"targets", std::uint64_t{des}}});
    if (md5 != 0)
        log::warning(component, "md5_is_weak", "MD5 is weak: use sha256 where the device has it",
                     {{"targets", std::uint64_t{md5}}});
}

}  // namespace

Result<std::unique_ptr<module::Collector>> make_snmp_collector(
    const module::CollectorContext& context) {
    auto config = std::static_pointer_cast<const SnmpConfig>(context.config);
    if (config->target.empty() && config->targets_file.empty() &&
        (config->trap_listen.empty() || context.once))
        return make_error(ErrorKind::config, "snmp_no_target",
                          "agent.snmp.target: no device to poll is given",
                          "as in: --target udp:192.0.2.7:161");
    AMOSKYS_TRY(targets, list_targets(*config));
    SnmpCollector::Profiles profiles;
    for (const TargetSettings& one : targets)
        if (auto& profile = profiles[one.profile]; !profile) {
            AMOSKYS_TRY(found, find_profile(one.profile, config->profile_dir));
            profile = std::move(found);
        }
    AMOSKYS_TRY(identity, find_profile(identity_profile, config->profile_dir));
    profiles[std::string(identity_profile)] = std::move(identity);
    AMOSKYS_TRY(vendors, vendor_profiles(config->profile_dir));
    log_weak_ciphers(targets);
    AMOSKYS_TRY(traps, option_credentials(*config));
    std::unique_ptr<module::Collector> collector =
        std::make_unique<SnmpCollector>(context, std::move(config), std::move(profiles),
                                        std::move(vendors), std::move(targets), std::move(traps));
    return collector;
}

}  // namespace amoskys::snmp
