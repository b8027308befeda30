#include "core/wal/record.h"

#include <catch2/catch.hpp>

#include "core/crypto/hash.h"
#include "core/wal/test/support.h"

using namespace amoskys;
using namespace amoskys::wal;

namespace {

Bytes sample_record() {
    RecordHeader header;
    header.kind = RecordKind::audit;
    header.flags = flag_imported;
    header.offset = {77};
    header.received_ns = 123456789;
    header.stored_bytes = 5;
    header.digest = crypto::sha256(as_bytes("hello"));
    header.source_hash = source_hash("agent", "snmp", "0011223344556677");
    const HeaderBytes raw = encode_header(header);
    Bytes record(raw.begin(), raw.end());
    for (const char c : std::string_view("hello"))
        record.push_back(static_cast<std::uint8_t>(c));
    return record;
}

}  // namespace

TEST_CASE("a record's header comes back as it was written") {
    const Bytes record = sample_record();
    const auto view = decode_record(record);
    REQUIRE(view);
    CHECK(view->header.kind == RecordKind::audit);
    CHECK(view->header.flags == flag_imported);
    CHECK(view->header.offset.value == 77);
    CHECK(view->header.received_ns == 123456789);
    CHECK(view->header.source_hash == source_hash("agent", "snmp", "0011223344556677"));
    CHECK(as_text(view->stored) == "hello");
    CHECK(stored_bytes_intact(*view));
}

TEST_CASE("the header stands at the offsets that the format table draws") {
    const Bytes record = sample_record();
    CHECK(as_text(ByteView(record).first(4)) == "AWR1");
    CHECK(record[4] == 1);
    CHECK(record[5] == 4);
    CHECK(record[6] == 4);
    CHECK(record[8] == 5);
    CHECK(record[16] == 77);
    CHECK(record.size() == header_bytes + 5);
}

TEST_CASE("a flipped bit anywhere in a record is found") {
    const Bytes good = sample_record();
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        Bytes bad = good;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
        const auto view = decode_record(bad);
        REQUIRE_FALSE((view && stored_bytes_intact(*view)));
    }
}

TEST_CASE("a record that is cut short or too long is damaged") {
    Bytes record = sample_record();
    for (std::size_t size = 0; size < record.size(); ++size)
        REQUIRE_FALSE(decode_record(ByteView(record).first(size)));
    record.push_back(0);
    const auto view = decode_record(record);
    REQUIRE_FALSE(view);
    CHECK(view.error().code == "record_damaged");
}

TEST_CASE("a record of a newer format is named as such") {
    Bytes record = sample_record();
    record[4] = 2;
    const Digest sum = crypto::sha256(ByteView(record).first(80));
    std::copy_n(sum.begin(), 16, record.begin() + 80);
    const auto view = decode_record(record);
    REQUIRE_FALSE(view);
    CHECK(view.error().code == "wal_newer_version");
}

TEST_CASE("a leaf covers the header and the signature, and differs for a lost record") {
    const Bytes record = sample_record();
    const ByteView header = ByteView(record).first(header_bytes);
    Bytes signature(64, 0);
    CHECK(merkle_leaf(header, {}) == merkle_leaf(header, signature));
    signature[63] = 1;
    CHECK(merkle_leaf(header, {}) != merkle_leaf(header, signature));
    CHECK(lost_leaf({1}) != lost_leaf({2}));
}
