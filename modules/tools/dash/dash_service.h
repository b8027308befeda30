// `amoskys dash`: settings checked, certificates and tokens loaded (and loaded again when their
// files change), then server.h over log_site.h until cancelled.
#pragma once

#include <filesystem>
#include <memory>

#include "core/module/module.h"
#include "modules/tools/dash/config.h"

namespace amoskys::modules::dash {

Result<std::unique_ptr<module::Service>> make_dash_service(const module::ServiceContext& context);
std::filesystem::path token_file(const DashConfig& config, const std::filesystem::path& state_dir);

}  // namespace amoskys::modules::dash
