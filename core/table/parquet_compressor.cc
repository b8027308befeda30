#include <snappy.h>

#include "core/base/check.h"
#include "core/table/parquet.h"

namespace amoskys::table::parquet {

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
    if (compression_ == Compression::zstd) {
        if (!zstd_)
            zstd_.emplace();
        const std::string_view packed = zstd_->compress(body);
        check(!packed.empty(), "memory for zstd");
        return packed;
    }
    const std::size_t room = ::snappy::MaxCompressedLength(body.size());
    if (out_.size() < room)
        out_.resize(room);
    std::size_t size = 0;
    ::snappy::RawCompress(body.data(), body.size(), out_.data(), &size);
    return {out_.data(), size};
}

}  // namespace amoskys::table::parquet
