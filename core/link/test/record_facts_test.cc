#include "core/link/record_facts.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::link;

TEST_CASE("the devices of a record are noted once each, and more than 256 stand for any") {
    DeviceNotes notes;
    CHECK(notes.take().empty());
    for (int round = 0; round < 300; ++round)
        for (const char* device : {"router-1", "router-1", "router-2"})
            notes.add(device);
    auto hashes = notes.take();
    CHECK(hashes.size() == 2);
    CHECK(std::ranges::find(hashes, wal::device_hash("router-2")) != hashes.end());
    for (std::size_t i = 0; i < DeviceNotes::devices_max; ++i)
        notes.add("d" + std::to_string(i));
    CHECK(notes.take().size() == DeviceNotes::devices_max);
    for (std::size_t i = 0; i <= DeviceNotes::devices_max; ++i)
        notes.add("d" + std::to_string(i));
    CHECK(notes.take().empty());
    notes.add("router-1");  // the next record begins anew
    CHECK(notes.take() == std::vector<std::uint64_t>{wal::device_hash("router-1")});
}
