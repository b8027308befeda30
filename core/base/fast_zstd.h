// zstd at its fastest level: the only one in the executable, see fast_zstd.cc. Holds about 0.3 MB
// once it has compressed something. One thread at a time.
#pragma once

#include <string>
#include <string_view>

struct ZSTD_CCtx_s;

namespace amoskys {

class FastZstd {
  public:
    FastZstd();
    ~FastZstd();
    FastZstd(const FastZstd&) = delete;
    FastZstd& operator=(const FastZstd&) = delete;
    // One frame, valid until the next call; empty where zstd got no memory.
    std::string_view compress(std::string_view bytes);

  private:
    ZSTD_CCtx_s* const context_;
    std::string out_;
};

}  // namespace amoskys
