#include "modules/tools/dash/stream.h"

#include <charconv>

namespace amoskys::modules::dash {

std::string sse_message(std::string_view event, std::string_view id, std::string_view data) {
    std::string out = "event: " + std::string(event) + "\n";
    if (!id.empty())
        out += "id: " + std::string(id) + "\n";
    return out + "data: " + std::string(data) + "\n\n";
}

std::string feed_position(std::string_view boot, std::uint64_t id) {
    return std::string(boot) + "-" + std::to_string(id);
}

std::optional<std::uint64_t> parse_feed_position(std::string_view text, std::string_view boot) {
    std::uint64_t id = 0;
    if (!text.starts_with(boot) || text.size() <= boot.size() || text[boot.size()] != '-')
        return std::nullopt;
    text.remove_prefix(boot.size() + 1);
    const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (ec != std::errc() || at != text.data() + text.size())
        return std::nullopt;
    return id;
}

void BrowserQueue::push(SharedText message) {
    if (messages_.size() == messages_max) {
        messages_.pop_front();
        ++dropped_;
    }
    messages_.push_back(std::move(message));
}

std::string BrowserQueue::take() {
    std::string out;
    if (dropped_ != 0)
        out = sse_message("gap", "", "{\"messages\":" + std::to_string(dropped_) + "}");
    dropped_ = 0;
    for (const SharedText& each : messages_)
        out += *each;
    messages_.clear();
    return out;
}

}  // namespace amoskys::modules::dash
