#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>

#include "core/io/runtime.h"

namespace amoskys::io {

struct Signals::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(asio::io_context& io) : stop(io, SIGINT, SIGTERM), reload(io, SIGHUP) {}

    void wait_stop() {
        stop.async_wait(
            [self = shared_from_this()](const boost::system::error_code& ec, int signal) {
                if (ec)
                    return;
                // The second one means "now": nothing that was acknowledged depends on an orderly
                // end.
                if (self->stopping)
                    std::_Exit(signal == SIGINT ? 130 : 143);
                self->stopping = true;
                if (self->stop_callback)
                    self->stop_callback(signal);
                self->wait_stop();
            });
    }
    void wait_reload() {
        reload.async_wait([self = shared_from_this()](const boost::system::error_code& ec, int) {
            if (ec)
                return;
            if (self->reload_callback)
                self->reload_callback();
            self->wait_reload();
        });
    }

    asio::signal_set stop, reload;
    std::function<void(int)> stop_callback;
    std::function<void()> reload_callback;
    bool stopping = false;
};

Signals::Signals(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {
    impl_->wait_stop();
    impl_->wait_reload();
}
Signals::~Signals() {
    boost::system::error_code ignored;
    impl_->stop.cancel(ignored);
    impl_->reload.cancel(ignored);
}
void Signals::on_stop(std::function<void(int)> callback) {
    impl_->stop_callback = std::move(callback);
}
void Signals::on_reload(std::function<void()> callback) {
    impl_->reload_callback = std::move(callback);
}

}  // namespace amoskys::io
