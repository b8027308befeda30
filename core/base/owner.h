// Who owns what root makes. Used where files and folders of a state directory are made.
#pragma once

#include <filesystem>

namespace amoskys {

// What root makes in a folder of another user is that user's, so that a service can use what was
// made for it by hand. For a descriptor that was opened with O_NOFOLLOW; a file with a second name
// stays as it is, and where the system refuses, nothing changes. write_file_atomic, write_new_file
// and make_directories (file.h) do it.
void give_to_owner_of_folder(int fd, const std::filesystem::path& path);

}  // namespace amoskys
