#include "core/wire/frame.h"

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/wire/proto_cursor.h"
#include "core/wire/protobuf_log.h"

namespace amoskys::wire {
namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::size_t read_bytes = 16384;

// Frame field numbers (proto/bus.proto), fixed by the wire.
constexpr std::uint32_t field_request_id = 1;
constexpr std::uint32_t field_envelope = 15;
constexpr std::uint32_t field_publish_legacy = Frame::kPublishLegacyFieldNumber;
constexpr std::uint32_t field_deliver = Frame::kDeliverFieldNumber;
constexpr std::uint32_t field_publish = Frame::kPublishFieldNumber;

Error malformed(std::string_view what) {
    return make_error(ErrorKind::bad_data, "frame_malformed",
                      "malformed frame: " + std::string(what));
}

// A frame whose body holds stored bytes, split at the top level.
struct BulkBody {
    std::uint64_t request_id = 0;
    std::uint32_t field = 0;  // 0 = another frame
    ByteView content;
};

Result<BulkBody> find_bulk_body(ByteView body) {
    BulkBody out;
    ProtoCursor cursor(body);
    bool other_body = false;
    while (!cursor.at_end()) {
        FieldTag tag;
        if (!cursor.tag(tag))
            return malformed("bad tag");
        if (tag.number >= field_publish_legacy && tag.number <= field_publish) {
            if (tag.type != WireType::bytes || !cursor.bytes(out.content) || !cursor.at_end())
                return malformed("an envelope's frame must end with it");
            if (other_body)
                return malformed("two bodies");
            out.field = tag.number;
            return out;
        }
        if (tag.number == field_request_id) {
            if (tag.type != WireType::varint || !cursor.varint(out.request_id))
                return malformed("bad request_id");
            continue;
        }
        other_body = true;
        if (!cursor.skip(tag.type))
            return malformed("truncated field " + std::to_string(tag.number));
    }
    return out;
}

// Reads the fields before `envelope` with `visit(number, varint value)`; others are skipped.
template <class Visit>
Result<ByteView> split_envelope(ByteView content, Visit visit) {
    ProtoCursor cursor(content);
    ByteView envelope;
    while (!cursor.at_end()) {
        FieldTag tag;
        if (!cursor.tag(tag))
            return malformed("bad tag");
        if (tag.number == field_envelope) {
            if (tag.type != WireType::bytes || !cursor.bytes(envelope) || !cursor.at_end())
                return malformed("the envelope must be the last field");
            return envelope;
        }
        if (tag.type == WireType::varint) {
            std::uint64_t value = 0;
            if (!cursor.varint(value) || !visit(tag.number, value))
                return malformed("bad value of field " + std::to_string(tag.number));
        } else if (!cursor.skip(tag.type)) {
            return malformed("truncated field " + std::to_string(tag.number));
        }
    }
    return envelope;
}

// Prefix for `inner` (the fields before the envelope) and an envelope of `envelope_bytes`.
std::string bulk_prefix(std::uint64_t request_id, std::uint32_t field, std::string inner,
                        std::size_t envelope_bytes) {
    put_tag(inner, field_envelope, WireType::bytes);
    put_varint(inner, envelope_bytes);
    std::string out(length_bytes, '\0');
    if (request_id != 0) {
        put_tag(out, field_request_id, WireType::varint);
        put_varint(out, request_id);
    }
    put_tag(out, field, WireType::bytes);
    put_varint(out, inner.size() + envelope_bytes);
    out += inner;
    const std::size_t length = out.size() - length_bytes + envelope_bytes;
    check(length <= UINT32_MAX, "frame length fits in 32 bits");
    store_be32(reinterpret_cast<std::uint8_t*>(out.data()), static_cast<std::uint32_t>(length));
    return out;
}

void put_number(std::string& out, std::uint32_t field, std::uint64_t value) {
    if (value == 0)
        return;
    put_tag(out, field, WireType::varint);
    put_varint(out, value);
}

}  // namespace

