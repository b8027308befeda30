#include "core/base/zstd_stream.h"

#include <zstd.h>

#include "core/base/check.h"

namespace amoskys {

namespace {
constexpr int window_log_max = 25;
constexpr std::size_t piece_bytes = 1 << 18;
}  // namespace

ZstdStream::ZstdStream() : context_(ZSTD_createDCtx()), out_(piece_bytes) {
    check(context_ != nullptr, "memory for zstd");
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log_max);
}

ZstdStream::~ZstdStream() {
    ZSTD_freeDCtx(context_);
}

Result<> ZstdStream::feed(ByteView bytes, const std::function<Result<>(ByteView)>& take) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    bool full = false;  // the last piece was: more may wait inside
    while (in.pos < in.size || full) {
        ZSTD_outBuffer out{out_.data(), out_.size(), 0};
        const std::size_t rest = ZSTD_decompressStream(context_, &out, &in);
        if (ZSTD_isError(rest) != 0)
            return make_error(ErrorKind::bad_data, "zstd_damaged",
                              std::string("no whole zstd stream: ") + ZSTD_getErrorName(rest));
        whole_ = rest == 0;
        full = out.pos == out.size && !whole_;
        if (out.pos != 0)
            AMOSKYS_TRY_VOID(take(ByteView(out_).first(out.pos)));
    }
    return {};
}

}  // namespace amoskys
