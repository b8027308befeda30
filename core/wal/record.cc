#include "core/wal/record.h"

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/crypto/hash.h"
#include "core/wal/little_endian.h"

namespace amoskys::wal {

namespace {

constexpr std::array<std::uint8_t, 4> magic{'A', 'W', 'R', '1'};
constexpr std::uint8_t format = 1;
constexpr std::size_t checked_bytes = 80;

Error damaged(std::string what) {
    return make_error(ErrorKind::bad_data, "record_damaged", "record damaged: " + std::move(what));
}

bool known_kind(std::uint8_t kind) {
    return kind >= static_cast<std::uint8_t>(RecordKind::universal) &&
           kind <= static_cast<std::uint8_t>(RecordKind::audit);
}

}  // namespace

HeaderBytes encode_header(const RecordHeader& header) {
    check(header.stored_bytes <= stored_bytes_max, "a record's length is within the limit");
    HeaderBytes out{};
    std::copy(magic.begin(), magic.end(), out.begin());
    out[4] = format;
    out[5] = static_cast<std::uint8_t>(header.kind);
    store_le(&out[6], header.flags);
    store_le(&out[8], header.stored_bytes);
    store_le(&out[16], header.offset.value);
    store_le(&out[24], header.received_ns);
    std::copy(header.source_hash.begin(), header.source_hash.end(), &out[32]);
    std::copy(header.digest.begin(), header.digest.end(), &out[48]);
    const Digest sum = crypto::sha256(ByteView(out).first(checked_bytes));
    std::copy_n(sum.begin(), header_bytes - checked_bytes, &out[checked_bytes]);
    return out;
}

Result<RecordHeader> decode_header(ByteView raw) {
    if (raw.size() < header_bytes)
        return damaged("only " + std::to_string(raw.size()) + " bytes, a header has 96");
    if (!std::equal(magic.begin(), magic.end(), raw.begin()))
        return damaged("no magic AWR1 at its start");
    const Digest sum = crypto::sha256(raw.first(checked_bytes));
    if (!std::equal(raw.begin() + checked_bytes, raw.begin() + header_bytes, sum.begin()))
        return damaged("the header's check differs");
    if (raw[4] != format)
        return make_error(ErrorKind::bad_data, "wal_newer_version",
                          "record format " + std::to_string(raw[4]) + "; this program reads 1",
                          "read it with the version that wrote it, or a newer one");
    if (!known_kind(raw[5]))
        return damaged("kind " + std::to_string(raw[5]) + ", known are 1 to 4");
    RecordHeader header;
    header.kind = static_cast<RecordKind>(raw[5]);
    header.flags = load_le<std::uint16_t>(&raw[6]);
    header.stored_bytes = load_le<std::uint32_t>(&raw[8]);
    header.offset = {load_le<std::uint64_t>(&raw[16])};
    header.received_ns = load_le<std::uint64_t>(&raw[24]);
    std::copy_n(&raw[32], header.source_hash.size(), header.source_hash.begin());
    std::copy_n(&raw[48], header.digest.size(), header.digest.begin());
    if (header.stored_bytes > stored_bytes_max || load_le<std::uint32_t>(&raw[12]) != 0)
        return damaged("length " + std::to_string(header.stored_bytes) + ", allowed is 16 MiB");
    return header;
}

Result<RecordView> decode_record(ByteView record) {
    AMOSKYS_TRY(header, decode_header(record));
    if (record.size() - header_bytes != header.stored_bytes)
        return damaged("the header says " + std::to_string(header.stored_bytes) + " bytes, " +
                       std::to_string(record.size() - header_bytes) + " are there");
    return RecordView{header, record.first(header_bytes), record.subspan(header_bytes)};
}

bool stored_bytes_intact(const RecordView& record) {
    if (record.header.kind != RecordKind::legacy && record.header.kind != RecordKind::audit)
        return true;
    return crypto::sha256(record.stored) == record.header.digest;
}

SourceHash source_hash(std::string_view agent_id, std::string_view lane, std::string_view key_id) {
    constexpr std::uint8_t zero[1] = {0};
    const Digest full = crypto::sha256(
        {as_bytes(agent_id), ByteView(zero), as_bytes(lane), ByteView(zero), as_bytes(key_id)});
    SourceHash out;
    std::copy_n(full.begin(), out.size(), out.begin());
    return out;
}

std::uint64_t device_hash(std::string_view device_id) {
    return load_le<std::uint64_t>(crypto::sha256(as_bytes(device_id)).data());
}

Digest merkle_leaf(ByteView header96, ByteView signature) {
    constexpr std::uint8_t tag[1] = {0};
    constexpr std::array<std::uint8_t, signature_bytes> none{};
    check(header96.size() == header_bytes, "a leaf's header has 96 bytes");
    check(signature.empty() || signature.size() == signature_bytes, "a signature has 64 bytes");
    return crypto::sha256(
        {ByteView(tag), header96, signature.empty() ? ByteView(none) : signature});
}

Digest lost_leaf(WalOffset offset) {
    constexpr std::uint8_t tag[1] = {0};
    std::array<std::uint8_t, 8> sequence{};
    store_le(sequence.data(), offset.value);
    return crypto::sha256({ByteView(tag), as_bytes("amoskys lost record"), ByteView(sequence)});
}

}  // namespace amoskys::wal
