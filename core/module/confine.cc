#include "core/module/confine.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/base/text.h"
#include "core/io/runtime.h"
#include "core/log/log.h"
#include "core/module/host_config.h"
#include "core/sandbox/sandbox.h"

namespace amoskys::module {

namespace {

namespace fs = std::filesystem;

// Resolver, users, time zones, certificates; devices and the kernel's tables.
constexpr std::array system_folders = {
    "/etc", "/usr/share/zoneinfo", "/usr/lib", "/lib", "/run", "/proc", "/sys", "/dev"};
constexpr std::uint16_t first_free_port = 1024;

bool looks_like_a_path(std::string_view text) {
    return text.starts_with('/') || text.starts_with("./") || text.starts_with("../") ||
           (text.find_first_of(" =*") == std::string_view::npos &&
            text.find('/') != std::string_view::npos && text.find("://") == std::string_view::npos);
}

// A file may be replaced by another under its name: its folder is what counts.
fs::path folder_of(const fs::path& path) {
    std::error_code ec;
    fs::path whole = fs::absolute(path, ec).lexically_normal();
    if (fs::is_directory(whole, ec) || !whole.parent_path().has_relative_path())
        return whole;
    return whole.parent_path();
}

struct Configured {
    std::vector<fs::path> read, write;
    bool low_port = false;
};

Configured configured(const config::Loaded& loaded) {
    const std::vector<config::Section> sections = all_sections();
    const auto is_path = [&sections](std::string_view key) {
        for (const config::Section& section : sections)
            for (const config::Option& option : section.options)
                if (option.flags.path &&
                    key == (section.root.empty() ? "" : std::string(section.root) + ".") +
                               std::string(option.name))
                    return true;
        return false;
    };
    Configured found;
    for (const auto& [key, setting] : loaded.settings)
        for (std::string item : setting.items) {
            if (item.starts_with('@'))
                item.erase(0, 1);
            const bool there_already = is_path(key);
            if (!item.empty() && (there_already || looks_like_a_path(item)))
                (there_already ? found.read : found.write).push_back(folder_of(item));
            if (key.find("listen") == std::string::npos)
                continue;
            const auto endpoint = io::parse_endpoint(item, first_free_port);
            found.low_port |= endpoint && endpoint->port > 0 && endpoint->port < first_free_port;
        }
    return found;
}

bool of_another_user(const fs::path& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && about.st_uid != ::geteuid();
}

void append(std::vector<fs::path>& to, const std::vector<fs::path>& more) {
    to.insert(to.end(), more.begin(), more.end());
}

sandbox::Profile profile_of(std::span<const ModuleInfo* const> modules,
                            const config::Loaded& loaded, const fs::path& state_dir,
                            const FurtherPaths& further) {
    sandbox::Profile profile;
    profile.user = loaded.get<SandboxConfig>("sandbox")->user;
    profile.read.assign(system_folders.begin(), system_folders.end());
    profile.write = {state_dir, "/dev/null", "/dev/tty"};
    const Configured own = configured(loaded);
    append(profile.read, own.read);
    append(profile.write, own.write);
    for (const fs::path& path : further.read)
        profile.read.push_back(folder_of(path));
    for (const fs::path& path : further.write)
        profile.write.push_back(folder_of(path));
    if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr)
        profile.read.emplace_back(credentials);
    for (const ModuleInfo* info : modules) {
        profile.restrict_files &= !info->watches_processes;
        for (std::string_view privilege : info->privileges)
            profile.keep_capabilities.emplace_back(privilege.substr(0, privilege.find(':')));
    }
    if (own.low_port)
        profile.keep_capabilities.emplace_back("CAP_NET_BIND_SERVICE");
    std::vector<fs::path> used = {state_dir, state_dir / "pki", state_dir / "spool",
                                  state_dir / "wal"};
    append(used, own.read);
    append(used, own.write);
    if (profile.user.empty() && std::any_of(used.begin(), used.end(), of_another_user))
        profile.keep_capabilities.insert(profile.keep_capabilities.end(),
                                         {"CAP_DAC_OVERRIDE", "CAP_CHOWN"});
    return profile;
}

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
    std::string out;
    for (const std::string& part : parts)
        out += (out.empty() ? "" : std::string(between)) + part;
    return out;
}

}  // namespace

Result<> confine(std::span<const ModuleInfo* const> modules, const config::Loaded& loaded,
                 const fs::path& state_dir, const FurtherPaths& further) {
    const auto settings = loaded.get<SandboxConfig>("sandbox");
    if (settings->mode == "off")
        return {};
    AMOSKYS_TRY(state, sandbox::enter(profile_of(modules, loaded, state_dir, further)));
    if (settings->mode == "require" && !state.missing.empty())
        return make_error(ErrorKind::unavailable, "sandbox_missing", joined(state.missing, "; "),
                          "sandbox.mode: auto goes on without");
    for (const std::string& missing : state.missing)
        log::info("host", "sandbox_layer_missing", missing);
    log::debug(
        "host", "confined", "what is not needed was given up",
        {{"user", state.user},
         {"capabilities", state.capabilities.empty() ? "none" : joined(state.capabilities, ",")},
         {"landlock", state.landlock_abi},
         {"seccomp", state.system_calls}});
    return {};
}

io::HttpResponse security_page(const io::HttpRequest&) {
    const sandbox::State now = sandbox::observe();
    const Json page = {{"user", now.user},
                       {"capabilities", now.capabilities},
                       {"no_new_privileges", now.no_new_privileges},
                       {"landlock_abi", now.landlock_abi},
                       {"seccomp", now.system_calls},
                       {"missing", now.missing},
                       {"waived", now.waived}};
    return {200, "application/json", json::dump(page) + "\n"};
}

}  // namespace amoskys::module
