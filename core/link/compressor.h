// zstd for PUBLISH, where it pays (ClientOptions::compression). One per connection, io thread only.
// Holds about 0.3 MB once it has compressed something.
//
// Automatic: an envelope that saves less than an eighth is sent as it is, and so are the next 15
// without trying. Below 256 bytes, or with the processing hint `no-compress`, none is tried.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/link/client.h"

namespace amoskys::link {

class Compressor {
  public:
    explicit Compressor(Compress mode);
    ~Compressor();
    // The envelope as one zstd frame, valid until the next call; empty: send it as it is.
    std::string_view pack(std::string_view envelope);

  private:
    struct Context;
    const Compress mode_;
    std::unique_ptr<Context> context_;
    std::string out_;
    unsigned skip_ = 0;
};

}  // namespace amoskys::link
