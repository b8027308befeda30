#include "core/wire/frame.h"

#include <catch2/catch.hpp>
#include <cstring>

using namespace amoskys;
using namespace amoskys::wire;

namespace {

void feed(FrameReader& reader, std::string_view bytes) {
    const auto space = reader.prepare();
    REQUIRE(space.size() >= bytes.size());
    std::memcpy(space.data(), bytes.data(), bytes.size());
    reader.commit(bytes.size());
}

Frame ping(std::uint64_t id) {
    Frame frame;
    frame.set_request_id(id);
    frame.mutable_ping()->set_sent_time_ns(7);
    return frame;
}

std::string publish_frame(std::uint64_t id, std::string_view envelope, bool legacy = false) {
    return encode_publish_prefix(id, envelope.size(), legacy) + std::string(envelope);
}

ByteView body_of(const std::string& frame) {
    return as_bytes(frame).subspan(4);
}

}  // namespace

TEST_CASE("frame reader yields frames that arrive one byte at a time") {
    const std::string bytes = encode_frame(ping(1)) + encode_frame(ping(2));
    FrameReader reader;
    std::vector<std::uint64_t> ids;
    for (const char byte : bytes) {
        feed(reader, std::string_view(&byte, 1));
        const auto got = reader.next();
        REQUIRE(got.has_value());
        if (*got)
            ids.push_back(decode_frame(**got)->request_id());
    }
    CHECK(ids == std::vector<std::uint64_t>{1, 2});
    CHECK_FALSE(reader.mid_frame());
}

TEST_CASE("frame reader refuses a length above the limit before allocating for it") {
    FrameReader reader(1000);
    feed(reader, std::string("\x00\x00\x03\xe9", 4));
    const auto got = reader.next();
    REQUIRE(got.has_error());
    CHECK(got.error().code == "frame_too_large");
    CHECK(got.error().message == "Frame too large (1001 > 1000 bytes)");
    CHECK(reader.prepare().size() <= 16384 + 1004);
}

TEST_CASE("frame reader accepts a frame of exactly the limit and refuses length 0") {
    FrameReader reader(16);
    feed(reader, std::string("\x00\x00\x00\x10", 4) + std::string(16, 'x') + std::string(4, '\0'));
    const auto whole = reader.next();
    REQUIRE(whole.has_value());
    REQUIRE(whole->has_value());
    CHECK((*whole)->size() == 16);
    CHECK(reader.next().error().code == "frame_empty");
}

TEST_CASE("frame reader grows to a large frame and gives the buffer back when empty") {
    const std::string bytes = publish_frame(9, std::string(200000, 'e'));
    FrameReader reader;
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        REQUIRE_FALSE(reader.next()->has_value());
        const auto space = reader.prepare();
        const std::size_t part = std::min(space.size(), bytes.size() - sent);
        std::memcpy(space.data(), bytes.data() + sent, part);
        reader.commit(part);
        sent += part;
    }
    const auto got = reader.next();
    REQUIRE(got.has_value());
    REQUIRE(got->has_value());
    const auto publish = split_publish(**got);
    REQUIRE(publish.has_value());
    CHECK((*publish)->envelope.size() == 200000);
    reader.release_if_empty();
    CHECK(reader.buffered_bytes() == 0);
}

TEST_CASE("publish prefix and envelope are the frame that protobuf writes") {
    for (const bool legacy : {false, true})
        for (const std::size_t size : {1U, 127U, 128U, 131072U}) {
            const std::string envelope(size, 'e');
            Frame frame;
            frame.set_request_id(300);
            if (legacy)
                frame.mutable_publish_legacy()->set_envelope(envelope);
            else
                frame.mutable_publish()->set_envelope(envelope);
            const std::string ours = publish_frame(300, envelope, legacy);
            CHECK(ours == encode_frame(frame));
            const auto view = split_publish(body_of(ours));
            REQUIRE(view.has_value());
            REQUIRE(view->has_value());
            CHECK((*view)->request_id == 300);
            CHECK((*view)->legacy == legacy);
            CHECK(as_text((*view)->envelope) == envelope);
        }
}

TEST_CASE("compressed publish carries its content size and needs it") {
    const std::string ours = encode_publish_prefix(1, 3, false, 70000) + "zzz";
    const auto view = split_publish(body_of(ours));
    REQUIRE(view.has_value());
    CHECK((*view)->zstd);
    CHECK((*view)->uncompressed_bytes == 70000);
    Frame frame;
    frame.mutable_publish()->set_compression(amoskys::bus::COMPRESSION_ZSTD);
    frame.mutable_publish()->set_envelope("zzz");
    CHECK(split_publish(body_of(encode_frame(frame))).error().code == "frame_malformed");
}

TEST_CASE("deliver prefix and envelope are the frame that protobuf writes") {
    Frame frame;
    frame.set_request_id(4);
    auto* deliver = frame.mutable_deliver();
    deliver->set_sequence(77);
    deliver->set_received_time_ns(1764821328902984000);
    deliver->set_kind(amoskys::bus::RECORD_KIND_GAP);
    deliver->set_envelope("stored");
    DeliverView view;
    view.request_id = 4;
    view.offset = {77};
    view.received_ns = 1764821328902984000;
    view.kind = RecordKind::gap;
    const std::string stored = "stored";
    view.envelope = as_bytes(stored);
    const std::string ours = encode_deliver_prefix(view) + stored;
    CHECK(ours == encode_frame(frame));
    const auto back = split_deliver(body_of(ours));
    REQUIRE(back.has_value());
    REQUIRE(back->has_value());
    CHECK((*back)->offset == WalOffset{77});
    CHECK((*back)->kind == RecordKind::gap);
    CHECK(as_text((*back)->envelope) == "stored");
    CHECK_FALSE(split_publish(body_of(ours))->has_value());
}

TEST_CASE("split_publish leaves other frames to protobuf and refuses bytes after the envelope") {
    CHECK_FALSE(split_publish(body_of(encode_frame(ping(1))))->has_value());
    const std::string frame = publish_frame(1, "abc") + std::string("\x08\x02", 2);
    CHECK(split_publish(body_of(frame)).error().code == "frame_malformed");
    std::string inner = publish_frame(1, "abc");
    for (std::size_t size = 5; size < inner.size(); ++size) {
        const auto cut = split_publish(body_of(inner).first(size - 4));
        CHECK((cut.has_error() || !cut->has_value()));
    }
}

TEST_CASE("decode_frame refuses bytes that are not a frame") {
    CHECK(decode_frame(as_bytes("\xff\xff\xff")).error().code == "frame_malformed");
}
