// /proc/PID/cgroup: the path of a process and the container that it says, cgroup v1 and v2, with
// cgroupfs and systemd as driver. Pure functions; the views are of the input.
#pragma once

#include <string>
#include <string_view>

namespace amoskys::proc {

// The path of the cgroup2 line ("0::PATH"); on a cgroup1 host that of name=systemd, else of the
// first line.
std::string_view parse_cgroup(std::string_view text);

struct Container {
    std::string_view id;       // 64 hexadecimal digits; LXC and nspawn: the name
    std::string_view runtime;  // docker containerd cri-o podman lxc nspawn; "" = path does not say
    std::string pod_uid;       // Kubernetes, with dashes
};

// Of all lines, the first one that names a container:
//   /docker/ID  docker-ID.scope  cri-containerd-ID.scope  ...slice:cri-containerd:ID  nerdctl-ID
//   crio-ID.scope  libpod-ID.scope  /kubepods/burstable/podUID/ID  /lxc/NAME  /lxc.payload.NAME
//   machine-NAME.scope
// A monitor beside a container (conmon) is none. Empty where there is none.
Container find_container(std::string_view text);

}  // namespace amoskys::proc
