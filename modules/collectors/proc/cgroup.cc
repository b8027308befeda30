#include "modules/collectors/proc/cgroup.h"

#include <algorithm>

#include "modules/collectors/proc/decode.h"

namespace amoskys::proc {
namespace {

constexpr std::size_t id_length = 64, uuid_length = 36, static_pod_length = 32;

bool hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// "CONTROLLERS" and "PATH" of "N:CONTROLLERS:PATH".
bool split_line(std::string_view line, std::string_view& controllers, std::string_view& path) {
    const auto first = line.find(':');
    if (first == std::string_view::npos)
        return false;
    const auto second = line.find(':', first + 1);
    if (second == std::string_view::npos)
        return false;
    controllers = line.substr(first + 1, second - first - 1);
    path = line.substr(second + 1);
    return true;
}

struct Prefix {
    std::string_view text, runtime;
};
// What stands before an id, as "docker-ID" or "/docker/ID".
constexpr Prefix prefixes[] = {
    {"docker", "docker"},
    {"cri-containerd", "containerd"},
    {"containerd", "containerd"},
    {"nerdctl", "containerd"},
    {"crio", "cri-o"},
    {"libpod", "podman"},
};

// The last word before `at`, up to a slash or colon.
std::string_view word_before(std::string_view path, std::size_t at) {
    const auto head = path.substr(0, at);
    const auto begin = head.find_last_of("/:");
    return head.substr(begin == std::string_view::npos ? 0 : begin + 1);
}

// Pod UID behind "pod": with dashes, with underscores (systemd), or 32 digits (static pods).
std::string pod_of(std::string_view path) {
    for (auto at = path.find("pod"); at != std::string_view::npos; at = path.find("pod", at + 1)) {
        const auto rest = path.substr(at + 3);
        std::string uid;
        for (const char c : rest.substr(0, uuid_length)) {
            if (!hex_digit(c) && c != '-' && c != '_')
                break;
            uid += c == '_' ? '-' : c;
        }
        const bool uuid = uid.size() == uuid_length && uid[8] == '-' &&
                          std::count(uid.begin(), uid.end(), '-') == 4;
        const bool digits = uid.size() == static_pod_length && uid.find('-') == std::string::npos;
        if (uuid || digits)
            return uid;
    }
    return "";
}

// The last run of 64 hexadecimal digits that stands for itself.
Container by_id(std::string_view path) {
    Container found;
    for (std::size_t i = 0; i < path.size();) {
        std::size_t end = i;
        while (end < path.size() && hex_digit(path[end]))
            ++end;
        const bool whole = i == 0 || path[i - 1] == '/' || path[i - 1] == '-' || path[i - 1] == ':';
        if (end - i == id_length && whole &&
            (end == path.size() || path[end] == '/' || path[end] == '.')) {
            auto word = i == 0 ? std::string_view() : word_before(path, i - 1);
            if (!word.ends_with("conmon")) {
                found.id = path.substr(i, id_length);
                found.runtime = {};
                for (const auto& prefix : prefixes)
                    if (word == prefix.text)
                        found.runtime = prefix.runtime;
            }
        }
        i = end + 1;
    }
    return found;
}

Container by_name(std::string_view path) {
    struct Form {
        std::string_view begin, end, runtime;
    };
    constexpr Form forms[] = {{"/lxc/", "", "lxc"},
                              {"/lxc.payload.", "", "lxc"},
                              {"/lxc.payload/", "", "lxc"},
                              {"/machine.slice/machine-", ".scope", "nspawn"}};
    Container found;
    for (const auto& form : forms) {
        const auto at = path.find(form.begin);
        if (at == std::string_view::npos)
            continue;
        auto name = path.substr(at + form.begin.size());
        name = name.substr(0, name.find('/'));
        if (name.empty() || !name.ends_with(form.end))
            continue;
        name.remove_suffix(form.end.size());
        found.id = name;
        found.runtime = form.runtime;
        break;
    }
    return found;
}

}  // namespace

std::string_view parse_cgroup(std::string_view text) {
    std::string_view first, systemd;
    while (!text.empty()) {
        const auto line = take_line(text);
        std::string_view controllers, path;
        if (!split_line(line, controllers, path))
            continue;
        if (line.starts_with("0::"))
            return path;
        if (controllers == "name=systemd")
            systemd = path;
        else if (first.empty())
            first = path;
    }
    return systemd.empty() ? first : systemd;
}

Container find_container(std::string_view text) {
    while (!text.empty()) {
        std::string_view controllers, path;
        if (!split_line(take_line(text), controllers, path))
            continue;
        auto found = by_id(path);
        if (found.id.empty())
            found = by_name(path);
        if (found.id.empty())
            continue;
        found.pod_uid = pod_of(path);
        return found;
    }
    return {};
}

}  // namespace amoskys::proc
