// Structured log lines to stderr: a stable event name, a short text, fields. Thread-safe.
// Text:  2026-11-21T01:02:03.000Z INFO  bus.session_opened agent connected peer=127.0.0.1:4711
// cn=edge-1 JSON:  one object a line with the same keys. Values are made printable
// (core/base/text.h); secrets, payloads and keys are never passed here.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys::log {

enum class Level { debug, info, warning, error, off };
enum class Format { text, json };

struct Field {
    std::string_view key;
    std::variant<std::string, std::int64_t, std::uint64_t, double, bool> value;
};

// component = the module's name: "bus", "snmp"; event = snake_case: "session_opened".
void write(Level level, std::string_view component, std::string_view event, std::string_view text,
           std::initializer_list<Field> fields = {});

inline void debug(std::string_view component, std::string_view event, std::string_view text,
                  std::initializer_list<Field> fields = {}) {
    write(Level::debug, component, event, text, fields);
}
inline void info(std::string_view component, std::string_view event, std::string_view text,
                 std::initializer_list<Field> fields = {}) {
    write(Level::info, component, event, text, fields);
}
inline void warning(std::string_view component, std::string_view event, std::string_view text,
                    std::initializer_list<Field> fields = {}) {
    write(Level::warning, component, event, text, fields);
}
inline void error(std::string_view component, std::string_view event, std::string_view text,
                  std::initializer_list<Field> fields = {}) {
    write(Level::error, component, event, text, fields);
}

void set_level(Level level);
Level level();
void set_format(Format format);
Result<Level> parse_level(
    std::string_view text);  // also the earlier LOGLEVEL spellings (INFO, WARN...)

// At most `burst` lines per `key` and 10 s; what was held back is counted and said in the next line
// that passes. For lines that a peer can provoke.
bool allow(std::string_view key, unsigned burst = 5);

// For tests: another descriptor than stderr, another clock than the system's (nullptr = that one;
// also forgets what allow() counted). The clock must outlive its use.
void set_output(int fd);
void set_clock(const Clock* clock);

}  // namespace amoskys::log
