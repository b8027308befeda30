#include "core/link/compressor.h"

#include "core/wire/envelope.h"

namespace amoskys::link {
namespace {

constexpr std::size_t least_bytes = 256;
constexpr unsigned skipped_after_a_poor_one = 15;

}  // namespace

std::string_view Compressor::pack(std::string_view envelope) {
    if (skip_ > 0) {
        --skip_;
        return {};
    }
    if (mode_ == Compress::off || envelope.size() < least_bytes ||
        wire::hints_no_compress(as_bytes(envelope)))
        return {};
    if (!zstd_)
        zstd_.emplace();
    const std::string_view packed = zstd_->compress(envelope);
    if (packed.empty())
        return {};
    const std::size_t worth =
        mode_ == Compress::on ? envelope.size() : envelope.size() - envelope.size() / 8;
    if (packed.size() < worth)
        return packed;
    if (mode_ == Compress::automatic)
        skip_ = skipped_after_a_poor_one;
    return {};
}

}  // namespace amoskys::link
