// What is said to one device, in octets: a request becomes a message of the device's version, an
// arriving datagram becomes an answer or says why there is none. Version 3's engine discovery and
// clock are part of it, so that no socket call ever waits for them. Lives as long as the device, so
// that an engine is discovered once; it is with one thread at a time. No sockets, no clock.
//
//   request() -> octets to send; datagram in -> receive(): answer | again (call request() once
//   more: an engine or its clock became known) | refused (reason() says why) | ignored
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/config/option.h"
#include "modules/collectors/snmp/poll.h"
#include "modules/collectors/snmp/usm.h"

namespace amoskys::snmp {

struct Credentials {
    Version version = Version::v2c;
    config::Secret community;
    User user;
    std::string context;
};

class Dialog {
  public:
    enum class Outcome : std::uint8_t { ignored, answer, again, refused };

    explicit Dialog(std::shared_ptr<const Credentials> credentials);

    // The next request to send. Call it again, with the same request, to try once more.
    void begin(Request request);  // a new request: its answer is no other's
    Bytes octets(std::int64_t now_s);
    Outcome receive(ByteView datagram, std::int64_t now_s, Response& answer);
    const std::string& reason() const { return reason_; }

    // Goes along with the last try where the device has not answered yet, to tell a dead device
    // from a wrong secret: an engine discovery for a community, the same user without encryption
    // for encrypted ones. Empty where nothing could be learned.
    Bytes probe(std::int64_t now_s);
    // What is known of a device that stayed silent; empty = nothing.
    std::string silence() const;

    // The engine is discovered anew by the next request: after a poll without any answer.
    void forget_engine() { engine_ = {}; }

    const Bytes& engine_id() const { return engine_.id; }
    const Credentials& credentials() const { return *credentials_; }

  private:
    Outcome receive_community(ByteView datagram, Response& answer);
    Outcome receive_v3(ByteView datagram, std::int64_t now_s, Response& answer);
    Outcome receive_report(const V3Message& message, std::int64_t now_s);
    void note_probe(ByteView datagram, std::int64_t now_s);
    void learn_engine(const V3Message& message, std::int64_t now_s);
    void keep_time(const V3Message& message, std::int64_t now_s);
    Outcome refuse(std::string reason);
    Pdu pdu() const;
    bool authenticates() const { return credentials_->user.auth != Auth::none; }
    bool encrypts() const { return credentials_->user.priv != Priv::none; }

    std::shared_ptr<const Credentials> credentials_;
    Engine engine_;
    Request request_;
    std::int64_t request_id_ = 0, probe_id_ = -1;
    std::uint64_t salt_ = 0;
    unsigned again_ = 0;  // times that the current request was put anew
    enum class Found : std::uint8_t { nothing, engine, user } found_ = Found::nothing;
    std::string reason_;
};

}  // namespace amoskys::snmp
