// A file that appears under its name when it is whole: written as .NAME.partial, synced, renamed.
// Used by the writers of this folder. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/file.h"
#include "core/base/result.h"

namespace amoskys::table {

class OutputFile {
  public:
    static Result<std::unique_ptr<OutputFile>> create(const std::filesystem::path& path);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    // What is appended here goes to the file by flush(), which a writer calls where it is full().
    std::string& pending() { return pending_; }
    bool full() const { return pending_.size() >= buffer_bytes; }
    Result<> flush();
    std::uint64_t position() const { return written_ + pending_.size(); }

    Result<> finish();

  private:
    static constexpr std::size_t buffer_bytes = 1 << 20;

    OutputFile(std::filesystem::path path, std::filesystem::path temporary, FileDescriptor file)
        : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)) {}
    Error failed(int errno_value) const;

    std::filesystem::path path_, temporary_;  // temporary_ is empty after the rename
    FileDescriptor file_;
    std::string pending_;
    std::uint64_t written_ = 0;
};

}  // namespace amoskys::table
