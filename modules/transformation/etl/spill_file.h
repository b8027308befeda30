// A file without a name, for what a run keeps outside its memory: gone with its descriptor.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/base/file.h"

namespace amoskys::etl {

// cannot_create "features_folder" where `folder` takes no file.
Result<FileDescriptor> make_unlinked_file(const std::filesystem::path& folder);
Result<> write_spill(const FileDescriptor& file, std::string_view bytes);

}  // namespace amoskys::etl
