// The site: who may ask (access.h), what is answered (routes.h, assets.h), and the follower that
// feeds the board and the streams. On the io thread but for the work on its own threads: two answer
// questions (at most 128 wait), one follows the log. Lives until its tasks have ended.
#pragma once

#include <array>
#include <memory>
#include <set>

#include "core/log/log.h"
#include "core/metrics/metrics.h"
#include "modules/tools/dash/log_source.h"
#include "modules/tools/dash/routes.h"
#include "modules/tools/dash/server.h"

namespace amoskys::modules::dash {

std::span<const metrics::MetricInfo> dash_metrics();

class LogSite final : public Site {
  public:
    LogSite(io::asio::io_context& io, const Clock& clock, metrics::Registry& metrics,
            std::unique_ptr<LogSource> source, Access::Options access, Duration look_back);
    ~LogSite() override;

    void set_tokens(std::vector<Token> tokens) { access_.set_tokens(std::move(tokens)); }
    io::Task<Result<>> follow();  // until cancelled

    io::Task<Response> respond(Request request) override;
    std::shared_ptr<Browser> open_stream(const Request& request) override;
    bool may_stream(const Request& request) override;
    void connections(std::size_t open, bool refused) override;

  private:
    struct Tick;
    struct Question;
    Result<> read_on(Tick& tick);  // on the follower's thread
    void publish(const Tick& tick);
    void push_to_all(std::string message);
    io::Task<Response> ask(Request request, Caller caller, Match match);
    Response denied(const Request& request, const Caller& caller, Response response);

    io::asio::io_context& io_;
    const Clock& clock_;
    metrics::Registry& metrics_;
    const std::unique_ptr<LogSource> source_;
    Access access_;
    const Duration look_back_;
    const std::string boot_;       // tells this process's stream from an earlier one's
    WalOffset next_;               // record that the follower reads next; its thread only
    std::string alerts_;           // stamp of the alerts' file when it was last told of
    std::uint64_t published_ = 0;  // newest feed entry that the streams have
    SharedText overview_;          // the newest, for who comes now
    std::set<std::weak_ptr<Browser>, std::owner_less<>> browsers_;
    std::array<std::unique_ptr<io::DedicatedThread>, 2> askers_;
    std::unique_ptr<io::DedicatedThread> follower_;
    std::size_t turn_ = 0;
};

}  // namespace amoskys::modules::dash
