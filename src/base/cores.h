// How many cores this process may use: not what the machine has, but what is left to us.
#pragma once

#include <cstdint>
#include <string>

namespace tern {

/// Cores that the affinity mask and the container's CPU quota (cgroup v1 and v2) leave to this process, at least 1.
uint32_t available_cores();

/// The quota in whole cores, rounded up, that the process's control group and those above it set; 0: none.
/// root: "/sys/fs/cgroup"; self: the text of /proc/self/cgroup. (Kernel documentation, cgroup-v2, "CPU Interface
/// Files"; cgroup-v1, "CFS Bandwidth Control".)
uint32_t cgroup_cores(const std::string& root, const std::string& self);

}  // namespace tern
