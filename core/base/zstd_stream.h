// A zstd stream of any number of frames, decompressed as it comes; frames with a window above 32
// MiB are refused. Sans-io; one thread.
#pragma once

#include <functional>

#include "core/base/bytes.h"
#include "core/base/result.h"

struct ZSTD_DCtx_s;

namespace amoskys {

class ZstdStream {
  public:
    ZstdStream();
    ~ZstdStream();
    ZstdStream(const ZstdStream&) = delete;
    ZstdStream& operator=(const ZstdStream&) = delete;
    // Gives what it decompresses to in pieces; views are valid during the call. bad_data
    // "zstd_damaged"; errors of `take` end it.
    Result<> feed(ByteView bytes, const std::function<Result<>(ByteView)>& take);
    bool whole() const { return whole_; }  // what was fed ends where a frame ends

  private:
    ZSTD_DCtx_s* const context_;
    Bytes out_;
    bool whole_ = true;
};

}  // namespace amoskys
