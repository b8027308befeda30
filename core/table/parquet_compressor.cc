#include <snappy.h>
#include <zstd.h>

#include "core/base/check.h"
#include "core/table/parquet.h"

namespace amoskys::table::parquet {

struct Compressor::Context {
    Context() : zstd(ZSTD_createCCtx()) {
        check(zstd != nullptr, "memory for zstd");
        // core/link/compressor.cc keeps only the fast strategy in the executable.
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, 1);
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_strategy, ZSTD_fast);
    }
    ~Context() { ZSTD_freeCCtx(zstd); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ZSTD_CCtx* const zstd;
};

Compressor::Compressor(Compression compression) : compression_(compression) {
    if (compression == Compression::zstd)
        context_ = std::make_unique<Context>();
}

Compressor::~Compressor() = default;

std::int32_t Compressor::codec() const {
    switch (compression_) {
        case Compression::none:
            return 0;
        case Compression::snappy:
            return 1;
        case Compression::zstd:
            return 6;
    }
    return 0;
}

std::string_view Compressor::compress(std::string_view body) {
    if (compression_ == Compression::none)
        return body;
    const bool snappy = compression_ == Compression::snappy;
    const std::size_t room =
        snappy ? ::snappy::MaxCompressedLength(body.size()) : ZSTD_compressBound(body.size());
    if (out_.size() < room)
        out_.resize(room);
    std::size_t size = 0;
    if (snappy) {
        ::snappy::RawCompress(body.data(), body.size(), out_.data(), &size);
    } else {
        size = ZSTD_compress2(context_->zstd, out_.data(), out_.size(), body.data(), body.size());
        check(ZSTD_isError(size) == 0, "zstd with room for the worst case");
    }
    return {out_.data(), size};
}

}  // namespace amoskys::table::parquet
