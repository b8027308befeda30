#include "core/link/compressor.h"

#include <zstd.h>

#include "core/base/check.h"
#include "core/wire/envelope.h"

namespace amoskys::link {
namespace {

constexpr std::size_t least_bytes = 256;
constexpr unsigned skipped_after_a_poor_one = 15;
constexpr int level = 1;

}  // namespace

struct Compressor::Context {
    Context() : zstd(ZSTD_createCCtx()) { check(zstd != nullptr, "memory for zstd"); }
    ~Context() { ZSTD_freeCCtx(zstd); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ZSTD_CCtx* const zstd;
};

Compressor::Compressor(Compress mode) : mode_(mode) {}
Compressor::~Compressor() = default;

std::string_view Compressor::pack(std::string_view envelope) {
    if (skip_ > 0) {
        --skip_;
        return {};
    }
    if (mode_ == Compress::off || envelope.size() < least_bytes ||
        wire::hints_no_compress(as_bytes(envelope)))
        return {};
    if (!context_)
        context_ = std::make_unique<Context>();
    out_.resize(ZSTD_compressBound(envelope.size()));
    const std::size_t size = ZSTD_compressCCtx(context_->zstd, out_.data(), out_.size(),
                                               envelope.data(), envelope.size(), level);
    if (ZSTD_isError(size) != 0)
        return {};
    const std::size_t worth =
        mode_ == Compress::on ? envelope.size() : envelope.size() - envelope.size() / 8;
    if (size < worth)
        return std::string_view(out_).substr(0, size);
    if (mode_ == Compress::automatic)
        skip_ = skipped_after_a_poor_one;
    return {};
}

}  // namespace amoskys::link
