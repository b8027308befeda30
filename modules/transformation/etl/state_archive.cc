#include "modules/transformation/etl/state_archive.h"

#include <cstring>

namespace amoskys::etl {

void StateArchive::refuse() {
    good_ = false;
    rest_ = {};
}

void StateArchive::raw(void* at, std::size_t bytes) {
    if (bytes == 0)
        return;
    if (!reads_) {
        written_.append(static_cast<const char*>(at), bytes);
    } else if (bytes > rest_.size()) {
        refuse();
        std::memset(at, 0, bytes);
    } else {
        std::memcpy(at, rest_.data(), bytes);
        rest_.remove_prefix(bytes);
    }
}

void StateArchive::time(UnixNanos& value) {
    number(value);
    if (value > INT64_MAX)
        refuse();
}

void StateArchive::flag(bool& value) {
    std::uint8_t byte = value ? 1 : 0;
    number(byte);
    value = byte != 0;
}

std::size_t StateArchive::count(std::size_t size, std::size_t element_bytes) {
    std::uint64_t elements = size;
    number(elements);
    if (reads_ && elements > rest_.size() / element_bytes) {
        refuse();
        return 0;
    }
    return elements;
}

void StateArchive::text(std::string& value) {
    value.resize(count(value.size()));
    raw(value.data(), value.size());
}

}  // namespace amoskys::etl
