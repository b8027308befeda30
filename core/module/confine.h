// The sandbox of a process that goes on: what its modules and their configuration need, and nothing
// else.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "core/config/config.h"
#include "core/io/http_server.h"
#include "core/module/module.h"

namespace amoskys::module {

struct FurtherPaths {
    std::vector<std::filesystem::path> read, write;
};

// Before the first thread. Kept: the capabilities in the `privileges` of the modules; the files of
// the state directory, of every path that was configured (of a file: its folder, in which it may be
// replaced; written to where its option asks for nothing that is there already), of `further`, and
// what the system's libraries read. A path that only a reload brings is not among them. Fails where
// sandbox.mode is `require` and a layer is missing, or sandbox.user cannot be had.
Result<> confine(std::span<const ModuleInfo* const> modules, const config::Loaded& loaded,
                 const std::filesystem::path& state_dir, const FurtherPaths& further);

// What the process has left, as JSON: the page /security, shown by `health --security`.
io::HttpResponse security_page(const io::HttpRequest& request);

}  // namespace amoskys::module
