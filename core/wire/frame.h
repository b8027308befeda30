// Frames on the wire:   +--------------------+--------------------------------------+
//                       | u32 length, big end. | protobuf amoskys.bus.Frame (length) |
//                       +--------------------+--------------------------------------+
// Used by both ends of core/link. The reader is fed bytes as they come and yields views of whole
// frames; the length is checked against the limit before anything is allocated for it. PUBLISH,
// PUBLISH_LEGACY and DELIVER are not parsed by protobuf: split_* finds the envelope as a view, and
// encode_*_prefix makes the bytes that go before stored envelope bytes.
//
// Limits: a length of 0 or above max_frame_bytes is refused; the reader's buffer never passes
// max_frame_bytes + 4 + 16 KiB. Not thread-safe; one reader per connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/base/types.h"
#include "proto/bus.pb.h"

namespace amoskys::wire {

using Frame = amoskys::bus::Frame;
inline constexpr std::size_t default_max_frame_bytes = 262144;

class FrameReader {
  public:
    explicit FrameReader(std::size_t max_frame_bytes = default_max_frame_bytes);
    // Space to read into (at least 16 KiB); commit() says how much came. Every whole frame must
    // have been taken with next() before: what is buffered is then less than one frame.
    std::span<std::uint8_t> prepare();
    void commit(std::size_t size_bytes);
    // The next whole frame (view valid until the next prepare()), nothing yet, or bad_data
    // "frame_too_large"/"frame_empty": the connection must be closed.
    Result<std::optional<ByteView>> next();
    std::size_t buffered_bytes() const { return end_ - begin_; }
    bool mid_frame() const { return end_ != begin_; }  // a frame has begun and is not taken
    void release_if_empty();                           // gives the buffer back while idle
    // The limit that WELCOME told; holds from the next frame on.
    void set_max_frame_bytes(std::size_t max_frame_bytes) { max_frame_bytes_ = max_frame_bytes; }

  private:
    Bytes buffer_;
    std::size_t begin_ = 0, end_ = 0, max_frame_bytes_;
};

// Length prefix and frame. check()s that the frame is not empty: our own frames have a body.
std::string encode_frame(const Frame& frame);
Result<Frame> decode_frame(ByteView body);  // protobuf parse; bad_data "frame_malformed"

struct PublishView {
    std::uint64_t request_id = 0;
    bool legacy = false;
    bool zstd = false;
    std::uint32_t uncompressed_bytes = 0;  // 0 unless zstd
    ByteView envelope;                     // as it came: still compressed where zstd
};
// Empty optional: the frame is not a PUBLISH / PUBLISH_LEGACY (use decode_frame). bad_data
// "frame_malformed": it is one, but the envelope is not the last field, or a field breaks its
// contract.
Result<std::optional<PublishView>> split_publish(ByteView body);

struct DeliverView {
    std::uint64_t request_id = 0;
    WalOffset offset;
    UnixNanos received_ns = 0;
    RecordKind kind = RecordKind::universal;
    ByteView envelope;
};
// As split_publish, for DELIVER.
Result<std::optional<DeliverView>> split_deliver(ByteView body);

// Length prefix + frame up to the envelope's first byte; the envelope bytes follow as they are.
// zstd_uncompressed_bytes not 0: the envelope bytes are one zstd frame of that content size.
std::string encode_publish_prefix(std::uint64_t request_id, std::size_t envelope_bytes,
                                  bool legacy = false, std::uint32_t zstd_uncompressed_bytes = 0);
// `deliver.envelope` gives the size only.
std::string encode_deliver_prefix(const DeliverView& deliver);

}  // namespace amoskys::wire
