// A consistent copy of a log while its writer goes on: the files of one moment, read one after the
// other. Used by `inspect backup`. One thread.
//
// The newest segment is copied as of one commit, and first: while that lasts, its pages of that
// moment are not written again, so that the file grows a little. Sealed segments and leaf files
// never change; they are opened at once, so that a pruning in between takes none away. Files that
// were set aside (*.damaged) are not part of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/wal/log.h"

namespace amoskys::wal {

class LogCopy {
  public:
    struct File {
        std::string name;  // as in the log's folder
        std::uint64_t bytes = 0;
    };

    // no_input "wal_missing"; bad_data "wal_damaged": its writer has to salvage it first;
    // unavailable "wal_busy".
    static Result<std::unique_ptr<LogCopy>> begin(const std::filesystem::path& folder);
    virtual ~LogCopy() = default;

    virtual const Log::TreeHead& tree() const = 0;
    virtual const std::vector<File>& files() const = 0;  // the newest segment first
    // Each once, in order: File::bytes of them, in pieces.
    virtual Result<> read(std::size_t file, const std::function<Result<>(ByteView)>& take) = 0;
};

// Whether a file of that name belongs to a copy, and where: a segment or the leaf hashes of one.
bool is_copied_name(std::string_view name);

}  // namespace amoskys::wal
