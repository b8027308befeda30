// A segment file of any content: the page reader ends, stays inside the file and gives number keys
// in order.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "core/wal/segment_format.h"
#include "core/wal/segment_reader.h"

using namespace amoskys;
using namespace amoskys::wal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const int fd = ::memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size))
        std::abort();
    const auto reader = SegmentReader::open("/proc/self/fd/" + std::to_string(fd));
    ::close(fd);
    if (!reader)
        return 0;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < table_count; ++i) {
        const auto table = static_cast<Table>(i);
        bool first = true;
        std::uint64_t previous = 0;
        const auto scanned = (*reader)->scan(table, {}, [&](ByteView key, ByteView value) {
            for (const std::uint8_t byte : value)
                sum += byte;
            if (number_keyed(table) && !first && key_number(key) <= previous)
                std::abort();
            previous = key_number(key);
            first = false;
            return true;
        });
        if (!scanned)
            std::abort();
        (void)get(**reader, table, number_key(sum));
    }
    (void)read_start(**reader);
    (void)read_head(**reader);
    (void)(*reader)->soundness();
    return 0;
}
