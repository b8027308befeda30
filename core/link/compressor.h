// zstd for PUBLISH, where it pays (ClientOptions::compression). One per connection, io thread only.
//
// Automatic: an envelope that saves less than an eighth is sent as it is, and so are the next 15
// without trying. Below 256 bytes, or with the processing hint `no-compress`, none is tried.
#pragma once

#include <optional>
#include <string_view>

#include "core/base/fast_zstd.h"
#include "core/link/client.h"

namespace amoskys::link {

class Compressor {
  public:
    explicit Compressor(Compress mode) : mode_(mode) {}
    // The envelope as one zstd frame, valid until the next call; empty: send it as it is.
    std::string_view pack(std::string_view envelope);

  private:
    const Compress mode_;
    std::optional<FastZstd> zstd_;
    unsigned skip_ = 0;
};

}  // namespace amoskys::link
