// Whatever bytes stand in the log: decoding ends, stays inside, and what it takes is written back
// the same.
#include <algorithm>
#include <cstdlib>

#include "core/wal/group_writer.h"
#include "core/wal/merkle.h"
#include "core/wal/record.h"
#include "core/wal/segment_reader.h"
#include "core/wal/zone.h"

using namespace amoskys;
using namespace amoskys::wal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    if (const auto record = decode_record(input)) {
        const HeaderBytes again = encode_header(record->header);
        if (!std::equal(again.begin(), again.end(), record->header_raw.begin()) ||
            record->stored.size() != record->header.stored_bytes)
            std::abort();
        (void)stored_bytes_intact(*record);
    }
    find_records(input, [&](const RecordView& record) {
        if (record.stored.data() < data ||
            record.stored.data() + record.stored.size() > data + size)
            std::abort();
    });
    if (const auto zone = Zone::decode(input))
        (void)zone->may_hold(1, 2, 3);
    if (const auto frontier = Frontier::decode(input))
        (void)frontier->root();
    (void)DedupEntry::decode(input);
    return 0;
}
