// The reader's end of one session, sans-io: a new one is made for each connection. Subscriber
// (subscriber.h) feeds it. io thread only.
#pragma once

#include "core/link/subscriber.h"

namespace amoskys::link {

class SubscriberMachine {
  public:
    using Time = std::chrono::steady_clock::time_point;
    SubscriberMachine(const SubscriberOptions& options, SubscriberStats& stats,
                      const DeliverHandler& handler);

    std::string hello();  // HELLO and SUBSCRIBE
    // An error ends the session; see bus_error() for the bus's own.
    Result<> on_frame(ByteView body, Time now);
    // Credit, COMMIT_OFFSET and PING where they are due.
    Result<> fill(std::string& out, Time now);
    bool accepted() const { return accepted_; }  // the bus has answered SUBSCRIBE
    bool finished() const { return finished_ && !commit_open_; }

  private:
    Result<> on_deliver(const wire::DeliverView& view);
    void on_progress(const amoskys::bus::Progress& progress);
    void finish_at_end();
    void put_commit(std::string& out, std::uint64_t request_id);

    const SubscriberOptions& options_;
    SubscriberStats& stats_;
    const DeliverHandler& handler_;
    bool accepted_ = false, wants_more_ = false;
    bool finished_ = false;     // nothing more is wanted
    bool commit_open_ = false;  // the last commit is to be answered first
    bool commit_sent_ = false;
    WalOffset committed_;
    std::optional<WalOffset> end_;             // with stop_at_end
    std::uint64_t envelopes_ = 0, bytes_ = 0;  // taken in this session
    std::uint64_t envelopes_limit_ = 0, bytes_limit_ = 0;
    std::optional<Time> last_heard_, ping_sent_, last_commit_;
};

}  // namespace amoskys::link