FrameReader::FrameReader(std::size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

std::span<std::uint8_t> FrameReader::prepare() {
    if (begin_ == end_)
        begin_ = end_ = 0;
    if (buffer_.size() - end_ < read_bytes && begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < read_bytes) {
        // Doubling as bytes come: a peer that only announces a large frame gets no large buffer.
        const std::size_t most = max_frame_bytes_ + length_bytes + read_bytes;
        check(end_ + read_bytes <= most, "whole frames are taken before more is read");
        buffer_.resize(std::min(most, std::max(buffer_.size() * 2, end_ + read_bytes)));
    }
    return std::span(buffer_).subspan(end_);
}

void FrameReader::commit(std::size_t size_bytes) {
    check(size_bytes <= buffer_.size() - end_, "commit() within prepare()d space");
    end_ += size_bytes;
}

Result<std::optional<ByteView>> FrameReader::next() {
    if (end_ - begin_ < length_bytes)
        return std::optional<ByteView>();
    const std::size_t length = load_be32(buffer_.data() + begin_);
    if (length == 0)
        return make_error(ErrorKind::bad_data, "frame_empty", "frame of length 0");
    if (length > max_frame_bytes_)
        return make_error(ErrorKind::bad_data, "frame_too_large",
                          "Frame too large (" + std::to_string(length) + " > " +
                              std::to_string(max_frame_bytes_) + " bytes)");
    if (end_ - begin_ - length_bytes < length)
        return std::optional<ByteView>();
    const auto frame = ByteView(buffer_).subspan(begin_ + length_bytes, length);
    begin_ += length_bytes + length;
    return std::optional<ByteView>(frame);
}

void FrameReader::release_if_empty() {
    if (begin_ != end_)
        return;
    begin_ = end_ = 0;
    Bytes().swap(buffer_);
}

std::string encode_frame(const Frame& frame) {
    const std::size_t length = frame.ByteSizeLong();
    check(length > 0 && length <= UINT32_MAX, "own frame has a body");
    std::string out(length_bytes + length, '\0');
    auto* data = reinterpret_cast<std::uint8_t*>(out.data());
    store_be32(data, static_cast<std::uint32_t>(length));
    frame.SerializeWithCachedSizesToArray(data + length_bytes);
    return out;
}

Result<Frame> decode_frame(ByteView body) {
    silence_protobuf();
    Frame frame;
    if (body.size() > INT32_MAX ||
        !frame.ParseFromArray(body.data(), static_cast<int>(body.size())))
        return malformed("not a Frame (" + std::to_string(body.size()) + " bytes)");
    return frame;
}

Result<std::optional<PublishView>> split_publish(ByteView body) {
    AMOSKYS_TRY(bulk, find_bulk_body(body));
    if (bulk.field != field_publish && bulk.field != field_publish_legacy)
        return std::optional<PublishView>();
    PublishView out;
    out.request_id = bulk.request_id;
    out.legacy = bulk.field == field_publish_legacy;
    AMOSKYS_TRY(envelope,
                split_envelope(bulk.content, [&](std::uint32_t number, std::uint64_t value) {
                    if (out.legacy || number > 2)
                        return true;
                    if (number == 1) {
                        out.zstd = value == 1;
                        return value <= 1;
                    }
                    out.uncompressed_bytes = static_cast<std::uint32_t>(value);
                    return value <= UINT32_MAX;
                }));
    if (out.zstd != (out.uncompressed_bytes != 0))
        return malformed("compression and uncompressed_size must come together");
    out.envelope = envelope;
    return std::optional<PublishView>(out);
}

Result<std::optional<DeliverView>> split_deliver(ByteView body) {
    AMOSKYS_TRY(bulk, find_bulk_body(body));
    if (bulk.field != field_deliver)
        return std::optional<DeliverView>();
    DeliverView out;
    out.request_id = bulk.request_id;
    std::uint64_t kind = 0;
    AMOSKYS_TRY(envelope,
                split_envelope(bulk.content, [&](std::uint32_t number, std::uint64_t value) {
                    if (number == 1)
                        out.offset = {value};
                    else if (number == 2)
                        out.received_ns = value;
                    else if (number == 3)
                        kind = value;
                    return true;
                }));
    if (kind < 1 || kind > 4)
        return malformed("record kind " + std::to_string(kind) + " (1 to 4 are known)");
    out.kind = static_cast<RecordKind>(kind);
    out.envelope = envelope;
    return std::optional<DeliverView>(out);
}

std::string encode_publish_prefix(std::uint64_t request_id, std::size_t envelope_bytes, bool legacy,
                                  std::uint32_t zstd_uncompressed_bytes) {
    std::string inner;
    if (zstd_uncompressed_bytes != 0) {
        check(!legacy, "legacy envelopes travel uncompressed");
        put_number(inner, 1, 1);
        put_number(inner, 2, zstd_uncompressed_bytes);
    }
    return bulk_prefix(request_id, legacy ? field_publish_legacy : field_publish, std::move(inner),
                       envelope_bytes);
}

std::string encode_deliver_prefix(const DeliverView& deliver) {
    std::string inner;
    put_number(inner, 1, deliver.offset.value);
    put_number(inner, 2, deliver.received_ns);
    put_number(inner, 3, static_cast<std::uint64_t>(deliver.kind));
    return bulk_prefix(deliver.request_id, field_deliver, std::move(inner),
                       deliver.envelope.size());
}

}  // namespace amoskys::wire
