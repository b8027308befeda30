// The bytes of one replayed file, read twice: once to validate, once to publish. "-" is stdin; what
// cannot be rewound (a pipe) is copied to an unlinked temporary file first. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/file.h"
#include "core/base/result.h"

namespace amoskys::replay {

class Source {
  public:
    static Result<Source> open(const std::string& path);
    const std::string& name() const { return name_; }  // for messages: the path, "stdin" for "-"
    // Back to the start. bad_data "changed" where the file is not the one that was opened any more.
    Result<> rewind();
    // At most size bytes; 0 at the end.
    Result<std::size_t> read(char* out, std::size_t size);

  private:
    Result<> remember();

    std::string name_;
    FileDescriptor file_;
    std::int64_t base_ = 0, position_ = 0, size_ = 0, modified_ns_ = 0;
};

}  // namespace amoskys::replay
