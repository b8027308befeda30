#include "core/wal/tables.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace amoskys::wal {

static_assert(std::endian::native == std::endian::little,
              "segment files hold LMDB's native integers; only little-endian machines are served");

NumberKey number_key(std::uint64_t number) {
    NumberKey out;
    std::memcpy(out.data(), &number, sizeof number);
    return out;
}

std::uint64_t key_number(ByteView key) {
    std::uint64_t number = 0;
    std::memcpy(&number, key.data(), std::min(key.size(), sizeof number));
    return number;
}

Result<std::optional<std::string>> get(const Snapshot& snapshot, Table table, ByteView key) {
    std::optional<std::string> found;
    AMOSKYS_TRY_VOID(snapshot.scan(table, key, [&](ByteView at, ByteView value) {
        if (std::ranges::equal(at, key))
            found = to_string(value);
        return false;
    }));
    return found;
}

Result<> scan_from(const Snapshot& snapshot, Table table, std::uint64_t from,
                   const std::function<bool(std::uint64_t, ByteView)>& visit) {
    return snapshot.scan(table, number_key(from), [&](ByteView key, ByteView value) {
        return visit(key_number(key), value);
    });
}

}  // namespace amoskys::wal
