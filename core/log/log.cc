#include "core/log/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <list>
#include <mutex>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/base/number_text.h"
#include "core/base/text.h"

namespace amoskys::log {
namespace {

// Longer lines would lose the atomicity of one write(2) to a pipe.
constexpr std::size_t max_line_bytes = 4096;
constexpr std::size_t max_keys = 4096;
constexpr std::chrono::seconds allow_window{10};

std::atomic<Level> current_level{Level::info};
std::atomic<Format> current_format{Format::text};
std::atomic<int> current_output{STDERR_FILENO};
std::atomic<const Clock*> current_clock{nullptr};

const Clock& clock() {
    const Clock* set = current_clock.load(std::memory_order_acquire);
    return set == nullptr ? system_clock() : *set;
}

// Lines per key inside the current window of each key; the least recently used key is forgotten
// where there are too many (a peer can choose keys).
class Limiter {
  public:
    struct Verdict {
        bool pass = false;
        std::uint64_t held_back = 0;
    };

    Verdict ask(std::string_view key, unsigned burst, std::chrono::steady_clock::time_point now) {
        const std::lock_guard lock(mutex_);
        Bucket& bucket = find(key, now);
        if (now - bucket.start >= allow_window) {
            bucket.start = now;
            bucket.count = 0;
        }
        if (bucket.count >= burst) {
            ++bucket.held_back;
            return {};
        }
        ++bucket.count;
        return {true, std::exchange(bucket.held_back, 0)};
    }

    void clear() {
        const std::lock_guard lock(mutex_);
        by_key_.clear();
        buckets_.clear();
    }

  private:
    struct Bucket {
        std::string key;
        std::chrono::steady_clock::time_point start;
        unsigned count = 0;
        std::uint64_t held_back = 0;
    };

    Bucket& find(std::string_view key, std::chrono::steady_clock::time_point now) {
        const auto found = by_key_.find(key);
        if (found != by_key_.end()) {
            buckets_.splice(buckets_.begin(), buckets_, found->second);
            return buckets_.front();
        }
        if (buckets_.size() == max_keys) {
            by_key_.erase(buckets_.back().key);
            buckets_.pop_back();
        }
        buckets_.push_front({std::string(key), now});
        by_key_.emplace(buckets_.front().key, buckets_.begin());
        return buckets_.front();
    }

    std::mutex mutex_;
    std::list<Bucket> buckets_;  // most recently used first
    std::unordered_map<std::string_view, std::list<Bucket>::iterator> by_key_;
};

Limiter& limiter() {
    static Limiter instance;
    return instance;
}

// What allow() held back, for the next line that this thread writes.
thread_local std::uint64_t held_back_before = 0;

std::string_view level_text(Level level, Format format) {
    constexpr std::array<std::string_view, 5> padded{"DEBUG", "INFO ", "WARN ", "ERROR", "OFF  "};
    constexpr std::array<std::string_view, 5> names{"debug", "info", "warning", "error", "off"};
    const auto index = static_cast<std::size_t>(level);
    return format == Format::text ? padded[index] : names[index];
}

std::string time_text(UnixNanos now_ns) {
    std::string text = format_time(now_ns);  // ...SS.nnnnnnnnnZ; people read milliseconds
    if (const auto dot = text.rfind('.'); dot != std::string::npos && text.size() > dot + 5)
        text = text.substr(0, dot + 4) + "Z";
    return text;
}

// printable() also for JSON: it leaves nothing that JSON must escape but '"' and '\'.
std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string text_string(std::string_view text) {
    const bool needs_quotes = text.empty() || text.find_first_of(" =\"\\") != text.npos;
    return needs_quotes ? json_string(text) : printable(text);
}

std::string value_text(const Field& field, Format format) {
    return std::visit(
        [&](const auto& value) -> std::string {
            using Value = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<Value, std::string>)
                return format == Format::json ? json_string(value) : text_string(value);
            else if constexpr (std::is_same_v<Value, bool>)
                return value ? "true" : "false";
            else if constexpr (std::is_same_v<Value, double>)
                return format == Format::json && !std::isfinite(value) ? "null"
                                                                       : shortest_number(value);
            else
                return std::to_string(value);
        },
        field.value);
}

std::string text_line(Level level, std::string_view component, std::string_view event,
                      std::string_view text, std::initializer_list<Field> fields) {
    std::string line = time_text(clock().now_ns()) + " " +
                       std::string(level_text(level, Format::text)) + " " + printable(component) +
                       "." + printable(event) + " " + printable(text);
    for (const Field& field : fields)
        line += " " + printable(field.key) + "=" + value_text(field, Format::text);
    return line;
}

std::string json_line(Level level, std::string_view component, std::string_view event,
                      std::string_view text, std::initializer_list<Field> fields) {
    std::string line = "{\"time\":" + json_string(time_text(clock().now_ns())) +
                       ",\"level\":" + json_string(level_text(level, Format::json)) +
                       ",\"component\":" + json_string(component) +
                       ",\"event\":" + json_string(event) + ",\"text\":" + json_string(text);
    for (const Field& field : fields) {
        std::string pair = "," + json_string(field.key) + ":" + value_text(field, Format::json);
        if (line.size() + pair.size() + 2 > max_line_bytes)
            break;  // a cut line would not be JSON
        line += pair;
    }
    return line + "}";
}

// One write(2), so that lines of several threads and processes do not mix. A log that cannot be
// written has nobody to tell.
void put(std::string line) {
    const int fd = current_output.load(std::memory_order_relaxed);
    std::string_view rest = line;
    while (!rest.empty()) {
        const ssize_t done = ::write(fd, rest.data(), rest.size());
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        rest.remove_prefix(static_cast<std::size_t>(done));
    }
}

std::string_view cut(std::string_view text) {
    return text.substr(0, max_line_bytes / 8);
}

}  // namespace

