#include "core/link/cursor_table.h"

#include <algorithm>

#include "core/base/bytes.h"

namespace amoskys::link {
namespace {
constexpr std::string_view cursor_prefix = "cursor/";
constexpr char cursor_mark = 'C', cursor_format = 1;
constexpr std::size_t encoded_bytes = 19, max_name_bytes = 64;

std::string place_of(std::string_view agent_id, std::string_view name) {
    return std::string(agent_id) + '/' + std::string(name);
}
}  // namespace

std::string encode_cursor(const Cursor& cursor) {
    std::string out{cursor_mark, cursor_format, static_cast<char>(cursor.hold ? 1 : 0)};
    std::uint8_t number[8];
    store_be64(number, cursor.done.value);
    out += as_text(number);
    store_be64(number, cursor.committed_ns);
    out += as_text(number);
    return out;
}

Result<Cursor> decode_cursor(std::string_view bytes) {
    if (bytes.size() != encoded_bytes || bytes[0] != cursor_mark || bytes[1] != cursor_format)
        return make_error(
            ErrorKind::bad_data, "cursor_state_damaged",
            "the state of a cursor is damaged (" + std::to_string(bytes.size()) + " bytes)");
    const auto* data = as_bytes(bytes).data();
    Cursor out;
    out.hold = bytes[2] != 0;
    out.done = {load_be64(data + 3)};
    out.committed_ns = load_be64(data + 11);
    return out;
}

std::string cursor_state_key(std::string_view agent_id, std::string_view name) {
    return std::string(cursor_prefix) + place_of(agent_id, name);
}

bool valid_cursor_name(std::string_view name) {
    return !name.empty() && name.size() <= max_name_bytes && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    });
}

Result<> CursorTable::load(wal::Log& log) {
    AMOSKYS_TRY(states, log.states(cursor_prefix));
    for (const auto& state : states) {
        AMOSKYS_TRY(cursor, decode_cursor(state.value));
        cursors_.insert_or_assign(state.key.substr(cursor_prefix.size()), cursor);
    }
    return {};
}

const Cursor* CursorTable::find(std::string_view agent_id, std::string_view name) const {
    const auto found = cursors_.find(place_of(agent_id, name));
    return found == cursors_.end() ? nullptr : &found->second;
}

void CursorTable::put(std::string_view agent_id, std::string_view name, const Cursor& cursor) {
    cursors_.insert_or_assign(place_of(agent_id, name), cursor);
}

void CursorTable::erase(std::string_view agent_id, std::string_view name) {
    cursors_.erase(place_of(agent_id, name));
}

std::size_t CursorTable::count(std::string_view agent_id) const {
    const auto prefix = std::string(agent_id) + '/';
    std::size_t out = 0;
    for (auto at = cursors_.lower_bound(prefix);
         at != cursors_.end() && at->first.starts_with(prefix); ++at)
        ++out;
    return out;
}

std::optional<WalOffset> CursorTable::hold_floor() const {
    std::optional<WalOffset> out;
    for (const auto& [name, cursor] : cursors_)
        if (cursor.hold && (!out || cursor.done.next() < *out))
            out = cursor.done.next();
    return out;
}

}  // namespace amoskys::link
