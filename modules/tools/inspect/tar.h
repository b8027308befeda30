// The tar archive that a backup is (inside zstd): plain files only, so that `tar --zstd -x` reads
// it where no amoskys is at hand. Sans-io; one thread.
//
//   header, 512 octets (POSIX ustar), numbers in octal text:
//     0 name 100   100 mode 8   108 uid 8   116 gid 8   124 size 12   136 mtime 12   148 sum 8
//     156 type 1 ('0')   257 "ustar" 0 "00"   345 prefix 155 (empty here)
//     A size of 8 GiB and more: octet 124 is 0x80, its last 8 octets big-endian (GNU).
//   content, filled up with zeros to a multiple of 512; the end: two blocks of zeros
//
// sum: of all octets of the header, those of the sum itself taken for blanks.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys::modules::inspect {

inline constexpr std::size_t tar_block = 512;

std::array<char, tar_block> tar_header(std::string_view name, std::uint64_t bytes,
                                       UnixNanos time_ns);
// Zeros after a content of this size.
std::size_t tar_padding(std::uint64_t bytes);

// Takes an archive in pieces of any size. bad_data "tar_form".
class TarReader {
  public:
    // begin, as many data as there are, end: for each file. An error of one ends the reading.
    struct Files {
        virtual ~Files() = default;
        virtual Result<> begin(std::string_view name, std::uint64_t bytes) = 0;
        virtual Result<> data(ByteView piece) = 0;
        virtual Result<> end() = 0;
    };

    Result<> feed(ByteView bytes, Files& files);
    bool whole() const { return zero_blocks_ >= 2; }  // the end was there

  private:
    Result<> header(Files& files);

    std::array<std::uint8_t, tar_block> block_{};
    std::size_t in_block_ = 0;
    std::uint64_t left_ = 0;  // of the file
    std::size_t padding_ = 0;
    unsigned zero_blocks_ = 0;
};

}  // namespace amoskys::modules::inspect