void write(Level level, std::string_view component, std::string_view event, std::string_view text,
           std::initializer_list<Field> fields) {
    const std::uint64_t held_back = std::exchange(held_back_before, 0);
    if (level < current_level.load(std::memory_order_relaxed) || level == Level::off)
        return;
    std::string shown(cut(text));
    if (held_back > 0)
        shown += " (" + std::to_string(held_back) + " like this were held back)";
    const Format format = current_format.load(std::memory_order_relaxed);
    std::string line = format == Format::text ? text_line(level, component, event, shown, fields)
                                              : json_line(level, component, event, shown, fields);
    if (format == Format::text && line.size() >= max_line_bytes) {
        std::size_t end = max_line_bytes - 4;
        while ((static_cast<unsigned char>(line[end]) & 0xc0U) == 0x80U)
            --end;  // not inside a UTF-8 sequence
        line.resize(end);
        line += "...";
    }
    line += '\n';
    put(std::move(line));
}

void set_level(Level level) {
    current_level.store(level, std::memory_order_relaxed);
}
Level level() {
    return current_level.load(std::memory_order_relaxed);
}
void set_format(Format format) {
    current_format.store(format, std::memory_order_relaxed);
}
void set_output(int fd) {
    current_output.store(fd, std::memory_order_relaxed);
}

void set_clock(const Clock* clock) {
    current_clock.store(clock, std::memory_order_release);
    limiter().clear();
}

Result<Level> parse_level(std::string_view text) {
    std::string lower(trim(text));
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    constexpr std::array<std::pair<std::string_view, Level>, 8> names{{
        {"debug", Level::debug},
        {"info", Level::info},
        {"warning", Level::warning},
        {"warn", Level::warning},
        {"error", Level::error},
        {"critical", Level::error},
        {"fatal", Level::error},
        {"off", Level::off},
    }};
    for (const auto& [name, level] : names)
        if (lower == name)
            return level;
    return make_error(ErrorKind::config, "log_unknown_level",
                      "\"" + printable(text) +
                          "\" is not a log level; allowed are debug, info, warning, error, off");
}

bool allow(std::string_view key, unsigned burst) {
    const auto verdict = limiter().ask(key, burst, clock().steady());
    if (verdict.pass)
        held_back_before = verdict.held_back;
    return verdict.pass;
}

}  // namespace amoskys::log
