// The durable positions of subscribers: (agent, name) -> how far it is done. They ride in the log's
// transactions as states "cursor/AGENT/NAME"; this table has what is committed, so that a cursor
// may lag but never leads. Also used by the bus's retention (hold_floor). Not thread-safe: io
// thread.
//
//   state  'C' 1 | format 1 | flags 1 (1 = hold) | sequence 8 | committed_ns 8      big-endian
//
// Limits: 64 cursors an agent, names [A-Za-z0-9._-]{1,64}.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/wal/log.h"

namespace amoskys::link {

inline constexpr std::size_t max_cursors_per_agent = 64;

struct Cursor {
    WalOffset done;     // everything up to it
    bool hold = false;  // retention stops before what is not done
    UnixNanos committed_ns = 0;
};

std::string encode_cursor(const Cursor& cursor);
Result<Cursor> decode_cursor(std::string_view bytes);  // bad_data "cursor_state_damaged"
std::string cursor_state_key(std::string_view agent_id, std::string_view name);
bool valid_cursor_name(std::string_view name);

class CursorTable {
  public:
    Result<> load(wal::Log& log);
    const Cursor* find(std::string_view agent_id, std::string_view name) const;
    void put(std::string_view agent_id, std::string_view name, const Cursor& cursor);
    void erase(std::string_view agent_id, std::string_view name);
    std::size_t count(std::string_view agent_id) const;
    // The first record that some holding cursor is not done with; nothing where none holds.
    std::optional<WalOffset> hold_floor() const;
    // By "AGENT/NAME".
    const std::map<std::string, Cursor, std::less<>>& all() const { return cursors_; }

  private:
    std::map<std::string, Cursor, std::less<>> cursors_;
};

}  // namespace amoskys::link
