// Server-sent events: the messages, and the bounded queue of one browser. Pure; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace amoskys::modules::dash {

using SharedText = std::shared_ptr<const std::string>;  // one text for all who get it

// `data` is one line (JSON). id "" = none.
std::string sse_message(std::string_view event, std::string_view id, std::string_view data);
inline constexpr std::string_view sse_comment = ": still here\n\n";

// "BOOT-17": where a browser is. Of another boot (the server began anew): nothing.
std::string feed_position(std::string_view boot, std::uint64_t id);
std::optional<std::uint64_t> parse_feed_position(std::string_view text, std::string_view boot);

class BrowserQueue {
  public:
    static constexpr std::size_t messages_max = 64;

    void push(SharedText message);
    // All that waits; where something had to be dropped, first a `gap` event that says how much.
    std::string take();
    bool empty() const { return messages_.empty() && dropped_ == 0; }

  private:
    std::deque<SharedText> messages_;
    std::uint64_t dropped_ = 0;
};

}  // namespace amoskys::modules::dash
