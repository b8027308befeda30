// The bus of the benchmark: link::Server over a log in `folder`, until SIGTERM. A process of its
// own, so that its memory is its own. Prints the address that it listens on.
#pragma once

#include <filesystem>

namespace amoskys::bench {

int serve(const std::filesystem::path& folder, const std::filesystem::path& pki);

}  // namespace amoskys::bench
