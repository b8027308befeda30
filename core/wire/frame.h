// Frames on the wire:   +--------------------+----------------------------------+
//                       | u32 length, big end. | protobuf amoskys.bus.Frame (length) |
//                       +--------------------+----------------------------------+
// The reader is fed bytes as they come and yields views of whole frames; the length is checked
// against the limit before anything is allocated. A PUBLISH is not parsed by protobuf:
// split_publish finds the envelope as a view, encode_publish_prefix makes the bytes that go before
// stored envelope bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "proto/bus.pb.h"

namespace amoskys::wire {

using Frame = amoskys::bus::Frame;
inline constexpr std::size_t default_max_frame_bytes = 262144;

class FrameReader {
  public:
    explicit FrameReader(std::size_t max_frame_bytes = default_max_frame_bytes);
    // Space to read into (at least 16 KiB); commit() says how much came.
    std::span<std::uint8_t> prepare();
    void commit(std::size_t size_bytes);
    // The next whole frame (view valid until the next prepare()), nothing yet, or bad_data
    // "frame_too_large"/"frame_empty": the connection must be closed.
    Result<std::optional<ByteView>> next();
    std::size_t buffered_bytes() const;
    bool mid_frame() const;   // a frame has begun and is not whole
    void release_if_empty();  // gives the buffer back while idle

  private:
    Bytes buffer_;
    std::size_t begin_ = 0, end_ = 0, max_frame_bytes_;
};

// Length prefix and frame. check()s the limit: our own frames are never too large.
std::string encode_frame(const Frame& frame);
Result<Frame> decode_frame(ByteView body);  // protobuf parse; bad_data "frame_malformed"

struct PublishView {
    std::uint64_t request_id = 0;
    bool legacy = false;
    bool zstd = false;
    std::uint32_t uncompressed_bytes = 0;
    ByteView envelope;
};
// Empty optional: the frame is not a PUBLISH / PUBLISH_LEGACY (use decode_frame).
Result<std::optional<PublishView>> split_publish(ByteView body);
// Length prefix + frame up to the envelope's first byte; the envelope bytes follow as they are.
std::string encode_publish_prefix(std::uint64_t request_id, std::size_t envelope_bytes,
                                  bool legacy = false);

}  // namespace amoskys::wire
