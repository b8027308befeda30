// The shell's part in subscriptions: steps go to the reader thread and back, commits wake who waits
// at the end of the log, and cursors are written with the next group.
#include <boost/asio/post.hpp>

#include "core/link/server_impl.h"
#include "core/log/log.h"

namespace amoskys::link {

void Server::Impl::pump_read(const Connection& connection) {
    auto step = connection->session->take_read();
    if (!step)
        return;
    if (!reader_thread)
        reader_thread =
            std::make_unique<io::DedicatedThread>(io, "bus reader", bus.limits.max_sessions);
    group.spawn("bus read", read_log(shared_from_this(), connection, std::move(*step)));
}

io::Task<Result<>> Server::Impl::read_log(std::shared_ptr<Impl> impl, Connection connection,
                                          ReadStep step) {
    auto result = std::make_shared<ReadResult>();
    const auto commits = impl->tail->commits.load();
    std::function<Result<>()> read = [result, step, log = &impl->log]() -> Result<> {
        *result = read_step(*log, step);
        return {};
    };
    auto reading = impl->reader_thread->run(std::move(read));
    const auto done = co_await std::move(reading);
    if (!done)
        result->error = done.error();
    auto& session = *connection->session;
    session.on_read(*result);
    if (session.waits_for_log()) {
        impl->tail->wanted = true;
        if (impl->tail->commits.load() != commits)  // while it was being read
            session.log_grew();
    }
    impl->pump(connection);
    co_return Result<>();
}

// Called on the writer thread: it posts at most once until the io thread asks again.
void Server::Impl::watch_tail() {
    writer.on_commit([weak = weak_from_this(), &loop = io, shared = tail, metrics = bus.metrics](
                         double seconds, std::size_t records) {
        metrics.commit_seconds.observe(seconds);
        metrics.group_records.observe(static_cast<double>(records));
        if (records == 0)
            return;
        ++shared->commits;
        if (shared->wanted.exchange(false))
            io::asio::post(loop, [weak] {
                if (const auto self = weak.lock())
                    self->wake_tail_readers();
            });
    });
}

void Server::Impl::wake_tail_readers() {
    const auto current = connections;
    for (const auto& [id, connection] : current) {
        if (!connection->session || !connection->session->waits_for_log())
            continue;
        connection->session->log_grew();
        pump(connection);
    }
}

void Server::prune_begins(WalOffset before) {
    impl_->bus.pruned_before = std::max(impl_->bus.pruned_before, before);
}

void Server::prune_ended(std::uint64_t records) {
    impl_->bus.metrics.pruned.add(records);
}

void Server::set_log_limit(std::uint64_t bytes) {
    impl_->gauges.limit_bytes.set(static_cast<double>(bytes));
}

void Server::Impl::write_cursors() {
    if (bus.pending_cursors.empty())
        return;
    const auto pending = std::exchange(bus.pending_cursors, {});
    wal::WriteRequest request;
    for (const auto& [owner, cursor] : pending)
        request.states.push_back(
            {cursor_state_key(owner.first, owner.second), encode_cursor(cursor)});
    request.done = [impl = shared_from_this(), pending](const Result<wal::Appended>& result) {
        io::asio::post(impl->io, [impl, pending, ok = result.has_value()] {
            --impl->writes_in_flight;
            for (const auto& [owner, cursor] : pending) {
                if (impl->bus.cursors.find(owner.first, owner.second) == nullptr)
                    continue;  // forgotten meanwhile
                if (ok)
                    impl->bus.cursors.put(owner.first, owner.second, cursor);
                else
                    impl->bus.pending_cursors.try_emplace(owner, cursor);
            }
            impl->changed.notify();
        });
    };
    ++writes_in_flight;
    if (writer.submit(std::move(request)))
        return;
    --writes_in_flight;
    for (const auto& [owner, cursor] : pending)
        bus.pending_cursors.try_emplace(owner, cursor);
}

void Server::Impl::update_cursor_gauges(const wal::LogStats& stats) {
    bus.newest = stats.newest;
    gauges.readers.set(static_cast<double>(stats.readers));
    gauges.subscribers.set(static_cast<double>(bus.subscribers));
    gauges.cursors.set(static_cast<double>(bus.cursors.all().size()));
    const auto newest = stats.newest.value;
    for (const auto& [name, cursor] : bus.cursors.all())
        bus.metrics.cursor_lag(
            name, newest > cursor.done.value ? static_cast<double>(newest - cursor.done.value) : 0);
    const auto floor = bus.cursors.hold_floor();
    const auto from = std::max(stats.oldest.value, floor ? floor->value : newest + 1);
    gauges.held_records.set(from <= newest ? static_cast<double>(newest - from + 1) : 0);
}

}  // namespace amoskys::link
